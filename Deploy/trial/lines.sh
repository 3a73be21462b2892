# Lines that are cut, lossy, slow. Sourced by Deploy/trial.sh.

scenario_line() {
    local up=() down=() id i
    province zj
    join hz hz.zj zj
    cut_line hz
    for i in 1 2 3 4 5; do
        up+=("$(open_ticket hz "断线时地区$i")")
        id=$(open_ticket zj "断线时省里$i")
        hand_over zj "$id" hz.zj
        down+=("$id")
    done
    equal "the region works on without a line" 5 "$(acknowledged "${up[@]}")"
    equal "so does the province" 5 "$(acknowledged "${down[@]}")"
    holds "nothing came through" not has_any zj "${up[@]}"
    # The session outlives a short cut, or another one comes about: whichever, what was done is there.
    mend_line hz
    within "$PATIENCE" "after a short cut both agree" agree zj hz
    holds "the province has the region's" has_all zj "${up[@]}"
    holds "the region has the province's" has_all hz "${down[@]}"

    # Long enough that the region dials in vain.
    cut_line hz
    stop hz
    start hz
    up+=("$(open_ticket hz 拨不通时)")
    within "$PATIENCE" "dialling in vain, it says why" has_failure hz
    within "$PATIENCE" "doctor names the line" finds hz peers
    mend_line hz
    within 180 "with the line, both agree by themselves" agree zj hz
    cut_line hz
    stop hz
    start hz
    within "$PATIENCE" "cut again" has_failure hz
    mend_line hz
    b hz sync now >/dev/null
    within 20 "sync now spares the wait" connected hz
    sound zj hz
}

scenario_loss() {
    local up=() down=() id i began=$EPOCHREALTIME
    province zj
    join hz hz.zj zj
    lossy_line zj 0.2
    lossy_line hz 0.2
    for i in $(seq 15); do
        up+=("$(open_ticket hz "丢包时地区$i")")
        id=$(open_ticket zj "丢包时省里$i")
        hand_over zj "$id" hz.zj
        down+=("$id")
    done
    equal "every command is answered" 30 "$(acknowledged "${up[@]}" "${down[@]}")"
    within 180 "with a fifth of the packets lost, both agree" agree zj hz
    holds "the province has the region's" has_all zj "${up[@]}"
    holds "the region has the province's" has_all hz "${down[@]}"
    at_least "packets really lost" 5 $(($(dropped_packets zj) + $(dropped_packets hz)))
    stop hz
    start hz
    id=$(open_ticket hz 重连之后)
    within 180 "a session comes about on such a line" has zj "$id"
    sound_line zj
    sound_line hz
    within "$PATIENCE" "both agree" agree zj hz
    sound zj hz
}

# Rows of the backlog: some 90 seconds of the line. A live ticket waits for about two seconds of backlog (sync.md §6),
# and for what stands in the queues of the line and of both processes.
SLOW_ROWS=6000
SLOW_RATE=64kbit
LIVE_SECONDS_MAX=10

scenario_slow() {
    local id i backlog began started live= late
    province zj
    join hz hz.zj zj
    stop hz
    generated "$SLOW_ROWS" hz.zj
    holds "an import of $SLOW_ROWS rows without a line" import hz
    slow_line hz "$SLOW_RATE"
    start hz
    within 60 "the region is connected over $SLOW_RATE" connected hz
    within 60 "the backlog is on its way" sending hz 100
    backlog=$(to_send hz)
    at_least "operations of backlog" $((SLOW_ROWS * 3 / 4)) "$backlog"
    began=$EPOCHREALTIME
    for i in 1 2 3; do
        started=$EPOCHREALTIME
        id=$(open_ticket hz "积压时的新单$i")
        promptly "$LIVE_SECONDS_MAX" "ticket $i opened now overtakes it" has zj "$id"
        live="$live $(since "$started")"
    done
    at_least "operations that still wait then" $((SLOW_ROWS / 4)) "$(to_send hz)"
    within 30 "status shows what is left and for how long" forecast hz
    echo "   note    $(b hz sync status --json | jq -c '.peers[] | {toSend, sendRate, toSendSeconds, sentBytes}')"
    id=$(open_ticket zj 下行的新单)
    hand_over zj "$id" hz.zj
    promptly "$LIVE_SECONDS_MAX" "and one the other way" has hz "$id"
    within 600 "the backlog is through" agree zj hz
    late=$(since "$began")
    echo "   note    live tickets took$live s, the backlog of $backlog operations $late s and more"
    # While connected, what an import writes is news as well: a clerk's ticket must not stand behind all of it.
    generated "$SLOW_ROWS" hz.zj b
    import hz >/dev/null || broken "the second import"
    began=$EPOCHREALTIME
    id=$(open_ticket hz 导入之后的新单)
    promptly "$LIVE_SECONDS_MAX" "a ticket opened after an import while connected is not held up by it" has zj "$id"
    full_line hz
    within 180 "all of it arrives" agree zj hz
    sound zj hz
}

