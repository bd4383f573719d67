"""Sources that play an invented node.

They implement the ports by shape. A clock plays them: at the same time they give
the same reading, so a test with a clock of its own knows every number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.core.errors import SourceError
from exporter.core.forecast import Forecast
from exporter.core.model import Device, Intensity, Reading, SourceInfo
from exporter.core.units import Bytes, Seconds
from exporter.core.workload import GpuHold, NodeUsage, WorkloadsReading, WorkloadUsage
from tests.fakes.node import (
    CPUS,
    GIB,
    GREEN,
    SLURM,
    UNIX_S,
    job_id,
    jobs,
    labels,
    node,
    reading,
)


@dataclass
class FakePower:
    """Devices of constant power, read by a clock; ``failure`` is raised if set."""

    name: str
    monotonic: Callable[[], float]
    power_w: Mapping[Device, float]
    failure: BaseException | None = None
    closed: bool = False

    @property
    def info(self) -> SourceInfo:
        """A measured counter."""
        return SourceInfo(self.name, "cpu", "counter", "measured", "device")

    def read(self) -> tuple[Reading, ...]:
        """Read all devices."""
        if self.failure is not None:
            raise self.failure
        now_s = self.monotonic()
        return tuple(
            reading(device, now_s, power_w * now_s, power_w)
            for device, power_w in self.power_w.items()
        )

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


@dataclass
class FakeNode:
    """A node with a constant number of busy CPUs."""

    monotonic: Callable[[], float]
    busy_cpus: float = 1.0
    cpus: int = CPUS
    memory_bytes: int = 4 * GIB
    failure: SourceError | None = None

    @property
    def info(self) -> SourceInfo:
        """Usage of the node."""
        return SourceInfo("node", "node", "none", "none", "node")

    def read(self) -> NodeUsage:
        """Read how busy it is."""
        if self.failure is not None:
            raise self.failure
        now_s = self.monotonic()
        busy_s = self.busy_cpus * now_s
        return node(now_s, busy_s, cpus=self.cpus, memory_bytes=self.memory_bytes)

    def close(self) -> None:
        """Hold nothing."""


@dataclass(frozen=True)
class FakeJob:
    """A job that keeps some CPUs busy between two moments of the clock.

    ``labels_after_s`` is how long after its start its labels are known.
    """

    key: str
    start_s: float = 0.0
    end_s: float = float("inf")
    busy_cpus: float = 1.0
    reserved_cpus: float = 1.0
    memory_bytes: int = GIB
    reserved_memory_bytes: float = 2.0 * GIB
    gpus: tuple[GpuHold, ...] = ()
    user: str = "ada"
    account: str = "physics"
    labels_after_s: float = 0.0

    def cpu_s(self, now_s: float) -> float:
        """CPU time it has used by then, s."""
        return self.busy_cpus * max(0.0, min(now_s, self.end_s) - self.start_s)


@dataclass
class FakeWorkloads:
    """Plays jobs that start and end by a clock, under one group that counts on."""

    monotonic: Callable[[], float]
    jobs: tuple[FakeJob, ...]
    scheduler: str = SLURM
    failure: SourceError | None = None
    closed: bool = field(default=False)

    @property
    def info(self) -> SourceInfo:
        """A scheduler's jobs; they measure no energy."""
        name = f"fake {self.scheduler}"
        return SourceInfo(name, "workloads", "none", "none", "node")

    def read(self) -> WorkloadsReading:
        """Read the jobs that run now."""
        if self.failure is not None:
            raise self.failure
        now_s = self.monotonic()
        running = [job for job in self.jobs if job.start_s <= now_s < job.end_s]
        return jobs(
            *(self._usage(job, now_s) for job in running),
            group_cpu_s=sum(job.cpu_s(now_s) for job in self.jobs),
            scheduler=self.scheduler,
        )

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _usage(self, job: FakeJob, now_s: float) -> WorkloadUsage:
        known = now_s - job.start_s >= job.labels_after_s
        return WorkloadUsage(
            job_id(job.key, self.scheduler),
            Seconds(job.cpu_s(now_s)),
            Bytes(job.memory_bytes),
            job.reserved_cpus,
            job.reserved_memory_bytes,
            job.gpus,
            labels(job.key, job.user, job.account) if known else None,
            Seconds(UNIX_S + job.start_s),
        )


@dataclass
class FakeIntensity:
    """A figure that a test may change at any time, and what is expected of it."""

    intensity: Intensity = GREEN
    expected: Forecast = ()

    def current(self, unix_s: Seconds) -> Intensity:  # noqa: ARG002 - a figure without time
        """Return the figure."""
        return self.intensity

    def forecast(self, unix_s: Seconds) -> Forecast:  # noqa: ARG002 - a test knows the time
        """Return what is expected."""
        return self.expected
