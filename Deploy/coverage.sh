#!/bin/sh
# Which regions of the cores' code their tests reach. Usage: Deploy/coverage.sh [--json] [--no-test]
# Builds apart from other builds, with counters in the code: minutes, the first time. Prints each file that is not
# reached in whole, and a line a target; with --json an object with the percentage of each target, and the rest on the
# standard error stream. --no-test takes the counters of the last run. Generated code does not count. The exit status is
# 1 if a target is below the aim.
set -eu
cd "$(dirname "$0")/.."
aim=95
targets="Replication Tickets ServiceLevels"
json=0
test=1
for argument in "$@"; do
    case $argument in
    --json) json=1 ;;
    --no-test) test=0 ;;
    *) echo "usage: Deploy/coverage.sh [--json] [--no-test]" >&2; exit 2 ;;
    esac
done
Deploy/packages.sh jq
if [ "$test" -eq 1 ]; then
    Deploy/packages.sh
    BANJIE_CORES=1 swift test --scratch-path .build/coverage --enable-code-coverage >&2
fi
report=$(find .build/coverage/*/debug/codecov -name '*.json' | head -n 1)
[ -n "$report" ] || { echo "coverage.sh: there are no counters yet; leave --no-test out" >&2; exit 1; }

# File, regions, regions that were reached.
rows=$(jq -r --arg here "$PWD/Sources/" '.data[0].files[] | select(.filename | startswith($here) and (endswith(".pb.swift") | not))
    | [(.filename | ltrimstr($here)), .summary.regions.count, .summary.regions.covered] | @tsv' "$report")
status=0
regions=
for target in $targets; do
    printf '%s\n' "$rows" | awk -F '\t' -v target="$target/" \
        'index($1, target) == 1 && $3 < $2 { printf "%6.1f %%  %4d of %4d  %s\n", 100 * $3 / $2, $3, $2, $1 }' | sort -n >&2
    percent=$(printf '%s\n' "$rows" | awk -F '\t' -v target="$target/" \
        'index($1, target) == 1 { all += $2; reached += $3 } END { printf "%.1f", all ? 100 * reached / all : 0 }')
    echo "== $target: $percent % of regions" >&2
    regions="$regions${regions:+,}\"$target\":$percent"
    awk "BEGIN { exit !($percent < $aim) }" && status=1
done
[ "$json" -eq 0 ] || echo "{\"regions\":{$regions},\"aim\":$aim}"
exit $status
