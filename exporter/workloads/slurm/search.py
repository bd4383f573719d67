"""Reads the environment of a process of a job: gently, and from a real one.

A job may not have a process yet, or none that Slurm started with its environment,
so there are several tries with growing pauses. In a tick they may cost only so much
in all; who does not get a turn is tried in the next one. What counts is their CPU
time: many jobs begin at once just when the CPUs are busy, and a search that has to
wait for one is not to blame. The time on the clock is bounded more generously.
"""

import time
from collections.abc import Callable
from pathlib import Path

from exporter.core.errors import SourceDeniedError
from exporter.workloads.doubts import Doubts
from exporter.workloads.environ import owner_of, read_environ
from exporter.workloads.slurm.facts import VARIABLES, Environment, text_of
from exporter.workloads.slurm.job import Job
from exporter.workloads.slurm.steps import processes_of

_MOST_CPU_S_PER_TICK = 0.010
_LONGEST_S_PER_TICK = 0.100
_MOST_PROCESSES = 6
# Capabilities do not come to a running process; but processes differ in what
# they let others see, so a refusal does not hold for ever.
_DENIED_FOR_S = 60.0


class EnvironmentSearch:
    """Looks for environments of the jobs that were given to it.

    Args:
        procfs: where processes are looked up.
        doubts: is told if environments may not be read.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self, procfs: Path, doubts: Doubts, monotonic: Callable[[], float]
    ) -> None:
        self._procfs = procfs
        self._doubts = doubts
        self._monotonic = monotonic
        self._waiting: dict[Job, None] = {}
        self._denied_until_s = 0.0

    def add(self, job: Job) -> None:
        """Look for an environment of this job too."""
        self._waiting[job] = None

    def remove(self, job: Job) -> None:
        """Look for it no more."""
        self._waiting.pop(job, None)

    @property
    def is_allowed(self) -> bool:
        """Whether there is hope: they may be read, as far as is known."""
        return self._monotonic() >= self._denied_until_s

    def search(self, now_s: float) -> list[Job]:
        """Try those whose turn it is; return whose environment was found.

        Args:
            now_s: CLOCK_MONOTONIC, s.
        """
        found: list[Job] = []
        if not self._waiting or now_s < self._denied_until_s:
            return found
        end_cpu_s = time.thread_time() + _MOST_CPU_S_PER_TICK
        end_s = time.perf_counter() + _LONGEST_S_PER_TICK
        for job in list(self._waiting):
            if not job.told.may_learn:
                self.remove(job)
            elif now_s >= job.next_search_s:
                try:
                    job.told.environment = self._find(job)
                except SourceDeniedError as error:
                    self._denied_until_s = now_s + _DENIED_FOR_S
                    self._doubts.tell(
                        "denied",
                        "environments",
                        f"{error}; until then, names and GPUs of jobs are known "
                        "only from the Prolog",
                    )
                    break
                if job.told.environment is None:
                    job.search_later(now_s)
                else:
                    self.remove(job)
                    self._doubts.settle("environments")
                    found.append(job)
                if time.thread_time() >= end_cpu_s or time.perf_counter() >= end_s:
                    break
        return found

    def _find(self, job: Job) -> Environment | None:
        left = _MOST_PROCESSES
        for directory in job.cgroups.directories:
            for pid, is_users in processes_of(directory):
                if is_users and job.uid is None:
                    job.uid = owner_of(self._procfs, pid)
                environment = read_environ(self._procfs, pid, VARIABLES)
                if environment is not None and _is_of(environment, job):
                    return environment
                left -= 1
                if left == 0:
                    return None
        return None


def _is_of(environment: Environment, job: Job) -> bool:
    """Whether Slurm set it for this job; a process may have been given another."""
    if job.sluid and text_of(environment, "SLURM_JOB_SLUID") not in ("", job.sluid):
        return False
    job_id = text_of(environment, "SLURM_JOB_ID")
    return job_id == job.job_id if job.job_id else job_id.isdecimal()
