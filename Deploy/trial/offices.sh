# Offices as processes, questions to them, and checks. Sourced by Deploy/trial.sh.
#
# A NODE is a folder, a namespace and a process: zj, hz, xihu. Its site is what it was enrolled for.

declare -A process=()

# b NODE COMMAND…: a command at an office, in its namespace.
b() {
    local node=$1
    shift
    BANJIE_DATA="$root/$node" BANJIE_DEPARTMENT=SVC inside "$node" "$banjie" "$@"
}

listeners() { echo "--listen $(address "$1"):7443 --enrolment $(address "$1"):7444 --advertised-host $(address "$1")"; }

# province NODE: a network and the province in it.
province() {
    network_up
    cable "$1"
    # shellcheck disable=SC2046
    b "$1" init --province --site "$1" --console off $(listeners "$1") --json >/dev/null || broken "init of $1"
    start "$1"
}

# enrol NODE SITE PARENT: a token from the parent, redeemed over the network. The node has its cable already or gets it.
enrol() {
    [ -n "${number[$1]-}" ] || cable "$1"
    b "$3" enrol token new "$2" >"$root/$1.token" || broken "token for $2 from $3"
    # shellcheck disable=SC2046
    b "$1" init --token-file "$root/$1.token" --console off $(listeners "$1") --json >/dev/null \
        || broken "init of $1 with the token of $3"
}
join() { enrol "$@"; start "$1"; within "$PATIENCE" "$1 is connected" connected "$1"; }

start() {
    # Not by `inside`: a function in the background is a shell of its own, and the process is to be the node's.
    ip netns exec "$PREFIX-$1" "$banjie" run --data "$root/$1" >>"$root/$1.log" 2>&1 &
    process[$1]=$!
    until_true 60 is_up "$1" || broken "$1 does not come up: $(tail -n 2 "$root/$1.log")"
}
stop() { kill "${process[$1]}"; wait "${process[$1]}" 2>/dev/null; }
murder() { kill -9 "${process[$1]}"; wait "${process[$1]}" 2>/dev/null; }
freeze() { kill -STOP "${process[$1]}"; }
thaw() { kill -CONT "${process[$1]}"; }

is_up() { [ -S "$root/$1/run/admin.sock" ] && b "$1" sync status --json | jq -e '.isRunning and .addresses.sync != null'; }
connected() { b "$1" sync status --json | jq -e '[.peers[] | select(.role != "child") | .isConnected] | any'; }
disconnected() { b "$1" sync status --json | jq -e '[.peers[] | select(.role != "child") | .isConnected | not] | all'; }

# open_ticket NODE TITLE [OPTION…]: its id. What has an id was acknowledged to the clerk.
open_ticket() {
    local node=$1
    shift
    b "$node" ticket open "$@" --as 小王 --role dispatcher --json | jq -r .ticket.id
}
# hand_over NODE TICKET SITE: the ticket's department there gets it, and with it the site gets the ticket.
hand_over() { b "$1" ticket transfer "$2" --to "NET@$3" --as 小王 --role dispatcher --json >/dev/null; }

status_of() { b "$1" status --json; }
replica_of() { status_of "$1" | jq -r .replica; }
digest_of() { status_of "$1" | jq -r .digest; }
operations_of() { status_of "$1" | jq -r .operations; }
has() { b "$1" ticket show "$2" --json >/dev/null 2>&1; }
has_all() { local node=$1 id; shift; for id in "$@"; do has "$node" "$id" || return 1; done; }
same_ticket() { [ "$(b "$1" ticket show "$3" --json | jq -r .digest)" = "$(b "$2" ticket show "$3" --json | jq -r .digest)" ]; }
# agree NODE NODE…: the digests of all tickets are equal.
agree() { local node first=; for node in "$@"; do first=${first:-$(digest_of "$node")}; [ "$(digest_of "$node")" = "$first" ] || return 1; done; }
quiet() { b "$1" sync status --json | jq -e '[.peers[] | select(.isConnected) | .toSend == 0 and (.toGet // 0) == 0] | all'; }

# Titles of all tickets, a line each, sorted.
titles() {
    local offset=0 page
    while page=$(b "$1" ticket list --limit 499 --offset "$offset" --json); do
        jq -r '.items[].title' <<<"$page"
        jq -e .hasMore >/dev/null <<<"$page" || break
        offset=$((offset + 499))
    done | sort
}
# times NODE TITLE: how many tickets have it.
times() { titles "$1" | grep -cxF -- "$2" || true; }

# Checks. `passed` and `missed` print; the others judge.
passed() { checks=$((checks + 1)); echo "   ok      $1"; }
missed() {
    checks=$((checks + 1))
    failures=$((failures + 1))
    local got=${3//$'\n'/ }
    [ ${#got} -le 400 ] || got="${got:0:400}… (${#got} characters)"
    echo "   FAILED  $1: expected ${2:-nothing}, got ${got:-nothing}"
}
equal() { if [ "$2" = "$3" ]; then passed "$1"; else missed "$1" "$2" "$3"; fi; }
differs() { if [ "$2" != "$3" ]; then passed "$1"; else missed "$1" "another one than $2" "$3"; fi; }
holds() {
    local text=$1 said
    shift
    if said=$("$@" 2>&1); then passed "$text"; else missed "$text" "it to hold" "not ($*; ${said: -300})"; fi
}
at_most() { if [ "$3" -le "$2" ] 2>/dev/null; then passed "$1 ($3)"; else missed "$1" "at most $2" "$3"; fi; }

# until_true SECONDS COMMAND…: polls; false if it did not come about.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}
# within SECONDS TEXT COMMAND…: a check that it comes about in time, and how long it took.
within() {
    local limit=$1 text=$2 began=$EPOCHREALTIME
    shift 2
    if until_true "$limit" "$@"; then passed "$text ($(since "$began") s)"; else missed "$text" "within $limit s" "not yet ($*)"; fi
}
# promptly SECONDS TEXT COMMAND…: the same, but waits on when it is too late, so that the real time is told.
promptly() {
    local limit=$1 text=$2 began=$EPOCHREALTIME took
    shift 2
    until_true "$PATIENCE" "$@" || true
    took=$(since "$began")
    if awk -v took="$took" -v limit="$limit" 'BEGIN { exit !(took <= limit) }'; then passed "$text ($took s)"; else missed "$text" "within $limit s" "$took s"; fi
}
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# What has to work before anything can be tried.
broken() { missed "the scenario goes on" "it to work" "$1"; }

# sound NODE…: doctor finds nothing, and a backup of what is there verifies.
sound() {
    local node report copy
    for node in "$@"; do
        report=$(b "$node" doctor --json | jq -c '[.findings[] | {check, message}]')
        equal "doctor finds nothing at $node" "[]" "$report"
        copy=$root/$node-sound.db
        b "$node" backup create "$copy" --json >/dev/null || broken "backup create at $node"
        holds "a backup of $node verifies" b "$node" backup verify "$copy" --json
        rm -f "$copy"
    done
}
