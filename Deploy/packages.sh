#!/bin/sh
# Installs what the project needs from Debian and is not there yet. Usage: Deploy/packages.sh PACKAGE...
# Without arguments: what building needs.
set -eu

[ $# -gt 0 ] || set -- libsqlite3-dev libnghttp2-dev libssl-dev libzstd-dev libjemalloc-dev pkg-config

missing=
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "packages.sh: install$missing as root, then run this again" >&2; exit 1; }
    as_root=sudo
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
