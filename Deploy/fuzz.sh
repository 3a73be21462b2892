#!/bin/sh
# Throws changed bytes at every decoder, with libFuzzer and the address sanitizer, and keeps what is new.
# Usage: Deploy/fuzz.sh [--seconds N] [--counts FILE] [TARGET ...]
# N seconds a target (60). The inputs that it starts from and adds to are in Tests/Corpus, a folder a target. A crash is
# left beside them as crash-…, its name is printed, and the exit status is 1: it stays as an input of its target once it
# is mended. --counts writes a line a target, with its executions.
set -eu
cd "$(dirname "$0")/.."
seconds=60
counts=/dev/null
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --counts) counts=$2; shift 2 ;;
    *) break ;;
    esac
done
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(ls Tests/Corpus)

Deploy/packages.sh
echo "== build"
# libFuzzer brings `main`, and looks at the branches of our own code.
BANJIE_FUZZER=1 swift build --scratch-path .build/fuzzer -c release --product banjie-fuzz --sanitize address \
    -Xswiftc -sanitize=fuzzer -Xswiftc -parse-as-library
fuzzer=.build/fuzzer/release/banjie-fuzz
export SWIFT_BACKTRACE=enable=no

failed=0
for target in "$@"; do
    corpus=Tests/Corpus/$target
    [ -d "$corpus" ] || { echo "fuzz.sh: no such target: $target; there are $(ls Tests/Corpus | tr '\n' ' ')" >&2; exit 2; }
    echo "== $target"
    found=$(mktemp -d)
    log=$(mktemp)
    if BANJIE_FUZZ=$target "$fuzzer" "$found" "$corpus" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$corpus/crash-" >"$log" 2>&1
    then
        # Of what is new: that which reaches code nothing kept reaches.
        BANJIE_FUZZ=$target "$fuzzer" -merge=1 "$corpus" "$found" >/dev/null 2>&1 || true
    else
        failed=1
        tail -n 20 "$log" >&2
    fi
    executions=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
    echo "$target ${executions:-0}" | tee -a "$counts"
    rm -rf "$found" "$log"
done
exit $failed
