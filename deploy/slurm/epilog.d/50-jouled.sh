#!/bin/sh
# Slurm Epilog: tell jouled that a job has ended.
#
# Removes what the Prolog wrote, RUN_DIR/slurm/jobs/JOB_ID, and sends the datagram
# "job-end JOB_ID" to RUN_DIR/hooks.sock. Whatever goes wrong is logged; the node goes
# on all the same.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
trap 'exit 0' EXIT

log() {
    echo "jouled-epilog: $1" >&2
    timeout 1 logger -t jouled-epilog -p daemon.warning -- "$1" 2>/dev/null
}

# Where the daemon keeps its state. The file is read, not run: what it says is meant
# for the daemon, and a slip in it must not stop jobs.
run_dir=${JOULED_STATE__RUN_DIR:-}
if [ -z "$run_dir" ] && [ -r /etc/default/jouled ]; then
    while IFS='=' read -r name value || [ -n "$name" ]; do
        [ "$name" = JOULED_STATE__RUN_DIR ] && run_dir=$value
    done </etc/default/jouled
    run_dir=${run_dir#[\"\']}
    run_dir=${run_dir%[\"\']}
fi
run_dir=${run_dir:-/run/jouled}

job=${SLURM_JOB_ID:-}
case $job in
'' | *[!0-9]* | ???????????*)
    log "SLURM_JOB_ID is no job id; left out"
    exit 0
    ;;
esac

if ! cd -P "$run_dir" 2>/dev/null; then
    log "job $job: no directory $run_dir; is jouled running?"
    exit 0
fi

# The directory belongs to the daemon's user and root works in it: links are refused.
# Missing is fine, as the daemon may have tidied up before us.
top=$PWD
if cd -P slurm/jobs 2>/dev/null && [ "$PWD" = "$top/slurm/jobs" ]; then
    rm -f "$job" 2>/dev/null || log "job $job: cannot remove $run_dir/slurm/jobs/$job"
fi
cd "$top" || exit 0

# logger speaks to Unix sockets too, is on every node and costs a fifth of curl. A
# daemon that hangs does not read: hence the timeout. A dead one leaves its socket.
if [ -S hooks.sock ]; then
    timeout 0.1 logger -u hooks.sock -t slurm -- "job-end $job" 2>/dev/null
fi
