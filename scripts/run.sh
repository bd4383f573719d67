#!/usr/bin/env bash
# Start the daemon in the foreground, for a look at it on this machine.
#
# Usage: scripts/run.sh [FLAG...]
# It listens on the loopback only. Without root its state goes to the user's own
# directories (XDG), and CPU counters may be unreadable: see README, "RAPL permissions".
set -euo pipefail
cd "$(dirname "$0")/.."

address=${JOULED_WEB__LISTEN_ADDRESS:-127.0.0.1:9878}
if [[ $* != *--web.listen-address* ]]; then
    echo "jouled: look at http://$address/ (metrics: http://$address/metrics); Ctrl-C ends it"
fi
export JOULED_WEB__LISTEN_ADDRESS=$address
exec .venv/bin/jouled run "$@"
