#!/bin/sh
# Tries to break what is promised, for as long as it is told, and writes down what was tried.
# Usage: Deploy/prove.sh [--minutes N] [--no-build] [--summary] [--decoder NAME ...] [PART ...]
#   simulation  provinces on virtual time, seed after seed from where the ledger left off
#   kill        a working node that is killed with SIGKILL, again and again, on this folder's disk
#   disk        the store with operations of its disk failing in turn: some of them, or each in an hour's run
#   frames      malformed HTTP/2 frames at a node's listener, from the seed where the ledger left off
#   tls         sslscan and testssl.sh at a node's listeners (once)
#   bytes       changed bytes at the decoders, under libFuzzer and the address sanitizer: at those that --decoder names,
#               or those that the ledger has below their aim, or all; they share the part's time
#   again       the seeds of provinces that were ever violated, once more; only if it is named
#   coverage    which regions of the cores the tests reach; only if it is named, since its build takes minutes
# N minutes (10) are shared by the parts that are named, or by all of them. Building comes before the time.
# Each part adds a line of JSON to Tests/ledger.jsonl, and the ledger's sums are printed at the end; --summary prints only
# those; --no-build takes what is built. The exit status is 1 if anything was found: the line says what, and what shows it
# again is printed. BANJIE_SIM=path is another simulator than the release that is built, BANJIE_FUZZER_PROGRAM=path another
# fuzzer.
set -eu
cd "$(dirname "$0")/.."

minutes=10
only_summary=0
builds=1
decoders=
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:-}; shift; [ $# -eq 0 ] || shift ;;
    --summary) only_summary=1; shift ;;
    --no-build) builds=0; shift ;;
    --decoder) decoders="$decoders ${2:-}"; shift; [ $# -eq 0 ] || shift ;;
    *) break ;;
    esac
done
case $minutes in '' | *[!0-9]* | 0) echo "prove.sh: --minutes takes a whole number, at least 1" >&2; exit 2 ;; esac
ledger=Tests/ledger.jsonl
steps=20000
simulator=${BANJIE_SIM:-.build/release/banjie-sim}
failed=0

Deploy/packages.sh jq
touch "$ledger"
# shellcheck source=Deploy/prove/summary.sh
. Deploy/prove/summary.sh
[ "$only_summary" -eq 0 ] || { summary "$(wc -l <"$ledger")"; exit 0; }
command -v swift >/dev/null || { echo "prove.sh: the Swift toolchain (6.2 or later) has to be on the PATH" >&2; exit 1; }
Deploy/packages.sh
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- Sources 2>/dev/null)" ] || revision="$revision+"

# Seconds of a part: its weight among those of all that are to run.
weight() {
    case $1 in
    simulation) echo 6 ;;
    bytes) echo 6 ;;
    kill | disk) echo 2 ;;
    frames) echo 1 ;;
    *) echo 0 ;;
    esac
}
share() { [ "$weights" -eq 0 ] && echo 0 || echo $((minutes * 60 * $(weight "$1") / weights)); }

# Adds a line: the part, its result, and what else it says of itself as jq's arguments.
enter() {
    part=$1 result=$2
    shift 2
    jq -nc --arg at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg revision "$revision" --arg part "$part" \
        --arg result "$result" "$@" '{at: $at, revision: $revision, part: $part, result: $result} + $more' >>"$ledger"
    tail -n 1 "$ledger"
    [ "$result" = held ] || failed=1
}

# What a part needs, unless it is there: arguments of `swift build`.
build() { [ "$builds" -eq 0 ] || swift build "$@"; }
build_simulator() { [ -n "${BANJIE_SIM:-}" ] || build -c release --product banjie-sim; }

# The first seed that no line of a part has.
next_seed() { jq -s --arg part "$1" 'map(select(.part == $part) | .lastSeed) | max // 0 | . + 1' "$ledger"; }

# Of the simulator's lines: what did not hold, by seed.
violated='def violated: map(select(.violation != null) | {seed: .configuration.seed, invariant: .violation.invariant});'

