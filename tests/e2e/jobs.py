"""Jobs that follow a script: what a scheduler would say, with the truth known.

The test writes the script, the daemon's source reads it at each tick. What a job
used follows from the script and the clock alone, so that it goes on while the
daemon is dead, as it does in a kernel.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from exporter.core.errors import SourceFaultyError
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

SCHEDULER = "slurm"
_INFO = SourceInfo("script", "workloads", "none", "none", "node")


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the script.

    Attributes:
        job_id: its number.
        user: who runs it.
        account: who pays.
        begin_s: CLOCK_MONOTONIC when it starts.
        end_s: CLOCK_MONOTONIC when it ends; ``None``: not yet.
        cpus: how many CPUs it keeps busy, and has reserved.
        gpus: names of the GPUs it holds.
        name: what its user calls it; empty: after its number.
    """

    job_id: str
    user: str
    account: str
    begin_s: float
    end_s: float | None = None
    cpus: float = 2.0
    gpus: tuple[str, ...] = ()
    name: str = ""

    def cpu_s(self, now_s: float) -> float:
        """CPU time it has used at a moment of CLOCK_MONOTONIC, s."""
        until_s = now_s if self.end_s is None else min(now_s, self.end_s)
        return self.cpus * max(0.0, until_s - self.begin_s)

    def runs(self, now_s: float) -> bool:
        """Whether it runs at a moment of CLOCK_MONOTONIC."""
        return self.begin_s <= now_s and (self.end_s is None or now_s < self.end_s)


def write_script(path: Path, jobs: tuple[Job, ...]) -> None:
    """Replace the script; ended jobs stay in it, as their group remembers them."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps([asdict(job) for job in jobs]), encoding="utf-8")
    new.replace(path)


class ScriptedJobs:
    """The source that reads the script; implements ``core.ports.WorkloadSource``."""

    def __init__(self, script: Path) -> None:
        self._script = script

    @property
    def info(self) -> SourceInfo:
        """A scheduler's jobs; they measure no energy."""
        return _INFO

    def read(self) -> WorkloadsReading:
        """Read the jobs as they are now.

        Raises:
            SourceFaultyError: there is no script.
        """
        try:
            rows = json.loads(self._script.read_bytes())
        except OSError as error:
            msg = f"cannot read {self._script}: {error}"
            raise SourceFaultyError(msg) from error
        jobs = tuple(Job(**{**row, "gpus": tuple(row["gpus"])}) for row in rows)
        now_s = time.monotonic()
        usages = tuple(_usage(job, now_s) for job in jobs if job.runs(now_s))
        group = WorkloadGroup(
            name=SCHEDULER,
            cpu_s=Seconds(sum(job.cpu_s(now_s) for job in jobs)),
            members=tuple(usage.workload for usage in usages),
        )
        return WorkloadsReading(SCHEDULER, usages, (group,))

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""


def _usage(job: Job, now_s: float) -> WorkloadUsage:
    return WorkloadUsage(
        workload=WorkloadId(SCHEDULER, job.job_id),
        cpu_s=Seconds(job.cpu_s(now_s)),
        memory_bytes=Bytes(4 << 30),
        reserved_cpus=job.cpus,
        reserved_memory_bytes=float(8 << 30),
        gpus=tuple(GpuHold(name) for name in job.gpus),
        labels=WorkloadLabels(
            job_id=job.job_id,
            user=job.user,
            account=job.account,
            partition="main",
            info={"name": job.name or f"train-{job.job_id}"},
        ),
        start_unix_s=Seconds(time.time() - (now_s - job.begin_s)),
        time_limit_s=Seconds(3600.0),
    )
