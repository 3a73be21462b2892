#!/usr/bin/env bash
# What a stranger's scanner finds at a node's listeners: sslscan and testssl.sh against sync, enrolment and console of a
# throw-away province. Fails on whatever is graded above "info". Takes about four minutes.
#
#   Deploy/tls-scan.sh             build and scan
#   --counts FILE                  write there how many findings testssl.sh has of each severity, the expected ones
#                                  included, and how many of all were not expected
#   BANJIE_BUILD=debug             use the debug build instead of the release build
#   BANJIE_BINARY=PATH             scan this program, build nothing
set -euo pipefail
cd "$(dirname "$0")/.."

counts=
[ "${1:-}" != --counts ] || { counts=$(realpath "$2"); shift 2; }
[ $# -eq 0 ] || { echo "tls-scan.sh: takes --counts FILE and nothing else" >&2; exit 2; }

# Findings that are how it is meant; everything else above "info" fails. `*` is any listener.
# The certificates come from the province's own authority (the console's from nobody, until a site puts one in place),
# so no public root leads to them, and what a node is called is a URI, which is not where it listens.
# Leaves live 30 days and are renewed after 20; lists of revoked ones travel with the sync and not over HTTP.
# testssl's own openssl has no GOST, and it knows no HTTP but 1.1, which is refused.
expected='
* engine_problem
* service
* cert_chain_of_trust
* cert_revocation
sync cert_trust
sync cert_expirationStatus
sync cert_notAfter
enrolment cert_trust
enrolment cert_expirationStatus
enrolment cert_notAfter
'

Deploy/packages.sh sslscan testssl.sh jq
if [ -n "${BANJIE_BINARY:-}" ]; then
    banjie=$BANJIE_BINARY
else
    Deploy/packages.sh
    configuration=${BANJIE_BUILD:-release}
    echo "== build ($configuration)"
    swift build -c "$configuration" --product banjie --quiet
    banjie="$(swift build -c "$configuration" --show-bin-path)/banjie"
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/banjie-scan.XXXXXX")
node=
finish() {
    local status=$?
    [ -z "$node" ] || kill "$node" 2>/dev/null || true
    wait 2>/dev/null || true
    if [ "$status" -eq 0 ]; then rm -rf "$root"; else echo "reports are kept in $root" >&2; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

export BANJIE_DATA="$root/data"
"$banjie" init --province --site zj --listen 127.0.0.1:0 --enrolment 127.0.0.1:0 --console 127.0.0.1:0 >/dev/null
"$banjie" run >"$root/node.log" 2>&1 &
node=$!
address() { "$banjie" sync status --json 2>/dev/null | jq -er ".addresses.$1"; }
end=$((SECONDS + 20))
until address console >/dev/null; do
    [ "$SECONDS" -lt "$end" ] || { echo "tls-scan.sh: the node did not come up: see $root/node.log" >&2; exit 1; }
    sleep 0.1
done

failures=0
fail() {
    echo "   ✗ $1"
    failures=$((failures + 1))
}

# sslscan LISTENER: TLS 1.3 alone, its ciphers alone, no group below 128 bits or of finite fields.
scan_ssl() {
    local name=$1 report="$root/sslscan-$1.txt"
    sslscan --no-colour "$(address "$name")" >"$report" 2>&1
    [ "$(awk '$2 == "enabled" { print $1 }' "$report")" = TLSv1.3 ] || fail "$name: sslscan: not TLS 1.3 alone"
    grep -q '^Session renegotiation not supported$' "$report" || fail "$name: sslscan: renegotiation"
    ! grep -q '^Compression enabled' "$report" || fail "$name: sslscan: compression"
    ! grep 'vulnerable to heartbleed' "$report" | grep -qv ' not vulnerable' || fail "$name: sslscan: heartbleed"
    local weak
    weak=$(awk '/^(Preferred|Accepted)/ && ($2 != "TLSv1.3" || $3 < 128)' "$report")
    [ -z "$weak" ] || fail "$name: sslscan: $weak"
    weak=$(awk '/Key Exchange Group/ { on = 1; next } on && NF == 0 { on = 0 } on && ($2 < 128 || /ffdhe/)' "$report")
    [ -z "$weak" ] || fail "$name: sslscan: weak or costly group: $weak"
}

# testssl LISTENER: everything it checks.
scan_testssl() {
    local name=$1 report="$root/testssl-$1.json"
    testssl --quiet --color 0 --warnings off --nodns none --connect-timeout 5 --openssl-timeout 5 \
        --jsonfile "$report" "$(address "$name")" >"$root/testssl-$name.txt" 2>&1 || true
    # A scan that did not take place has no findings either.
    jq -e 'any(.[]; .id == "TLS1_3" and .severity == "OK")' "$report" >/dev/null || fail "$name: testssl saw no TLS 1.3"
    local severity id finding
    while IFS=$'\t' read -r severity id finding; do
        if ! grep -qx -e "\* $id" -e "$name $id" <<<"$expected"; then fail "$name: testssl: $severity $id: $finding"; fi
    done < <(jq -r '.[] | select(.severity != "OK" and .severity != "INFO") | [.severity, .id, .finding] | @tsv' "$report")
}

for name in sync enrolment console; do
    echo "== $name"
    before=$failures
    scan_ssl "$name"
    scan_testssl "$name"
    [ "$failures" -ne "$before" ] || echo "   ✓ nothing above info"
done
# The node has met nothing but strangers, and is still there.
"$banjie" sync status --json | jq -e '.isRunning' >/dev/null || fail "the node does not run any more"
if [ -n "$counts" ]; then
    jq -r '.[].severity' "$root"/testssl-*.json | sort | uniq -c | awk '{ print $2, $1 }' >"$counts"
    echo "unexpected $failures" >>"$counts"
fi
[ "$failures" -eq 0 ]
