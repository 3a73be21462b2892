# Nodes that are killed, frozen, or slow. Sourced by Deploy/trial.sh.

KILL_CYCLES=20
KILL_ROWS=2000

# kill -9 of the sender, the receiver, or both, while a backlog runs and clerks work at both ends.
scenario_kill() {
    local cycle seed=${TRIAL_SEED:-$RANDOM} delay victims victim missing id
    echo "   note    TRIAL_SEED=$seed"
    RANDOM=$seed
    province zj
    join hz hz.zj zj
    stop hz
    generated "$KILL_ROWS" hz.zj
    import hz >/dev/null || broken "the import"
    slow_line hz 128kbit
    start hz
    : >"$root/up"
    : >"$root/down"
    for cycle in $(seq "$KILL_CYCLES"); do
        clerk_up "$cycle" &
        local up=$!
        clerk_down "$cycle" &
        local down=$!
        case $((RANDOM % 3)) in 0) victims=hz ;; 1) victims=zj ;; *) victims="hz zj" ;; esac
        delay=$((RANDOM % 1800))
        sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
        for victim in $victims; do murder "$victim"; done
        wait "$up" "$down"
        for victim in $victims; do start "$victim"; done
    done
    full_line hz
    within 240 "after $KILL_CYCLES kills the region has nothing left to send" drained hz
    at_least "tickets acknowledged at the region meanwhile" 10 "$(wc -l <"$root/up")"
    at_least "tickets acknowledged at the province" 10 "$(wc -l <"$root/down")"
    # Lists may lag behind the log for a moment.
    within "$PATIENCE" "lists have caught up" nothing_missing hz zj
    equal "nothing acknowledged at the region is missing there" "" "$(ids hz | comm -13 - <(sort "$root/up"))"
    equal "nor at the province" "" "$(ids zj | comm -13 - <(sort "$root/up"))"
    equal "nothing acknowledged at the province is missing there" "" "$(ids zj | comm -13 - <(sort "$root/down"))"
    # Killed between opening and handing over, a ticket stays at the province; it is handed over now.
    for id in $(comm -13 <(ids hz) <(ids zj)); do hand_over zj "$id" hz.zj || true; done
    within "$PATIENCE" "both agree" agree zj hz
    at_least "tickets in all" $((KILL_ROWS + 20)) "$(ids zj | wc -l)"
    missing=$(comm -3 <(ids zj) <(ids hz) | wc -l)
    equal "no ticket is at one end only" 0 "$missing"
    sound zj hz
}

# A region's disk fills up while its line is down.
scenario_full() {
    local a c d said
    province zj
    small_disk hz 128
    join hz hz.zj zj
    a=$(open_ticket hz 盘满之前)
    within "$PATIENCE" "the province has what was opened before" has zj "$a"
    cut_line hz
    c=$(open_ticket hz 断线时开的)
    d=$(open_ticket zj 省里转来)
    hand_over zj "$d" hz.zj
    # Its announcement goes to every office.
    join nb nb.zj zj
    holds "what the region opens meanwhile stays there" not has zj "$c"
    fill_disk hz 4
    within 10 "with four MiB left the region opens no ticket" refuses hz
    said=$(b hz ticket open 写不下 --as 小王 --role dispatcher --json 2>&1)
    holds "and says why" grep -q diskAlmostFull <<<"$said"
    within "$PATIENCE" "doctor names the disk" advises hz disk ""
    mend_line hz
    within "$PATIENCE" "what it had goes out" has zj "$c"
    within "$PATIENCE" "it says that it takes nothing" grep -q 'the disk is almost full' "$root/hz.log"
    holds "what comes for it is left aside" not has hz "$d"
    stop hz
    start hz
    within "$PATIENCE" "started anew on the full disk it is connected" connected hz
    holds "and still takes nothing" not has hz "$d"
    clear_disk hz
    within "$PATIENCE" "with room again it gets what it has missed" has hz "$d"
    within "$PATIENCE" "all agree" agree zj hz
    equal "what was refused is nowhere" 0 "$(times zj 写不下)"
    sound zj hz nb
}

# The node looks at its disk now and then: what comes before that is taken still.
refuses() { ! b "$1" ticket open 还写得下 --as 小王 --role dispatcher --json; }
# small_disk NODE MIB: its folder is a disk of its own.
small_disk() {
    mkdir "$root/$1"
    mount -t tmpfs -o "size=${2}m" bjt "$root/$1" || broken "a disk for $1"
}
# fill_disk NODE MIB: so much is left.
fill_disk() {
    local free
    free=$(df --output=avail -B 1M "$root/$1" | tail -n 1)
    head -c $(((free - $2) * 1048576)) /dev/zero >"$root/$1/ballast"
}
clear_disk() { rm "$root/$1/ballast"; }
disks_down() {
    local path
    awk -v base="$base/" 'index($2, base) == 1 { print $2 }' /proc/mounts | while read -r path; do umount "$path"; done
}

