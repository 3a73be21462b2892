#!/bin/sh
# Tries to break what is promised, for as long as it is told, and writes down what was tried.
# Usage: Deploy/prove.sh [--minutes N] [simulation] [disk] [bytes] [frames] [tls]
#   simulation  provinces on virtual time, seed after seed from where the ledger left off (half of the time)
#   disk        the store with every operation of its disk failing in turn (once, whatever it takes)
#   frames      a million malformed HTTP/2 frames at a node's listener, from the seed where the ledger left off (once)
#   tls         sslscan and testssl.sh at a node's listeners (once)
#   bytes       changed bytes at every decoder, under libFuzzer and the address sanitizer (the other half)
# Each part adds a line of JSON to Tests/ledger.jsonl. The exit status is 1 if anything was found: the line says what,
# and the command that shows it again is printed. Building comes before the time.
set -eu
cd "$(dirname "$0")/.."

minutes=10
[ "${1:-}" != --minutes ] || { minutes=$2; shift 2; }
case $minutes in '' | *[!0-9]* | 0) echo "prove.sh: --minutes takes a whole number, at least 1" >&2; exit 2 ;; esac
[ $# -gt 0 ] || set -- simulation disk frames tls bytes
ledger=Tests/ledger.jsonl
steps=20000
frames=1000000
failed=0

Deploy/packages.sh
Deploy/packages.sh jq
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- Sources 2>/dev/null)" ] || revision="$revision+"

# Adds a line: the part, its result, and what else it says of itself as jq's arguments.
enter() {
    part=$1 result=$2
    shift 2
    jq -nc --arg at "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg revision "$revision" --arg part "$part" \
        --arg result "$result" "$@" '{at: $at, revision: $revision, part: $part, result: $result} + $more' >>"$ledger"
    tail -n 1 "$ledger"
    [ "$result" = held ] || failed=1
}

simulation() {
    swift build -c release --product banjie-sim
    first=$(jq -s 'map(select(.part == "simulation") | .lastSeed) | max // 0 | . + 1' "$ledger")
    seed=$first
    log=$(mktemp)
    end=$(($(date +%s) + minutes * 30))
    result=held
    while [ "$(date +%s)" -lt "$end" ]; do
        .build/release/banjie-sim run --seed "$seed" --steps "$steps" --json >>"$log" || { result=violated; break; }
        seed=$((seed + 1))
    done
    more=$(jq -sc --argjson first "$first" '{
        firstSeed: $first, lastSeed: (map(.configuration.seed) | max), seeds: length, steps: (map(.steps) | add),
        operations: (map(.operations) | add), seconds: (map(.seconds) | add | round),
        faults: (map(.counts.faults // {} | to_entries[]) | group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries),
        violations: map(select(.violation != null) | {seed: .configuration.seed, invariant: .violation.invariant})
    }' "$log")
    rm -f "$log"
    enter simulation "$result" --argjson more "$more"
}

disk() {
    swift build --build-tests
    began=$(date +%s)
    if BANJIE_FAULT_POINTS=all swift test --skip-build --filter StoreTests.FaultTests; then result=held; else result=violated; fi
    enter disk "$result" --argjson more "{\"seconds\": $(($(date +%s) - began)), \"points\": \"all\"}"
}

frames() {
    swift build --build-tests
    seed=$(jq -s 'map(select(.part == "frames") | .lastSeed) | max // 0 | . + 1' "$ledger")
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
    targets=$(find Tests/Corpus -mindepth 1 -maxdepth 1 -type d | wc -l)
    seconds=$((minutes * 30 / targets))
    [ "$seconds" -gt 0 ] || seconds=1
    counts=$(mktemp)
    if Deploy/fuzz.sh --seconds "$seconds" --counts "$counts"; then result=held; else result=violated; fi
    enter bytes "$result" --argjson more "$(jq -nRc '{executions: ([inputs | split(" ") | {key: .[0], value: (.[1] | tonumber)}] | from_entries)}' "$counts")"
    rm -f "$counts"
}

touch "$ledger"
for part in "$@"; do
    case $part in
    simulation | disk | frames | tls | bytes) echo "== $part"; "$part" ;;
    *) echo "prove.sh: no such part: $part; there are simulation, disk, frames, tls and bytes" >&2; exit 2 ;;
    esac
done
exit $failed
