#!/usr/bin/env bash
# Tries sync where it has to hold: offices as real processes, each in a network namespace of its own, on lines that are
# cut, lossy or slow, with nodes that are stopped, killed, restored, rolled back and copied, and on disks that lose bits or are full.
# One line for each check, a JSON object at the end, exit code 1 if a check failed. Touches nothing on the machine but
# namespaces named bjt…, the processes in them, and one folder under TMPDIR with a small disk in memory.
#
#   Deploy/trial.sh                    every scenario, as root
#   Deploy/trial.sh --only NAME        this one; may be repeated
#   Deploy/trial.sh --list             their names
#   Deploy/trial.sh --keep             keep folders and logs (those of a failed scenario are kept anyway)
#   BANJIE=path                        the program (otherwise what is built: release, then debug, then PATH)
#   PATIENCE=seconds                   how long what has to come about may take (default 90)
set -euo pipefail
cd "$(dirname "$0")/.."

scenarios=(restore root rollback clone parents lostdisk rot full line slow kill stop loss scope slowpeer)
keep=0
chosen=()
usage() { echo "usage: Deploy/trial.sh [--list] [--keep] [--only NAME]…   NAME: ${scenarios[*]}" >&2; exit 64; }
while [ $# -gt 0 ]; do
    case "$1" in
    --list) printf '%s\n' "${scenarios[@]}"; exit 0 ;;
    --keep) keep=1 ;;
    --only)
        [ $# -ge 2 ] || usage
        case " ${scenarios[*]} " in *" $2 "*) chosen+=("$2") ;; *) usage ;; esac
        shift
        ;;
    *) usage ;;
    esac
    shift
done
[ ${#chosen[@]} -gt 0 ] || chosen=("${scenarios[@]}")

# What is missing, by the package that has it.
lacking=
for pair in ip:iproute2 tc:iproute2 iptables:iptables flock:util-linux jq:jq; do
    command -v "${pair%%:*}" >/dev/null || lacking="$lacking ${pair#*:}"
done
[ "$(id -u)" -eq 0 ] || { echo "trial.sh: network namespaces need root; run it with sudo" >&2; exit 1; }
# shellcheck disable=SC2046,SC2086
[ -z "$lacking" ] || Deploy/packages.sh $(printf '%s\n' $lacking | sort -u)
banjie=${BANJIE:-}
for path in .build/release/banjie .build/debug/banjie "$(command -v banjie || true)"; do
    if [ -z "$banjie" ] && [ -x "$path" ]; then banjie=$path; fi
done
[ -x "$banjie" ] || { echo "trial.sh: no program; build it with swift build, or set BANJIE=path" >&2; exit 1; }
banjie=$(realpath "$banjie")

PATIENCE=${PATIENCE:-90}
here=$PWD/Deploy/trial
# The program is copied, so that a build meanwhile does not change it under the nodes.
base=$(mktemp -d "${TMPDIR:-/tmp}/bjt.XXXXXX")
cp "$banjie" "$base/banjie"
banjie=$base/banjie

# shellcheck source=Deploy/trial/network.sh
. "$here/network.sh"
# shellcheck source=Deploy/trial/offices.sh
. "$here/offices.sh"
# shellcheck source=Deploy/trial/histories.sh
. "$here/histories.sh"
# shellcheck source=Deploy/trial/lines.sh
. "$here/lines.sh"
# shellcheck source=Deploy/trial/processes.sh
. "$here/processes.sh"

kept=()
finish() {
    local status=$?
    trap - EXIT
    network_down
    disks_down
    rm -f "$base/banjie"
    if [ ${#kept[@]} -gt 0 ]; then echo "kept: ${kept[*]}" >&2; else rm -rf "$base"; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

checks=0
failures=0
failed=()
for scenario in "${chosen[@]}"; do
    echo "== $scenario"
    root=$base/$scenario
    mkdir "$root"
    before=$failures
    began=$SECONDS
    # A command that fails is a check that failed, not the end of the trial.
    set +e
    "scenario_$scenario"
    set -e
    network_down
    disks_down
    echo "   ($((SECONDS - began)) s)"
    if [ "$failures" -gt "$before" ]; then failed+=("$scenario"); fi
    if [ "$failures" -gt "$before" ] || [ "$keep" -eq 1 ]; then kept+=("$root"); else rm -rf "$root"; fi
done

jq -cn --argjson checks "$checks" --argjson failures "$failures" --argjson seconds "$SECONDS" \
    --arg ran "${chosen[*]}" --arg failed "${failed[*]-}" --arg version "$(uname -r)" \
    '{checks: $checks, failures: $failures, seconds: $seconds, kernel: $version,
      scenarios: ($ran | split(" ")), failed: ($failed | split(" ") | map(select(. != "")))}'
[ "$failures" -eq 0 ]
