#!/bin/sh
# Slurm Prolog: tell jouled which job begins, whose it is and which GPUs it holds.
#
# Writes RUN_DIR/slurm/jobs/JOB_ID: the variables that slurmd gave this script, as
# KEY=VALUE, each ended by a NUL like in /proc/PID/environ. The time of the file is
# the time of the Prolog. Whatever goes wrong is logged; the job starts all the same.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
trap 'exit 0' EXIT

log() {
    echo "jouled-prolog: $1" >&2
    timeout 1 logger -t jouled-prolog -p daemon.warning -- "$1" 2>/dev/null
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

# The directory belongs to the daemon's user and root writes into it. So it is entered
# step by step, links are refused, and nothing that exists is written to.
if ! cd -P "$run_dir" 2>/dev/null; then
    log "job $job: no directory $run_dir; is jouled running?"
    exit 0
fi
for name in slurm jobs; do
    up=$PWD
    [ -d "$name" ] || {
        mkdir -m 0750 "$name" && chown -h --reference=. "$name"
    } 2>/dev/null
    if ! cd -P "$name" 2>/dev/null || [ "$PWD" != "$up/$name" ]; then
        log "job $job: cannot use $run_dir/slurm/jobs; it has to be a directory"
        exit 0
    fi
done

umask 022
set -C
new=.$job.$$
variables='SLURM_[A-Z0-9_]+|CUDA_VISIBLE_DEVICES|GPU_DEVICE_ORDINAL'
variables="$variables|ROCR_VISIBLE_DEVICES|ZE_AFFINITY_MASK"
# By rename, so that the daemon never sees half of it, and not into a directory.
if ! { grep -z -E "^($variables)=" "/proc/$$/environ" >"$new" &&
    mv -fT "$new" "$job"; } 2>/dev/null; then
    rm -f "$new" 2>/dev/null
    log "job $job: cannot write $run_dir/slurm/jobs/$job"
fi