scenario_scope() {
    local a c d marker=scope$$mark
    province zj
    join hz hz.zj zj
    join nb nb.zj zj
    join xihu xihu.hz.zj hz
    join yinzhou yinzhou.nb.zj nb
    a=$(open_ticket xihu "西湖的$marker-xihu")
    c=$(open_ticket hz "杭州的$marker-hz")
    d=$(open_ticket nb "转给鄞州的$marker-nb")
    open_ticket zj "省里的$marker-zj" >/dev/null
    hand_over nb "$d" yinzhou.nb.zj
    within "$PATIENCE" "the province has everything" counts zj 4
    within "$PATIENCE" "what was handed to the branch is there" has yinzhou "$d"
    within "$PATIENCE" "everything is delivered" all_quiet zj hz nb xihu yinzhou
    equal "the region hz has its own and its branch's" 2 "$(titles hz | wc -l)"
    equal "the region nb has its own" 1 "$(titles nb | wc -l)"
    equal "xihu has its own" "西湖的$marker-xihu" "$(titles xihu)"
    equal "yinzhou has what it was handed" "转给鄞州的$marker-nb" "$(titles yinzhou)"
    holds "a branch does not know the others' tickets" not has_any xihu "$c" "$d"
    holds "nor a region" not has_any nb "$a" "$c"
    # Not only in lists: the bytes are not on the disk.
    holds "xihu's own bytes are on its disk" on_disk xihu "$marker-xihu"
    for other in hz nb zj; do holds "those of $other are not on xihu's disk" not on_disk xihu "$marker-$other"; done
    holds "those of zj are not on nb's disk" not on_disk nb "$marker-zj"
    # A chase from elsewhere lets nobody in, a transfer does, with the whole history.
    hand_over hz "$c" yinzhou.nb.zj
    within "$PATIENCE" "a transfer across the province lets the branch in" has yinzhou "$c"
    within "$PATIENCE" "with all of it" same_ticket hz yinzhou "$c"
    holds "and the region between" has nb "$c"
    sound zj hz nb xihu yinzhou
}

acknowledged() { local id n=0; for id in "$@"; do [ -z "$id" ] || n=$((n + 1)); done; echo "$n"; }
has_any() { local node=$1 id; shift; for id in "$@"; do if has "$node" "$id"; then return 0; fi; done; return 1; }
has_failure() { b "$1" sync status --json | jq -e 'any(.peers[]; .lastFailure != null and (.isConnected | not))'; }
# Doctor's exit code 2 says that there are findings, which is not what is asked.
finds() { jq -e --arg check "$2" 'any(.findings[]; .check == $check)' <<<"$(b "$1" doctor --json)"; }
counts() { [ "$(titles "$1" | wc -l)" -eq "$2" ]; }
all_quiet() { local node; for node in "$@"; do quiet "$node" || return 1; done; }
on_disk() { grep -qaF -- "$2" "$root/$1"/*.db*; }
to_send() { b "$1" sync status --json | jq '[.peers[] | select(.role == "parent") | .toSend] | add'; }
sending() { b "$1" sync status --json | jq -e --argjson n "$2" 'any(.peers[]; .role == "parent" and .sentOperations >= $n)'; }
forecast() { b "$1" sync status --json | jq -e 'any(.peers[]; .toSend > 0 and .sendRate > 0 and .toSendSeconds > 0)'; }
at_least() { if [ "$3" -ge "$2" ] 2>/dev/null; then passed "$1 ($3)"; else missed "$1" "at least $2" "$3"; fi; }

# generated ROWS SITE [SERIES]: a log of another system, tickets with text that does not compress, all of one site.
generated() {
    cat >"$root/log.yaml" <<YAML
source: trial${3-}
ticket: key
time: { columns: time, formats: yyyy-MM-dd HH:mm:ss }
status: status
actor: actor
text: text
fields: { title: "导入 {key}", body: text }
constants: { department: NET }
events: { note: [opened] }
sites: { column: site, groups: { all: { site: $2, values: [$2] } } }
YAML
    {
        echo key,time,status,actor,text,site
        od -An -v -tx1 -w45 -N $(($1 * 45)) /dev/urandom | awk -v site="$2" -v series="${3-}" \
            '{ gsub(" ", ""); printf "T%s%06d,2026-01-02 03:04:05,opened,A%d,%s,%s\n", series, NR, NR % 9, $0, site }'
    } >"$root/log.csv"
}
import() { b "$1" import "$root/log.csv" --mapping "$root/log.yaml" --all --json; }
