#!/usr/bin/env bash
# A province in two minutes: six offices as real processes on this machine, a line that is cut for three hours of their
# own clock, and what they make of it. Leaves the province's console running and prints its address.
#
#   Deploy/demo.sh                 build, play, leave the console up (Ctrl-C ends everything)
#   Deploy/demo.sh --headless      play, check every claim, end; exit 1 if one does not hold; last line: JSON
#   BANJIE_BUILD=debug             use the debug build instead of the release build
set -euo pipefail
cd "$(dirname "$0")/.."

headless=0
for argument in "$@"; do
    case "$argument" in
    --headless) headless=1 ;;
    *) echo "usage: Deploy/demo.sh [--headless]" >&2; exit 64 ;;
    esac
done

# Minutes of the offices' clock pass this many times as fast as ours.
RATE=240
CUT_MINUTES=180
configuration=${BANJIE_BUILD:-release}

command -v swift >/dev/null || { echo "demo.sh: the Swift toolchain (6.2 or later) has to be on the PATH" >&2; exit 1; }
Deploy/packages.sh
Deploy/packages.sh jq socat
echo "== build ($configuration)"
swift build -c "$configuration" --product banjie --quiet
banjie="$(swift build -c "$configuration" --show-bin-path)/banjie"

root=$(mktemp -d "${TMPDIR:-/tmp}/banjie-demo.XXXXXX")
declare -A process
relay=
finish() {
    local status=$?
    [ -z "$relay" ] || kill "$relay" 2>/dev/null || true
    for site in "${!process[@]}"; do kill "${process[$site]}" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [ "$status" -eq 0 ]; then rm -rf "$root"; else echo "logs and data are kept in $root" >&2; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# b SITE COMMAND…: a command at an office.
b() {
    local site=$1
    shift
    BANJIE_DATA="$root/$site" "$banjie" "$@"
}

failures=0
check() {
    local text=$1
    shift
    if "$@"; then echo "   ✓ $text"; else echo "   ✗ $text"; failures=$((failures + 1)); fi
}

# until_true SECONDS WHAT COMMAND…: waits for what the offices bring about among themselves.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then echo "   ✗ did not come about: $what"; failures=$((failures + 1)); return 0; fi
        sleep 0.1
    done
}

field() { jq -r "$1"; }
detail() { b "$1" ticket show "$2" --json; }
holds() { detail "$1" "$2" | jq -e "$3" >/dev/null; }
open_ticket() {
    local site=$1
    shift
    b "$site" ticket open "$@" --as 小王 --department SVC --role dispatcher --json | field .ticket.id
}

start() {
    local site=$1
    "$banjie" run --data "$root/$site" >"$root/$site.log" 2>&1 &
    process[$site]=$!
    until_true 20 "$site is up" is_up "$site"
}
is_up() { [ -S "$root/$1/run/admin.sock" ] && b "$1" sync status --json | jq -e '.isRunning and .addresses.sync != null'; }

real=$(date +%s%3N)
# SITE: every listener on a port that the system chooses, and the clock that all offices share.
configure() {
    printf 'clock:\n  real: %s\n  virtual: %s\n  rate: %s\n' "$real" "$real" "$RATE" >>"$root/$1/node.yaml"
}
listeners=(--listen 127.0.0.1:0 --enrolment 127.0.0.1:0)

enrol() {
    local site=$1 parent=$2
    b "$parent" enrol token new "$site" --output "$root/$site.token" >/dev/null
    b "$site" init --token-file "$root/$site.token" --console off "${listeners[@]}" >/dev/null
    configure "$site"
}

echo "== a province, two regions, three branches"
b zj init --province --site zj --console 127.0.0.1:0 "${listeners[@]}" >/dev/null
configure zj
start zj
for region in hz nb; do
    enrol "$region.zj" zj
    start "$region.zj"
done
enrol xihu.hz.zj hz.zj
enrol gongshu.hz.zj hz.zj
enrol yinzhou.nb.zj nb.zj
# The line of the branch xihu runs over a relay that can be taken away.
hz_address=$(b hz.zj sync status --json | field .addresses.sync)
start_relay() {
    socat -d -d "TCP-LISTEN:${relay_port:-0},bind=127.0.0.1,fork,reuseaddr" "TCP:$hz_address" 2>"$root/relay.log" &
    relay=$!
    until_true 10 "the relay listens" grep -q 'listening on' "$root/relay.log"
    relay_port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$root/relay.log" | head -n 1)
}
# The line is gone: the listener and every connection that it carries.
stop_relay() {
    local children
    children=$(cat "/proc/$relay/task/$relay/children" 2>/dev/null || true)
    # shellcheck disable=SC2086
    kill "$relay" $children 2>/dev/null || true
    wait "$relay" 2>/dev/null || true
    relay=
}
start_relay
sed -i "s/^  - \".*\"$/  - \"127.0.0.1:$relay_port\"/" "$root/xihu.hz.zj/node.yaml"
for branch in xihu.hz.zj gongshu.hz.zj yinzhou.nb.zj; do start "$branch"; done
connected() { b "$1" sync status --json | jq -e '[.peers[] | select(.role == "parent") | .isConnected] == [true]'; }
for site in hz.zj nb.zj xihu.hz.zj gongshu.hz.zj yinzhou.nb.zj; do until_true 20 "$site is connected" connected "$site"; done

