#!/usr/bin/env bash
# Install Debian or Ubuntu packages without starting the services they bring.
#
# Usage: scripts/apt-install.sh PACKAGE...
# Without root, or without apt-get, says what to install and fails.
set -euo pipefail

if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "missing on this machine: $*" >&2
    echo "Install with: sudo apt-get install --no-install-recommends $*" >&2
    exit 1
fi

# invoke-rc.d asks this file whether it may start a service; 101 is "no".
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

echo "installing with apt-get: $*"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --yes --no-install-recommends "$@" >/dev/null

# Not started now, and not at the next boot either.
if [[ -d /run/systemd/system ]]; then
    for package in "$@"; do
        dpkg-query --listfiles "$package" |
            sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.(service|timer))$#\2#p' |
            xargs --no-run-if-empty systemctl disable --quiet
    done
fi
