"""The values that flow through the daemon, from a sensor to a scrape.

    readings + usages -> Sample -> Interval -> Attribution -> Ledger -> Snapshot

What draws power, the grid and the sample are here, who is running and its usages
in ``workload.py``; what is made of them is in the files named after it.

All of them are immutable. Absence is ``None``, never 0, -1 or NaN. Two clocks
occur: ``*_time_s`` and ``time_s`` are CLOCK_MONOTONIC, on which energy is
computed; ``*_unix_s`` is the wall clock, which is only ever shown.

Identities are named tuples, not dataclasses: they are the keys of every
dictionary in the tick, and a tuple hashes in C.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from exporter.core.forecast import Forecast, PuePlan
from exporter.core.units import Bytes, GramsPerKwh, Ratio, Seconds, Watts
from exporter.core.workload import NodeUsage, WorkloadsReading

Component = Literal["cpu", "dram", "gpu", "platform"]
COMPONENTS: tuple[Component, ...] = ("cpu", "dram", "gpu", "platform")

Reason = Literal["idle", "system", "unallocated", "unknown"]
REASONS: tuple[Reason, ...] = ("idle", "system", "unallocated", "unknown")

IdleMethod = Literal["configured", "modelled", "learned", "assumed"]
IdlePolicy = Literal["reserved", "used", "none"]
PlatformPolicy = Literal["proportional", "none"]
GpuOrder = Literal["minor", "pci", "index"]
UserLabel = Literal["name", "hash", "none"]
Method = Literal["counter", "integrated", "modelled", "none"]
Quality = Literal["measured", "estimated", "simulated", "none"]
Scope = Literal["device", "module", "node"]


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
        idle_power_w: what a model takes for it with nothing to do, W, >= 0;
            ``None``: nobody knows beforehand.
    """

    id: DeviceId
    source: str
    joules_per_count: float | None
    counter_range: int | None
    max_power_w: Watts
    scope: Scope = "device"
    idle_power_w: Watts | None = None


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