# Two tickets each; an id is written down only when the command has been answered.
clerk_up() {
    local i id
    for i in 1 2 3 4; do
        id=$(open_ticket hz "地区$1-$i" 2>/dev/null) && [ -n "$id" ] && echo "$id" >>"$root/up"
    done
}
clerk_down() {
    local i id
    for i in 1 2 3; do
        id=$(open_ticket zj "省里$1-$i" 2>/dev/null) && [ -n "$id" ] && echo "$id" >>"$root/down"
        [ -z "$id" ] || hand_over zj "$id" hz.zj 2>/dev/null
    done
    true
}

# A frozen process: to the others it is a peer that says nothing.
scenario_stop() {
    local id ids=() i
    province zj
    join hz hz.zj zj
    join nb nb.zj zj
    stop hz
    generated 5000 hz.zj
    import hz >/dev/null || broken "the import"
    slow_line hz 128kbit
    start hz
    within 60 "a backlog is on its way" has_some zj
    freeze hz
    at_most "tickets that the province has of it when the region is frozen, of 5000" 4500 "$(titles zj | wc -l)"
    for i in 1 2 3 4 5; do
        id=$(open_ticket nb "邻居$i")
        within 5 "with one region frozen, another's ticket $i is at the province" has zj "$id"
    done
    id=$(open_ticket zj 省里转给停着的)
    hand_over zj "$id" hz.zj
    holds "the province counts on" has zj "$id"
    thaw hz
    within "$PATIENCE" "thawed, it gets what was meant for it" has hz "$id"
    at_least "operations still to send when the province is frozen" 100 "$(to_send hz)"
    freeze zj
    for i in 1 2 3; do ids+=("$(open_ticket hz "省停着$i")" "$(open_ticket nb "省停着$i")"); done
    equal "with the province frozen, the regions work on" 6 "$(acknowledged "${ids[@]}")"
    # Longer than a session's handshake and any short patience.
    sleep 12
    thaw zj
    full_line hz
    within 180 "thawed, the province has it all" has_all zj "${ids[@]}"
    within 180 "and the backlog" drained hz
    within "$PATIENCE" "no ticket of the region is missing at the province" nothing_missing hz zj
    sound zj hz nb
}

# One region's process gets a tenth of the time while it receives a lot; another's tickets take no notice.
scenario_slowpeer() {
    local id i cycler pid before=0 took worst=0 began
    province zj
    join hz hz.zj zj
    join nb nb.zj zj
    for i in 1 2 3 4 5; do
        began=$EPOCHREALTIME
        id=$(open_ticket nb "平时$i")
        until_true "$PATIENCE" has zj "$id"
        took=$(milliseconds_since "$began")
        [ "$took" -le "$before" ] || before=$took
    done
    stop hz
    generated 3000 hz.zj
    import zj >/dev/null || broken "the import"
    start hz
    pid=${process[hz]}
    duty "$pid" &
    cycler=$!
    within 60 "the slow region takes a share" has_some hz
    for i in 1 2 3 4 5; do
        began=$EPOCHREALTIME
        id=$(open_ticket nb "旁边很慢$i")
        until_true "$PATIENCE" has zj "$id"
        took=$(milliseconds_since "$began")
        [ "$took" -le "$worst" ] || worst=$took
    done
    id=$(open_ticket nb 给慢的)
    hand_over nb "$id" hz.zj
    echo "   note    a neighbour's ticket took at most $before ms before, $worst ms beside the slow region"
    at_most "milliseconds of a neighbour's ticket beside a slow region" $((before * 3 + 2000)) "$worst"
    holds "the slow region is still behind meanwhile" behind zj
    within "$PATIENCE" "news overtakes the backlog to the slow region" has hz "$id"
    kill "$cycler" 2>/dev/null
    wait "$cycler" 2>/dev/null
    kill -CONT "$pid"
    within 180 "with all its time it catches up" counts hz 3001
    sound zj hz nb
}

# 90 ms stopped, 10 ms on, until killed.
duty() {
    while kill -STOP "$1" 2>/dev/null; do
        sleep 0.09
        kill -CONT "$1" 2>/dev/null || return 0
        sleep 0.01
    done
}

milliseconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d", (b - a) * 1000 }'; }
has_some() { [ "$(titles "$1" | wc -l)" -ge 50 ]; }
behind() { b "$1" sync status --json | jq -e 'any(.peers[]; .site == "hz.zj" and .toSend > 0)'; }
nothing_missing() { [ -z "$(comm -23 <(ids "$1") <(ids "$2"))" ]; }
drained() { b "$1" sync status --json | jq -e 'all(.peers[]; .isConnected and .toSend == 0)'; }
# Ids of all tickets, sorted.
ids() {
    local offset=0 page
    while page=$(b "$1" ticket list --limit 499 --offset "$offset" --json); do
        jq -r '.items[].id' <<<"$page"
        jq -e .hasMore >/dev/null <<<"$page" || break
        offset=$((offset + 499))
    done | sort
}
