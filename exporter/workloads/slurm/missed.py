"""What was missed while no daemon read: from the Epilog's files to readings.

A job whose end is on file and that does not run again is told of as one that has just
ended, with the moment of its end, so that it is charged until then. That is so of one
too that began after the daemon had died: its drop file is still there.
"""

from collections.abc import Callable

from exporter.core.units import Seconds
from exporter.core.workload import (
    MissedReading,
    WorkloadGroup,
    WorkloadId,
    WorkloadUsage,
)
from exporter.workloads.slurm.end_records import EndRecord, EndRecords
from exporter.workloads.slurm.job import GROUP, SCHEDULER
from exporter.workloads.slurm.registry import JobRegistry
from exporter.workloads.slurm.tree import JobPlace


def catch_up(
    ends: EndRecords, jobs: JobRegistry, now_s: float, unix_s: float
) -> tuple[MissedReading, ...]:
    """Take in what the Epilog wrote down while nothing was read.

    Args:
        ends: its files.
        jobs: gets those that ended meanwhile.
        now_s: CLOCK_MONOTONIC, s.
        unix_s: the wall clock, by which the files are dated, s.
    """
    boot_unix_s = unix_s - now_s
    missed: list[MissedReading] = []
    for record in ends.read():
        time_s = Seconds(record.end_unix_s - boot_unix_s)
        if time_s < now_s:
            jobs.add_ended(record, now_s)
            missed.append(_missed_reading(record, time_s, jobs.id_at))
    return tuple(missed)


def _missed_reading(
    record: EndRecord, time_s: Seconds, name: Callable[[JobPlace], str]
) -> MissedReading:
    counts_s: dict[str, float] = {}
    for place, cpu_s in record.jobs_s.items():
        key = name(place)
        # A cgroup that is about to go belongs to the past of its job.
        if key != record.job_id:
            counts_s[key] = counts_s.get(key, 0.0) + cpu_s
    running = [
        WorkloadUsage(WorkloadId(SCHEDULER, key), Seconds(cpu_s))
        for key, cpu_s in counts_s.items()
    ]
    ended = WorkloadUsage(WorkloadId(SCHEDULER, record.job_id), None)
    usages = (*running, ended)
    members = tuple(usage.workload for usage in usages)
    group = WorkloadGroup(GROUP, Seconds(max(0.0, record.roots_s)), members)
    return MissedReading(time_s, usages, (group,))