echo "== a ticket from a branch, over the province, to another region's network department"
first=$(open_ticket xihu.hz.zj 宽带频繁掉线 --text '客户反映昨晚起宽带每小时掉线' --category NETWORK.DATA --urgency high)
b xihu.hz.zj ticket transfer "$first" --to NET@nb.zj --note 请核查汇聚交换机 --as 小王 --department SVC --role dispatcher >/dev/null
until_true 20 "the transfer is delivered" holds nb.zj "$first" '.custody.site == "nb.zj" and .custody.delivered != null'
b nb.zj ticket accept "$first" --as 老陈 --department NET >/dev/null
b nb.zj ticket reply "$first" 更换光模块后复测正常 --as 老陈 --department NET >/dev/null
until_true 20 "the reply is at the branch" holds xihu.hz.zj "$first" '.status == "replied"'
b xihu.hz.zj ticket feedback "$first" 已电话告知处理结果 --score 5 --as 小王 --department SVC >/dev/null
b xihu.hz.zj ticket close "$first" --confirmed --score 5 --as 小王 --department SVC >/dev/null
until_true 20 "the province sees it closed" holds zj "$first" '.status == "closed"'
check "handled, fed back and closed by the customer" holds zj "$first" '.status == "closed" and (.path | length) == 2'

echo "== a chase that reaches the holder"
second=$(open_ticket gongshu.hz.zj 账单多扣费 --text '本月套餐外扣费 38 元' --category BILLING.DISPUTE)
b gongshu.hz.zj ticket transfer "$second" --to BILL@yinzhou.nb.zj --as 小王 --department SVC --role dispatcher >/dev/null
until_true 20 "the holder has it" holds yinzhou.nb.zj "$second" '.custody.delivered != null'
b gongshu.hz.zj ticket chase "$second" --note 客户再次来电询问进度 --as 小王 --department SVC >/dev/null
until_true 20 "the chase is at the holder" holds yinzhou.nb.zj "$second" '(.chases | length) == 1'
b yinzhou.nb.zj ticket acknowledge "$second" --as 小周 --department BILL >/dev/null
b yinzhou.nb.zj ticket answer "$second" 今日内退费 --as 小周 --department BILL >/dev/null
until_true 20 "the answer is back" holds gongshu.hz.zj "$second" '.chases[0].isAnswered'
check "the chase was delivered, acknowledged and answered" holds zj "$second" \
    '.chases[0] | .isDelivered and .isAcknowledged and .isAnswered'

echo "== the line of xihu is cut for three hours"
third=$(open_ticket xihu.hz.zj 基站信号弱 --category NETWORK.VOICE --urgency middle)
until_true 20 "the province has it" holds zj "$third" '.status == "open"'
cut_began=$(date +%s%3N)
stop_relay
disconnected() { ! connected "$1"; }
until_true 20 "xihu knows that it is alone" disconnected xihu.hz.zj
# Offline: a ticket opened, handled and closed; another one transferred, while the province transfers the same.
fourth=$(open_ticket xihu.hz.zj 断网期间受理的工单 --category SERVICE)
b xihu.hz.zj ticket reply "$fourth" 现场已解决 --as 小王 --department SVC >/dev/null
b xihu.hz.zj ticket feedback "$fourth" 客户在场确认 --as 小王 --department SVC >/dev/null
b xihu.hz.zj ticket close "$fourth" --confirmed --as 小王 --department SVC >/dev/null
b xihu.hz.zj ticket transfer "$third" --to NET@gongshu.hz.zj --as 小王 --department SVC --role dispatcher >/dev/null
b zj ticket transfer "$third" --to NET@nb.zj --as 省调度 --department SVC --role dispatcher >/dev/null
fifth=$(open_ticket gongshu.hz.zj 上门安装改约 --category BUSINESS.ORDER)
b gongshu.hz.zj ticket transfer "$fifth" --to SVC@xihu.hz.zj --as 小王 --department SVC --role dispatcher >/dev/null
until_true 20 "the region waits with it" holds hz.zj "$fifth" '.custody.site == "xihu.hz.zj"'
left=$((cut_began + CUT_MINUTES * 60000 / RATE + 1000 - $(date +%s%3N)))
[ "$left" -le 0 ] || sleep "$(printf '%d.%03d' $((left / 1000)) $((left % 1000)))"
check "the branch worked on without a line" holds xihu.hz.zj "$fourth" '.status == "closed"'

