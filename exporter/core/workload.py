"""Who is running on the node, and what each has used and holds.

Part of the values that flow through the daemon: what ``model.py`` says of clocks,
absence and identities holds here too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from exporter.core.units import Bytes, Ratio, Seconds

NO_LABELS: Mapping[str, str] = MappingProxyType({})
NO_ACTIVITY: Mapping[str, float] = MappingProxyType({})


class WorkloadId(NamedTuple):
    """A Slurm job or a pod on this node; ``key`` never names two in one boot."""

    scheduler: str
    key: str


@dataclass(frozen=True, slots=True)
class WorkloadLabels:
    """The labels of a job's series, frozen at its first export.

    ``info`` holds the further labels of ``job_info`` (name, node list …).
    """

    job_id: str
    user: str = ""
    account: str = ""
    partition: str = ""
    namespace: str = ""
    pod: str = ""
    info: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)

    @property
    def tenant(self) -> str:
        """Who pays: the Slurm account or the Kubernetes namespace."""
        return self.account or self.namespace


@dataclass(frozen=True, slots=True)
class GpuHold:
    """A workload's hold on one GPU.

    Attributes:
        device: ``DeviceId.name`` of the GPU.
        share: the part of the GPU it reserved, 0 < share <= 1.
        activity: the part of the whole GPU that it kept busy in this tick, 0..1;
            ``None`` where nothing tells.
        instance: UUID of the MIG instance it holds, wholly or in part; "" for the GPU.
    """

    device: str
    share: Ratio = Ratio(1.0)
    activity: Ratio | None = None
    instance: str = ""


class GpuUse(NamedTuple):
    """How a workload used the GPUs it held, in GPU-seconds: share times time.

    Attributes:
        held_s: while it held them.
        known_s: the part of ``held_s`` in which they told how busy they were.
        busy_s: their utilisation, integrated over ``known_s``.
        idle_s: the part of ``known_s`` in which they did nothing at all.
    """

    held_s: float = 0.0
    known_s: float = 0.0
    busy_s: float = 0.0
    idle_s: float = 0.0

    @property
    def utilization(self) -> Ratio | None:
        """Mean utilisation while it was known; ``None`` if it never was."""
        return Ratio(min(1.0, self.busy_s / self.known_s)) if self.known_s > 0 else None

    def plus(self, held_s: float, utilization: Ratio | None) -> "GpuUse":
        """Add a time in which a GPU was held, and how busy it was meanwhile.

        Args:
            held_s: share times time, s, >= 0.
            utilization: mean utilisation of the GPU; ``None`` if unknown.
        """
        if utilization is None:
            return self._replace(held_s=self.held_s + held_s)
        return GpuUse(
            self.held_s + held_s,
            self.known_s + held_s,
            self.busy_s + held_s * utilization,
            self.idle_s if utilization > 0 else self.idle_s + held_s,
        )


@dataclass(frozen=True, slots=True)
class WorkloadUsage:
    """What one workload has used and holds.

    Attributes:
        workload: whose usage it is.
        cpu_s: CPU time since it started, s, cumulative; ``None`` when its
            cgroup is gone and only its group's counter knows.
        memory_bytes: anonymous resident memory; ``None`` where unknown.
        reserved_cpus: CPUs it reserved, >= 0.
        reserved_memory_bytes: memory it reserved, >= 0.
        gpus: the GPUs it holds.
        labels: ``None`` until they are known.
        start_unix_s: when it started; ``None`` until known.
        time_limit_s: how long it may run; ``None`` if unlimited or unknown.
        end_unix_s: when it ended, if it has and somebody took note; it used and held
            nothing since then.
    """

    workload: WorkloadId
    cpu_s: Seconds | None
    memory_bytes: Bytes | None = None
    reserved_cpus: float = 0.0
    reserved_memory_bytes: float = 0.0
    gpus: tuple[GpuHold, ...] = ()
    labels: WorkloadLabels | None = None
    start_unix_s: Seconds | None = None
    time_limit_s: Seconds | None = None
    end_unix_s: Seconds | None = None

    def at_another_time(self) -> "WorkloadUsage":
        """Return the same without what was told of one tick alone."""
        if all(hold.activity is None for hold in self.gpus):
            return self
        gpus = tuple(replace(hold, activity=None) for hold in self.gpus)
        return replace(self, gpus=gpus)


@dataclass(frozen=True, slots=True)
class WorkloadGroup:
    """A cgroup above workloads: its counter still holds what ended ones used.

    Attributes:
        name: unique among all groups of the node.
        cpu_s: CPU time of all that ever ran in it, s, cumulative.
        members: the workloads in it now, ended ones of this tick included.
    """

    name: str
    cpu_s: Seconds
    members: tuple[WorkloadId, ...]


class WorkloadsReading(NamedTuple):
    """All workloads of one scheduler at one moment.

    Attributes:
        scheduler: its name.
        usages: one per workload.
        groups: the cgroups above them.
        missed: what somebody else counted while nobody read, oldest first.
        unknown_gpus: names of GPUs that a workload may hold without anybody knowing.
        gpu_activity: the part of a GPU that was busy in this tick, whoever holds it,
            by its name; of those where that is told.
    """

    scheduler: str
    usages: tuple[WorkloadUsage, ...]
    groups: tuple[WorkloadGroup, ...] = ()
    missed: "tuple[MissedReading, ...]" = ()
    unknown_gpus: frozenset[str] = frozenset()
    gpu_activity: Mapping[str, float] = NO_ACTIVITY


@dataclass(frozen=True, slots=True)
class MissedReading:
    """CPU time at a moment when nobody read, counted because a workload ended.

    Attributes:
        time_s: CLOCK_MONOTONIC at that moment, s.
        usages: of those that ran then the CPU time alone, and those that had just
            ended without it.
        groups: the cgroups above them.
    """

    time_s: Seconds
    usages: tuple[WorkloadUsage, ...]
    groups: tuple[WorkloadGroup, ...]


class NodeUsage(NamedTuple):
    """How busy the whole node is.

    Attributes:
        time_s: CLOCK_MONOTONIC when it was read, s.
        busy_s: CPU time of all CPUs not idle since boot, s, cumulative.
        cpus: number of logical CPUs, > 0.
        memory_used_bytes: memory in use, page cache excluded.
        memory_total_bytes: memory of the node, > 0.
    """

    time_s: Seconds
    busy_s: Seconds
    cpus: int
    memory_used_bytes: Bytes
    memory_total_bytes: Bytes