simulation() {
    build_simulator
    first=$(next_seed simulation)
    log=$(mktemp)
    # No further seed begins when the time is over; what repeats one that fails goes to the terminal.
    status=0
    "$simulator" run --seeds "$first..<$((first + 1000000))" --steps "$steps" --jobs "$(nproc)" --json --no-shrink \
        --minutes "$(jq -n "$(share simulation) / 60")" >"$log" || status=$?
    # One that was told to end (128 and a signal's number) has proved the seeds that it has finished.
    if [ "$status" -eq 0 ] || { [ "$status" -eq 143 ] && jq -se 'all(.violation == null)' "$log" >/dev/null; }
    then result=held; else result=violated; fi
    more=$(jq -sc --argjson first "$first" "$violated"' {
        firstSeed: $first, lastSeed: (map(.configuration.seed) | max), seeds: length, steps: (map(.steps) | add),
        operations: (map(.operations) | add), seconds: (map(.seconds) | add | round),
        faults: (map(.counts.faults // {} | to_entries[]) | group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries),
        violations: violated
    }' "$log")
    rm -f "$log"
    enter simulation "$result" --argjson more "$more"
}

again() {
    build_simulator
    log=$(mktemp)
    result=held
    for seed in $(jq -rs '[.[] | select(.part == "simulation") | .violations[]?.seed] | unique | .[]' "$ledger"); do
        "$simulator" run --seed "$seed" --steps "$steps" --json --no-shrink >>"$log" || result=violated
    done
    more=$(jq -sc "$violated"' {seedsAgain: map(.configuration.seed), steps: (map(.steps) | add), violations: violated}' "$log")
    rm -f "$log"
    enter again "$result" --argjson more "$more"
}

kill_nine() {
    build_simulator
    seed=$(next_seed kill)
    # On the disk that this folder is on: a temporary folder may be in memory.
    folder=$(mktemp -d .build/kill.XXXXXX)
    if report=$("$simulator" kill --seconds "$(share kill)" --cycles 1000000 --seed "$seed" --folder "$folder" --json)
    then
        result=held
        rm -rf "$folder"
    else
        result=violated
    fi
    enter kill "$result" --argjson more \
        "$(printf '%s' "$report" | jq -c '.tally + {lastSeed: .seed, seconds: (.seconds | round), isInMemory, violation}')"
}

disk() {
    build --build-tests
    # All of them take an hour's share; what fits into less is drawn by the next seed.
    points_a_second=8 kinds=8
    seconds=$(share disk)
    seed=$(next_seed disk)
    points=$((seconds * points_a_second / kinds))
    [ "$seconds" -lt 400 ] || points=all
    report=$(mktemp)
    began=$(date +%s)
    if BANJIE_FAULT_POINTS=$points BANJIE_FAULT_SEED=$seed BANJIE_FAULT_REPORT=$report \
        swift test --skip-build --filter StoreTests.FaultTests
    then result=held; else result=violated; fi
    enter disk "$result" --argjson more "$(jq -sc --argjson seed "$seed" --arg points "$points" \
        --argjson seconds $(($(date +%s) - began)) '{
            lastSeed: $seed, seconds: $seconds, points: ($points | tonumber? // .),
            kinds: (map({key: .kind, value: .points}) | from_entries), failed: (map(.failed) | add)}' "$report")"
    rm -f "$report"
}

frames() {
    build --build-tests
    frames_a_second=5000
    frames=$(($(share frames) * frames_a_second))
    seed=$(next_seed frames)
    report=$(mktemp)
    if BANJIE_FRAMES=$frames BANJIE_FRAMES_SEED=$seed BANJIE_FRAMES_REPORT=$report \
        swift test --skip-build --filter ConformanceTests.MalformedFrameTests; then result=held; else result=violated; fi
    # Without a report the process has died: the first seed leads there.
    [ -s "$report" ] || echo "{\"firstSeed\": $seed, \"lastSeed\": $((seed - 1)), \"crashed\": true}" >"$report"
    enter frames "$result" --argjson more "$(jq -c '.seconds = ((.seconds // 0) | round)' "$report")"
    rm -f "$report"
}

tls() {
    counts=$(mktemp)
    began=$(date +%s)
    if Deploy/tls-scan.sh --counts "$counts"; then result=held; else result=violated; fi
    enter tls "$result" --argjson more "$(jq -nRc --argjson seconds $(($(date +%s) - began)) '{seconds: $seconds, findings: ([inputs | split(" ") | {key: .[0], value: (.[1] | tonumber)}] | from_entries)}' "$counts")"
    rm -f "$counts"
}

bytes() {
    [ "$builds" -eq 0 ] || Deploy/fuzz.sh --build
    [ -n "$decoders" ] || decoders=$(below_aim)
    # shellcheck disable=SC2086
    set -- $decoders
    seconds=$(($(share bytes) / $#))
    [ "$seconds" -gt 0 ] || seconds=1
    counts=$(mktemp)
    if Deploy/fuzz.sh --no-build --seconds "$seconds" --counts "$counts" "$@"; then result=held; else result=violated; fi
    enter bytes "$result" --argjson more "$(jq -nRc '{executions: ([inputs | split(" ") | {key: .[0], value: (.[1] | tonumber)}] | from_entries)}' "$counts")"
    rm -f "$counts"
}

# Holds if the tests do; what is below the aim shows in the summary.
coverage() {
    report=$(Deploy/coverage.sh --json) || true
    if [ -n "$report" ]; then result=held; else result=violated report='{}'; fi
    enter coverage "$result" --argjson more "$report"
}

[ $# -gt 0 ] || set -- simulation kill disk frames tls bytes
for decoder in $decoders; do
    [ -d "Tests/Corpus/$decoder" ] || { echo "prove.sh: no such decoder: $decoder; there are" $(ls Tests/Corpus) >&2; exit 2; }
done
weights=0
for part in "$@"; do
    case $part in
    simulation | again | kill | disk | frames | tls | bytes | coverage) weights=$((weights + $(weight "$part"))) ;;
    *) echo "prove.sh: no such part: $part; there are simulation, again, kill, disk, frames, tls, bytes and coverage" >&2; exit 2 ;;
    esac
done
before=$(wc -l <"$ledger")
for part in "$@"; do
    seconds=$(share "$part")
    [ "$seconds" -eq 0 ] && echo "== $part" || echo "== $part, $seconds s"
    case $part in
    kill) kill_nine ;;
    *) "$part" ;;
    esac
done
summary "$before"
exit $failed
