"""Processes of a job that were started with its environment.

The batch script's come first: Slurm itself set their environment. Passed over are
slurmstepd, which has slurmd's, and the ``sleep`` of the external step, until there
is nothing else.
"""

import os
from collections.abc import Iterator

from exporter.workloads.environ import processes_below

_STEPD = frozenset({"slurm"})
_MOST_STEPS = 32
_FIRST = ("step_batch", "step_interactive")
_LAST = "step_extern"


def processes_of(job_directory: str) -> Iterator[tuple[int, bool]]:
    """Find processes of a job, the best ones first.

    Args:
        job_directory: the cgroup of the job.

    Yields:
        Process ids, and whether the process runs as the user for certain.
    """
    try:
        with os.scandir(job_directory) as entries:
            steps = [
                entry.name
                for entry in entries
                if entry.name.startswith("step_") and entry.is_dir()
            ]
    except OSError:
        return
    steps.sort(key=_rank)
    for step in steps[:_MOST_STEPS]:
        for pid in processes_below(f"{job_directory}/{step}", _STEPD):
            yield pid, step != _LAST


def _rank(step: str) -> tuple[int, int, str]:
    if step in _FIRST:
        return (0, _FIRST.index(step), step)
    number = step.removeprefix("step_")
    if step == _LAST:
        return (2, 0, step)
    return (1, int(number) if number.isdecimal() else 0, step)
