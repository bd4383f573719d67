"""Jobs that are played: who would be running, without anybody running.

They come through the same port as those of a scheduler. What a real scheduler's
source costs beside, such as reading the cgroup of each job, is not in here.
"""

import time

from exporter.core.model import SourceInfo
from exporter.core.units import Bytes, Seconds
from exporter.core.workload import (
    GpuHold,
    WorkloadGroup,
    WorkloadId,
    WorkloadLabels,
    WorkloadsReading,
    WorkloadUsage,
)

_SCHEDULER = "slurm"
_FIRST_JOB = 4_200_000
_INFO = SourceInfo("bench-jobs", "workloads", "none", "none", "node")


class PlayedJobs:
    """So many jobs that never end; the first ones hold a GPU each.

    Args:
        count: how many jobs.
        gpus: names of the GPUs they hold.
    """

    def __init__(self, count: int, gpus: tuple[str, ...]) -> None:
        self._begin_s = time.monotonic()
        self._start_unix_s = time.time()
        self._jobs = tuple(
            (
                WorkloadId(_SCHEDULER, str(_FIRST_JOB + number)),
                _labels(number),
                (GpuHold(gpus[number]),) if number < len(gpus) else (),
            )
            for number in range(count)
        )

    @property
    def info(self) -> SourceInfo:
        """A scheduler's jobs; they measure no energy."""
        return _INFO

    def read(self) -> WorkloadsReading:
        """Read the jobs; each has used a little more CPU time than before."""
        elapsed_s = time.monotonic() - self._begin_s
        usages = tuple(
            WorkloadUsage(
                workload=workload,
                cpu_s=Seconds(elapsed_s * (number % 7 + 1) / 1000),
                memory_bytes=Bytes((number % 5 + 1) << 20),
                reserved_cpus=1 / len(self._jobs),
                reserved_memory_bytes=float(8 << 20),
                gpus=gpus,
                labels=labels,
                start_unix_s=Seconds(self._start_unix_s),
                time_limit_s=Seconds(86400.0),
            )
            for number, (workload, labels, gpus) in enumerate(self._jobs)
        )
        group = WorkloadGroup(
            "slurm",
            Seconds(sum(usage.cpu_s or 0.0 for usage in usages)),
            tuple(workload for workload, _, _ in self._jobs),
        )
        return WorkloadsReading(_SCHEDULER, usages, (group,))

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""


def _labels(number: int) -> WorkloadLabels:
    return WorkloadLabels(
        job_id=str(_FIRST_JOB + number),
        user=f"user{number % 16:02}",
        account=f"project{number % 4}",
        partition="gpu" if number % 2 else "cpu",
        info={"name": f"train-{number}", "node_list": "node001"},
    )
