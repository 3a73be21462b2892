#!/usr/bin/env bash
# Sets Banjie beside what one would otherwise take: the same operations from A to B through two nodes, PostgreSQL's
# logical replication, Loro, pycrdt, git and Fossil, in turn with bare SQLite, and TLS and HTTP/2 with nothing behind
# them. Prints tables of ratios; writes Deploy/compare/figures.json, figures.svg and README's part between its markers.
#
#   Deploy/compare.sh [--rounds N] [--json FILE]   200,000 operations, 5 rounds: about half an hour on two cores
#   Deploy/compare.sh --quick                      5,000 operations, one round, for trying; leaves README as it is
#   Deploy/compare.sh --render                     measures nothing: table and picture from figures.json
#   BANJIE_BENCH=PATH                              measure with this banjie-bench, build nothing
#   TMPDIR=PATH                                    where to work: on the disk that is meant, with 4 GiB free
#
# Nothing listens outside 127.0.0.1, and everything is gone at the end; but installing Debian's postgresql-15 starts a
# server of Debian's own, which stays (on 127.0.0.1 too, and not used here).
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONDONTWRITEBYTECODE=1
python=/usr/bin/python3
case " $* " in
*" --render "* | *" --help "* | *" -h "*)
    Deploy/packages.sh python3
    exec $python Deploy/compare/compare.py "$@"
    ;;
esac

Deploy/packages.sh python3 openssl
# A peer whose package cannot be had says so itself, and the others are measured.
for packages in postgresql-15 iproute2 "nghttp2-server nghttp2-client" git fossil python3-venv; do
    # shellcheck disable=SC2086
    Deploy/packages.sh $packages || echo "compare.sh: not installed: $packages" >&2
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/banjie-compare.XXXXXX")
job=
finish() {
    local status=$?
    trap - EXIT
    if [ -n "$job" ]; then
        kill -TERM "$job" 2>/dev/null || true
        wait "$job" 2>/dev/null || true
    fi
    # A server that has just been told to end may still be writing there.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$scratch" 2>/dev/null && break
        sleep 1
    done
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
case $(stat -f -c %T "$scratch") in
tmpfs | ramfs)
    echo "compare.sh: $scratch is in memory, where nothing waits for a disk; set TMPDIR to a folder on one" >&2
    exit 1
    ;;
esac
# PostgreSQL's user has to come through it; keys lie in a closed folder.
chmod 755 "$scratch"

if [ -n "${BANJIE_BENCH:-}" ]; then
    bench=$(realpath "$BANJIE_BENCH")
else
    command -v swift >/dev/null || {
        echo "compare.sh: the Swift toolchain (6.2 or later) has to be on the PATH" >&2
        exit 1
    }
    Deploy/packages.sh
    echo "== build (release)"
    swift build -c release --product banjie-bench --quiet
    bench="$(swift build -c release --show-bin-path)/banjie-bench"
fi
# A copy, so that a build meanwhile does not change it between rounds.
cp "$bench" "$scratch/banjie-bench"

echo "== libraries"
libraries=$scratch/python
$python -m venv "$libraries" || echo "compare.sh: no virtual environment for Loro and pycrdt" >&2
while read -r library; do
    "$libraries/bin/pip" install --quiet --only-binary=:all: "$library" ||
        echo "compare.sh: not installed: $library" >&2
done <Deploy/compare/requirements.txt

echo "== rounds"
# In the background and waited for, so that a signal reaches the trap at once.
$python Deploy/compare/compare.py --bench "$scratch/banjie-bench" --python "$libraries/bin/python" \
    --scratch "$scratch" "$@" &
job=$!
wait "$job" && status=0 || status=$?
job=
exit "$status"
