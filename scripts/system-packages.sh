#!/usr/bin/env bash
# Install the real peers that the tests and the bench start by hand.
#
# Usage: scripts/system-packages.sh [PACKAGE...]     by default all of them
#
# As root whatever is missing gets installed; otherwise the missing packages are
# named and this fails. ANYWAY=1 goes on without them, and the tests that need them
# say so.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=" $* "
missing=()
needs() {
    local package=$1
    shift
    if [[ $wanted == "  " || $wanted == *" $package "* ]]; then
        "$@" >/dev/null 2>&1 || missing+=("$package")
    fi
}

needs prometheus which prometheus promtool
needs prometheus-alertmanager which prometheus-alertmanager
needs prometheus-node-exporter which prometheus-node-exporter
needs chromium which chromium
needs openssl which openssl
needs tzdata test -e /usr/share/zoneinfo/Europe/Berlin
needs gcc which gcc
needs libc6-dev test -e /usr/include/features.h
# A Slurm cluster of one node. These live where only root looks for programs.
needs munge test -x /usr/sbin/munged
needs slurm-wlm test -x /usr/sbin/slurmctld -a -x /usr/sbin/slurmd
needs slurmrestd test -x /usr/sbin/slurmrestd
# What the scripts in deploy/ are checked with.
needs curl which curl
needs dash which dash
# The types of Grafana's dashboards and rules of accessibility come from npm.
needs nodejs which node
needs npm which npm
# A container, to see a pod of the chart at work.
needs runc test -x /usr/sbin/runc
needs shellcheck which shellcheck
needs systemd which systemd-analyze

if [[ ${#missing[@]} == 0 ]]; then
    exit
fi
if [[ -n ${ANYWAY:-} ]]; then
    echo "going on without: ${missing[*]}" >&2
    exit
fi
if ! scripts/apt-install.sh "${missing[@]}"; then
    echo "To go on without them set ANYWAY=1." >&2
    exit 1
fi