echo "== the line comes back"
start_relay
b xihu.hz.zj sync now >/dev/null
until_true 30 "xihu is connected again" connected xihu.hz.zj
until_true 30 "what waited is delivered" holds zj "$fifth" '.custody.delivered != null'
until_true 30 "the province has what was done offline" holds zj "$fourth" '.status == "closed"'
until_true 30 "both transfers have met" holds zj "$third" '(.contested | length) == 1'
contested=$(b zj conflicts list --json | jq '[.. | objects | select(has("candidates"))] | length')
check "one contested transfer appears" test "$contested" -eq 1
winner=$(detail zj "$third" | field '.contested[0].candidates[] | select(.site == "nb.zj") | .transfer')
b zj ticket settle "$third" --winner "$winner" --reason 按分类归网络部 --as 省仲裁 --department SVC --role supervisor >/dev/null
until_true 30 "the settlement is everywhere" holds gongshu.hz.zj "$third" '.contested[0].isSettled'
until_true 30 "the settlement is at xihu" holds xihu.hz.zj "$third" '.contested[0].isSettled'
settled=$(detail zj "$third" | jq '[.contested[] | select(.isSettled)] | length')
check "it is settled" test "$settled" -eq 1

link_minutes=$(detail zj "$fifth" | jq '.clocks.linkMilliseconds / 60000 | floor')
check "the link clock shows the cut ($link_minutes min)" test "$link_minutes" -ge $((CUT_MINUTES - 30))
check "nobody is charged for it" holds zj "$fifth" \
    '[.limits[] | select(.site == "xihu.hz.zj" and (.state == "late" or .state == "overdue"))] == []'

echo "== all offices agree"
quiet() {
    for site in zj hz.zj nb.zj xihu.hz.zj gongshu.hz.zj yinzhou.nb.zj; do
        b "$site" sync status --json | jq -e '[.peers[] | .isConnected and .toSend == 0] | all' >/dev/null || return 1
    done
}
digests_agree() {
    local id site digest
    for id in "$first" "$second" "$third" "$fourth" "$fifth"; do
        digest=$(detail zj "$id" | field .digest)
        for site in hz.zj nb.zj xihu.hz.zj gongshu.hz.zj yinzhou.nb.zj; do
            # An office that takes no part in a ticket has nothing of it, and says so.
            local theirs
            theirs=$(detail "$site" "$id" 2>/dev/null | field .digest || true)
            [ -z "$theirs" ] || [ "$theirs" = "$digest" ] || return 1
        done
    done
}
until_true 30 "every feed is delivered" quiet
until_true 30 "equal digests" digests_agree
converged=false
if quiet && digests_agree; then converged=true; fi
check "digests are equal wherever a ticket is" test "$converged" = true
absent() { ! detail "$1" "$2" >/dev/null 2>&1; }
check "a branch holds only what it takes part in" absent yinzhou.nb.zj "$first"

echo "== on-time rates at the province, by site and by department"
b zj assess show --by site
b zj assess show --by department
check "the table has rows" test "$(b zj assess show --by site --json | jq '.rows | length')" -ge 3

status=$(b zj status --json || true)
tickets=$(jq .tickets <<<"$status")
operations=$(jq .operations <<<"$status")
summary=$(jq -cn --argjson tickets "$tickets" --argjson operations "$operations" --argjson converged "$converged" \
    --argjson contested "$contested" --argjson settled "$settled" --argjson link "$link_minutes" \
    --argjson failures "$failures" \
    '{sites: 6, tickets: $tickets, operations: $operations, converged: $converged, contested: $contested,
      settled: $settled, linkClockMinutes: $link, failures: $failures}')

if [ "$headless" -eq 1 ]; then
    echo "$summary"
    [ "$failures" -eq 0 ]
    exit
fi
echo "$summary"
password=$(head -c 12 /dev/urandom | base64 | tr -dc 'A-Za-z0-9')
printf '%s\n' "$password" | b zj user add demo --role admin --department SVC >/dev/null
echo
echo "The province's console: https://$(b zj sync status --json | field .addresses.console)/"
echo "Log in as demo with the password $password (the certificate is the node's own: the browser will ask)."
echo "Ctrl-C ends all offices and removes their data."
wait "${process[zj]}"
