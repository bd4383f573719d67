#!/bin/sh
# Slurm Epilog: tell jouled that a job has ended.
#
# Sends the datagram "job-end JOB_ID" to RUN_DIR/hooks.sock and removes what the Prolog
# wrote, RUN_DIR/slurm/jobs/JOB_ID. If no daemon listens, it writes down what Slurm's
# cgroups have counted till now, RUN_DIR/slurm/ended/JOB_ID.N, and leaves the Prolog's
# file too. Whatever goes wrong is logged; the node goes on all the same.

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

# logger speaks to Unix sockets too, is on every node and costs a fifth of curl. A
# daemon that hangs does not read: hence the timeout. A dead one leaves its socket.
is_heard=
if [ -S hooks.sock ]; then
    timeout 0.1 logger --socket-errors=on -u hooks.sock -t slurm -- "job-end $job" \
        2>/dev/null && is_heard=1
fi

# The directory belongs to the daemon's user and root works in it: links are refused,
# step by step, and nothing that exists is written to.
top=$PWD
enter() {
    cd -P "$top" || return
    for name in slurm "$1"; do
        up=$PWD
        [ -z "$2" ] || [ -d "$name" ] || {
            mkdir -m 0750 "$name" && chown -h --reference=. "$name"
        } 2>/dev/null
        cd -P "$name" 2>/dev/null && [ "$PWD" = "$up/$name" ] || return
    done
}

# The job's own cgroup is gone: what it used is what those above it have counted, less
# what the jobs that live on have. The roots come first and last, because jobs go on
# while this is read.
count() {
    if cd /sys/fs/cgroup/cpuacct 2>/dev/null && set -- slurm*/cpuacct.usage &&
        [ -e "$1" ]; then
        show "$@" slurm*/*/cpuacct.usage slurm*/uid_*/job_*/cpuacct.usage "$@"
        return
    fi
    cd /sys/fs/cgroup/unified 2>/dev/null || cd /sys/fs/cgroup || return
    set -- *.slice/*slurmstepd.scope/cpu.stat
    # shellcheck disable=SC2035 # show takes no options
    show "$@" *.slice/*slurmstepd.scope/*/cpu.stat "$@"
}
show() {
    for file; do
        read -r line <"$file" || continue
        printf '%s:%s\n' "$file" "$line" || return
    done
}

is_written=
if [ -z "$is_heard" ]; then
    umask 022
    set -C
    if ! enter ended make; then
        log "job $job: cannot use $run_dir/slurm/ended; it has to be a directory"
    elif set -- * && [ $# -lt 1000 ]; then
        new=.$job.$$
        if (count) 2>/dev/null >"$new" && mv -fT "$new" "$job.$$" 2>/dev/null; then
            is_written=1
        else
            rm -f "$new" 2>/dev/null
            log "job $job: cannot write $run_dir/slurm/ended/$job.$$"
        fi
    fi
fi

# Missing is fine, as the daemon may have tidied up before us.
if [ -z "$is_written" ] && enter jobs ''; then
    rm -f "$job" 2>/dev/null || log "job $job: cannot remove $run_dir/slurm/jobs/$job"
fi
