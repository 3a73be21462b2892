#!/bin/sh
# Throws changed bytes at every decoder, with libFuzzer and the address sanitizer, and keeps what is new.
# Usage: Deploy/fuzz.sh [--seconds N] [--counts FILE] [--build | --no-build] [TARGET ...]
# N seconds a target (60). The inputs that it starts from and adds to are in Tests/Corpus, a folder a target. A crash is
# left beside them as crash-…, its name is printed, and the exit status is 1: it stays as an input of its target once it
# is mended. --counts writes a line a target, with its executions. --build builds and does nothing else.
# BANJIE_FUZZER_PROGRAM=path is another fuzzer than the one that is built: a copy goes on while a newer one is made.
set -eu
cd "$(dirname "$0")/.."
seconds=60
counts=/dev/null
build=1
run=1
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --counts) counts=$2; shift 2 ;;
    --build) run=0; shift ;;
    --no-build) build=0; shift ;;
    *) break ;;
    esac
done
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(ls Tests/Corpus)

# Apart from other builds, since everything in it has counters of branches and checks of addresses.
fuzzer=${BANJIE_FUZZER_PROGRAM:-.build/fuzzer/release/banjie-fuzz}
if [ "$build" -eq 1 ]; then
    Deploy/packages.sh
    echo "== build of the fuzzer (minutes, the first time)"
    BANJIE_FUZZER=1 swift build --scratch-path .build/fuzzer -c release --product banjie-fuzz --sanitize address \
        -Xswiftc -sanitize=fuzzer -Xswiftc -parse-as-library
fi
[ "$run" -eq 1 ] || exit 0
[ -x "$fuzzer" ] || { echo "fuzz.sh: there is no $fuzzer; leave --no-build out" >&2; exit 1; }
# The runtime's own handler of traps would end the process before libFuzzer can write the input down.
export SWIFT_BACKTRACE=enable=no
# What the address sanitizer does beyond checking addresses takes more time than most decoders:
# - no search for leaks, after each input or at the end: Swift keeps what it has made once, and the search takes nine
#   tenths of the time. What leaks again and again ends at the limit of memory;
# - no stack is kept of where memory was taken, a third of the time: the command that shows a crash again keeps it.
# - what is allocated is not filled with a pattern, up to a fifth of the time;
# - a MiB of freed memory is watched, more than an input has, and not 256: a quarter of the time goes into what is not in
#   the processor's caches.
# No watch over stacks that were left gains nothing.
address=detect_leaks=0:malloc_context_size=0:max_malloc_fill_size=0
address=$address:quarantine_size_mb=1:thread_local_quarantine_size_kb=64

# Bytes that a target takes at most: some times its longest input that was kept. Longer ones are in the tests.
longest() {
    case $1 in
    backup) echo 32768 ;; # A database has pages.
    bundleFile | catalog | certificate | export) echo 8192 ;;
    time) echo 512 ;;
    csv | form | request | zstd) echo 2048 ;;
    *) echo 4096 ;;
    esac
}

# An execution that takes longer is a hang.
hang_seconds=10

# What is found on the way is written and replaced often: in memory where the machine has a file system for that.
scratch=/tmp
[ ! -w /dev/shm ] || scratch=/dev/shm

# Whether what ended a target's fuzzer was no hang: a machine that stands still looks like one, but the input is over in
# time by itself.
is_false_alarm() {
    hang=$(find "$crashes" -type f)
    case $hang in "$crashes"/crash-timeout-*) ;; *) return 1 ;; esac
    BANJIE_FUZZ=$1 ASAN_OPTIONS=$address "$fuzzer" -timeout="$hang_seconds" "$hang" >/dev/null 2>&1 && rm "$hang"
}

failed=0
for target in "$@"; do
    corpus=Tests/Corpus/$target
    [ -d "$corpus" ] || { echo "fuzz.sh: no such target: $target; there are $(ls Tests/Corpus | tr '\n' ' ')" >&2; exit 2; }
    found=$(mktemp -d "$scratch/banjie-fuzz.XXXXXX")
    crashes=$(mktemp -d)
    log=$(mktemp)
    began=$(date +%s)
    # Never 0, which libFuzzer takes for no end.
    left=$seconds
    while
        ended=0
        BANJIE_FUZZ=$target ASAN_OPTIONS=$address "$fuzzer" "$found" "$corpus" -max_len="$(longest "$target")" \
            -max_total_time="$left" -timeout="$hang_seconds" -report_slow_units=1000000 \
            -rss_limit_mb=2048 -detect_leaks=0 -print_final_stats=1 -print_funcs=0 \
            -artifact_prefix="$crashes/crash-" >>"$log" 2>&1 || ended=$?
        left=$((began + seconds - $(date +%s)))
        [ "$ended" -ne 0 ] && is_false_alarm "$target" && ended=0 && [ "$left" -gt 0 ]
    do :; done
    if [ "$ended" -eq 0 ]; then
        # Of what is new: that which reaches code nothing kept reaches, however often.
        BANJIE_FUZZ=$target ASAN_OPTIONS=$address "$fuzzer" -merge=1 -use_counters=0 "$corpus" "$found" >/dev/null 2>&1 || true
    else
        failed=1
        find "$crashes" -type f -exec mv {} "$corpus" \;
        tail -n 40 "$log" >&2
        echo "fuzz.sh: to see it again: ASAN_OPTIONS=detect_leaks=0 BANJIE_FUZZ=$target $fuzzer $corpus/crash-…" >&2
    fi
    executions=$(awk '/stat::number_of_executed_units/ { n += $2 } END { print n + 0 }' "$log")
    echo "$target ${executions:-0}" >>"$counts"
    echo "$target: ${executions:-0} executions, $((${executions:-0} / seconds)) a second," \
        "$(find "$corpus" -type f | wc -l) inputs kept"
    rm -rf "$found" "$crashes" "$log"
done
exit $failed
