"""The values that flow through the daemon, from a sensor to a scrape.

    readings + usages -> Sample -> Interval -> Attribution -> Ledger -> Snapshot

All of them are immutable. Absence is ``None``, never 0, -1 or NaN. Two clocks
occur: ``*_time_s`` and ``time_s`` are CLOCK_MONOTONIC, on which energy is
computed; ``*_unix_s`` is the wall clock, which is only ever shown.

Identities are named tuples, not dataclasses: they are the keys of every
dictionary in the tick, and a tuple hashes in C.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

from exporter.core.forecast import Forecast, PuePlan
from exporter.core.units import (
    Bytes,
    GramsPerKwh,
    Ratio,
    Seconds,
    Watts,
)

Component = Literal["cpu", "dram", "gpu", "platform"]
COMPONENTS: tuple[Component, ...] = ("cpu", "dram", "gpu", "platform")

Reason = Literal["idle", "system", "unallocated", "unknown"]
REASONS: tuple[Reason, ...] = ("idle", "system", "unallocated", "unknown")

IdleMethod = Literal["configured", "learned", "assumed"]
IdlePolicy = Literal["reserved", "used", "none"]
PlatformPolicy = Literal["proportional", "none"]
GpuOrder = Literal["minor", "pci", "index"]
UserLabel = Literal["name", "hash", "none"]
Method = Literal["counter", "integrated", "modelled", "none"]
Quality = Literal["measured", "estimated", "simulated", "none"]
Scope = Literal["device", "module", "node"]

NO_LABELS: Mapping[str, str] = MappingProxyType({})
NO_ACTIVITY: Mapping[str, float] = MappingProxyType({})


# --- what draws power -------------------------------------------------------


class DeviceId(NamedTuple):
    """One thing whose energy is read; ``name`` is unique in its component."""

    component: Component
    name: str


@dataclass(frozen=True, slots=True)
class Device:
    """What a source declares of a device; it does not change while it is read.

    Attributes:
        id: component and name, as they appear in labels.
        source: name of the source that reads it.
        joules_per_count: J per unit of its energy counter; ``None`` without one.
        counter_range: the counter wraps from this count to 0; ``None``: it
            never wraps, and a lower count is a reset.
        max_power_w: no reading of more than this is believed, W, > 0.
        scope: "node" for a meter of the whole node, whose other devices are
            subtracted from it; else what the reading covers.
    """

    id: DeviceId
    source: str
    joules_per_count: float | None
    counter_range: int | None
    max_power_w: Watts
    scope: Scope = "device"


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """What identifies a GPU to a person and to a scheduler."""

    uuid: str
    index: int
    minor: int | None
    model: str
    driver: str
    pci: str


@dataclass(frozen=True, slots=True)
class GpuInstance:
    """A part of a GPU in MIG mode, which a job can hold like a GPU of its own.

    Attributes:
        uuid: its own, ``MIG-…``.
        parent: ``GpuInfo.uuid`` of the GPU it is a part of.
        number: id of the GPU instance within its parent.
        share: its part of the parent, 0 < share <= 1.
    """

    uuid: str
    parent: str
    number: int
    share: Ratio


class GpuStatus(NamedTuple):
    """Gauges of a GPU at one reading; ``None`` where it does not tell."""

    info: GpuInfo
    utilization: Ratio | None = None
    memory_used_bytes: Bytes | None = None
    memory_total_bytes: Bytes | None = None
    temperature_c: float | None = None
    power_limit_w: Watts | None = None


class Reading(NamedTuple):
    """One device at one moment: a counter, a power gauge, or both.

    Attributes:
        device: the device that was read.
        time_s: CLOCK_MONOTONIC when it was read, s.
        count: raw energy counter in the sensor's unit, >= 0.
        power_w: instantaneous or averaged power, W, >= 0.
        gpu: the other gauges, if the device is a GPU.
        may_have_restarted: nobody watched the counter since its last reading, as
            when a driver was exchanged; a higher count proves no less energy
            than the difference, and perhaps more.
    """

    device: Device
    time_s: Seconds
    # It hides tuple.count, which nobody asks a reading for.
    count: int | None = None  # type: ignore[assignment]
    power_w: Watts | None = None
    gpu: GpuStatus | None = None
    may_have_restarted: bool = False


# --- who is running ---------------------------------------------------------


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


# --- how dirty a kilowatt-hour is -------------------------------------------


@dataclass(frozen=True, slots=True)
class Intensity:
    """Carbon intensity of the grid, with where it comes from.

    Attributes:
        zone: grid zone, such as "DE"; "WORLD" if none was configured.
        provider: who says so, such as "owid-yearly" or "static".
        value: gCO2e per kWh, finite, > 0.
        signal: what enters a counter is always "average".
        factors: "lifecycle", "direct", or "" if the provider does not say.
        fallback_level: 0 live or fixed by the operator, 1 last good, 2 yearly
            figure of the zone, 3 yearly figure of the world.
        estimated: the provider itself calls it an estimate.
        observed_unix_s: the moment it speaks of; ``None`` for a constant.
        slot_s: length of the slot of time that begins then, s; ``None`` for a
            figure that is of no slot.
        valid_until_unix_s: until when it is of this level; ``None`` if no time
            changes that.
        fetched_unix_s: when it was told; ``None`` if nobody was asked.
    """

    zone: str
    provider: str
    value: GramsPerKwh
    signal: Literal["average", "marginal"] = "average"
    factors: Literal["lifecycle", "direct", ""] = ""
    fallback_level: Literal[0, 1, 2, 3] = 0
    estimated: bool = False
    observed_unix_s: Seconds | None = None
    slot_s: Seconds | None = None
    valid_until_unix_s: Seconds | None = None
    fetched_unix_s: Seconds | None = None


class FetchCount(NamedTuple):
    """How often a provider of carbon intensity was asked, by what came of it."""

    provider: str
    outcome: str
    fetches: int


# --- one tick ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is: its name and the kind of its numbers."""

    name: str
    component: Component | Literal["", "node", "workloads"]
    method: Method
    quality: Quality
    scope: Scope


class SourceStatus(NamedTuple):
    """How a source did in this tick, and its errors since boot."""

    info: SourceInfo
    up: bool
    reason: str = ""
    message: str = ""
    read_duration_s: Seconds = Seconds(0.0)
    errors: tuple[tuple[str, int], ...] = ()


class Sample(NamedTuple):
    """All that was read in one tick; whatever failed is simply not in it.

    Attributes:
        time_s: CLOCK_MONOTONIC at the start of the tick, s.
        unix_s: wall clock at the start of the tick, s.
        interval_s: the sampling interval that is aimed at, s, > 0.
        readings: one per device, in any order.
        node: usage of the node; ``None`` if it could not be read.
        workloads: one per scheduler that could be read.
        intensity: carbon intensity in force.
        pue: power usage effectiveness in force, >= 1.
        sources: one per source, in a stable order.
        missed_ticks: ticks skipped since boot.
        duration_s: how long it took to collect this sample, s.
        forecast: carbon intensity that is expected from now on.
        pue_plan: PUE from now on; empty if it stays.
    """

    time_s: Seconds
    unix_s: Seconds
    interval_s: Seconds
    readings: tuple[Reading, ...]
    node: NodeUsage | None
    workloads: tuple[WorkloadsReading, ...]
    intensity: Intensity
    pue: float
    sources: tuple[SourceStatus, ...] = ()
    missed_ticks: int = 0
    duration_s: Seconds = Seconds(0.0)
    forecast: Forecast = ()
    carbon_fetches: tuple[FetchCount, ...] = ()
    pue_plan: PuePlan = ()
