#!/bin/sh
# Throws changed bytes at every decoder, with libFuzzer and the address sanitizer, and keeps what is new.
# Usage: Deploy/fuzz.sh [--minutes N] [TARGET ...]
# The inputs that it starts from and adds to are in Tests/Corpus, a folder a target. A crash is left beside them as
# crash-…, its name is printed, and the exit status is 1: keep it as an input of its target once it is mended.
set -eu
cd "$(dirname "$0")/.."
minutes=1
[ "${1:-}" != --minutes ] || { minutes=$2; shift 2; }
[ $# -gt 0 ] || set -- $(ls Tests/Corpus)

Deploy/packages.sh
echo "== build"
export BANJIE_FUZZER=1
swift build --scratch-path .build/fuzzer -c release --product banjie-fuzz --sanitize address \
    -Xswiftc -sanitize=fuzzer -Xswiftc -parse-as-library

failed=0
for target in "$@"; do
    [ -d "Tests/Corpus/$target" ] || { echo "fuzz.sh: no such target: $target; one of $(ls Tests/Corpus | tr '\n' ' ')" >&2; exit 2; }
    echo "== $target"
    found=$(mktemp -d)
    if BANJIE_FUZZ=$target SWIFT_BACKTRACE=enable=no .build/fuzzer/release/banjie-fuzz "$found" "Tests/Corpus/$target" \
        -max_total_time=$((minutes * 60)) -max_len=16384 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="Tests/Corpus/$target/crash-" >"$found.log" 2>&1
    then
        # What reaches code that no kept input reaches, and no more than that.
        BANJIE_FUZZ=$target .build/fuzzer/release/banjie-fuzz -merge=1 "Tests/Corpus/$target" "$found" >/dev/null 2>&1 || true
        grep -E "stat::number_of_executed_units|stat::peak_rss_mb" "$found.log"
    else
        failed=1
        tail -n 20 "$found.log" >&2
    fi
    rm -rf "$found" "$found.log"
done
exit $failed
