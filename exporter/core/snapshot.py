"""The immutable result of a tick: all that a scrape, the page and the API read.

Jobs and tenants are named tuples, because there may be hundreds of them every tick
and a frozen dataclass takes several times as long to build.

Counters here are totals since boot and never fall. A gauge that is ``None`` is
not known and is not exported.
"""

from typing import NamedTuple, Protocol

from exporter.core.forecast import Forecast
from exporter.core.gpu_activity import Division
from exporter.core.model import (
    Component,
    DeviceId,
    FetchCount,
    GpuStatus,
    IdleMethod,
    Intensity,
    Reason,
    SourceStatus,
)
from exporter.core.units import Bytes, Grams, GramsPerKwh, Joules, Ratio, Seconds, Watts
from exporter.core.workload import GpuHold, GpuUse, WorkloadId, WorkloadLabels


class ComponentTotals(NamedTuple):
    """Energy of one component since boot, and its mean power in this tick."""

    component: Component
    energy_j: Joules
    power_w: Watts | None


class DeviceTotals(NamedTuple):
    """Energy of one device since boot, and its mean power in this tick.

    ``division`` says by what it is divided, if several jobs share it.
    """

    device: DeviceId
    energy_j: Joules
    power_w: Watts | None
    gpu: GpuStatus | None = None
    division: Division | None = None


class UnattributedTotals(NamedTuple):
    """Energy since boot that no job is charged for, and why."""

    component: Component
    reason: Reason
    energy_j: Joules


class IdlePower(NamedTuple):
    """What a component would draw with nothing to do, and how that is known."""

    component: Component
    method: IdleMethod
    power_w: Watts


class JobTotals(NamedTuple):
    """One job on this node; its labels never change once it is here.

    Attributes:
        workload: which one.
        labels: frozen labels.
        created_unix_s: when its counters started from 0.
        energy_j: per component it has used, in their order, J.
        power_w: per component, mean of this tick; empty once it ended.
        emissions_g: grams since it was first seen.
        cpu_s: CPU time it was charged for, s.
        gpus: how many GPUs it holds (shares added up).
        gpu_utilization: mean utilisation of the GPUs it holds.
        memory_bytes: anonymous resident memory.
        start_unix_s: when it started.
        end_unix_s: when it was last seen, once it ended.
        projected_energy_j: what it will have used at the end of its time limit.
        projected_emissions_g: what it will have emitted then.
        progress: how far it is, 0..1.
        estimated_j: the part of all its energy that comes from estimates.
        fallback_g: the part of its grams computed on fallback intensity.
        peak_power_w: the most that all components together had in one tick.
        gpu_use: how it used the GPUs it held; ``None`` if it never held any.
        market_g: grams by the operator's contracts; ``None`` if not counted.
        embodied_g: its part of what making the node emitted; likewise.
        gpu_holds: which GPUs it holds; empty once it ended.
    """

    workload: WorkloadId
    labels: WorkloadLabels
    created_unix_s: Seconds
    energy_j: tuple[tuple[Component, Joules], ...]
    power_w: tuple[tuple[Component, Watts], ...]
    emissions_g: Grams
    cpu_s: Seconds
    gpus: float | None = None
    gpu_utilization: Ratio | None = None
    memory_bytes: Bytes | None = None
    start_unix_s: Seconds | None = None
    end_unix_s: Seconds | None = None
    projected_energy_j: Joules | None = None
    projected_emissions_g: Grams | None = None
    progress: Ratio | None = None
    estimated_j: Joules = Joules(0.0)
    fallback_g: Grams = Grams(0.0)
    peak_power_w: Watts | None = None
    gpu_use: GpuUse | None = None
    market_g: Grams | None = None
    embodied_g: Grams | None = None
    gpu_holds: tuple[GpuHold, ...] = ()


class TenantTotals(NamedTuple):
    """What one user of one tenant used on this node; outlives the jobs.

    ``market_g`` and ``embodied_g`` are ``None`` if they are not counted.
    """

    scheduler: str
    tenant: str
    user: str
    created_unix_s: Seconds
    energy_j: Joules
    emissions_g: Grams
    market_g: Grams | None = None
    embodied_g: Grams | None = None


class Snapshot(NamedTuple):
    """The node after one tick.

    ``node_energy_j`` is the sum of the components. ``node_power_w`` is that of the
    devices whose power is known, and ``None`` when that of none is;
    ``devices_missing`` counts the others, of each component that was ever read.
    ``fallback_emissions_g`` is the part of ``emissions_g`` that was computed on
    fallback intensity. ``forecast`` is what is expected of the carbon intensity from
    now on. ``carbon_fetches`` counts what was asked of its providers. ``jobs_dropped``
    found no place among the exported jobs when they were to be exported, and
    ``jobs_waiting`` run without one now.

    Beside the emissions: ``market_g`` are grams by the operator's contracts, of which
    a kilowatt-hour emits ``market_intensity``, and ``embodied_g`` what making the node
    emitted, as far as it has been used up. All are ``None`` if they are not counted.
    """

    time_s: Seconds
    unix_s: Seconds
    node_energy_j: Joules
    node_power_w: Watts | None
    emissions_g: Grams
    fallback_emissions_g: Grams
    components: tuple[ComponentTotals, ...]
    devices: tuple[DeviceTotals, ...]
    unattributed: tuple[UnattributedTotals, ...]
    idle: tuple[IdlePower, ...]
    cpu_busy: Ratio | None
    jobs: tuple[JobTotals, ...]
    tenants: tuple[TenantTotals, ...]
    intensity: Intensity
    pue: float
    sources: tuple[SourceStatus, ...]
    unmeasured_s: tuple[tuple[Component, Seconds], ...]
    missed_ticks: int
    jobs_dropped: int
    sample_duration_s: Seconds
    tick_duration_s: Seconds = Seconds(0.0)
    forecast: Forecast = ()
    market_intensity: GramsPerKwh | None = None
    market_g: Grams | None = None
    embodied_g: Grams | None = None
    carbon_fetches: tuple[FetchCount, ...] = ()
    jobs_waiting: int = 0
    devices_missing: tuple[tuple[Component, int], ...] = ()


class HistoryPoint(NamedTuple):
    """What the page's chart shows of one past moment."""

    unix_s: Seconds
    node_power_w: Watts | None
    components: tuple[tuple[Component, Watts], ...]
    intensity_g_per_kwh: GramsPerKwh


class SnapshotReader(Protocol):
    """What the exposition may ask: the last result, and the recent past."""

    def latest(self) -> Snapshot | None:
        """Return the last snapshot; ``None`` before the first tick is done."""

    def history(self) -> tuple[HistoryPoint, ...]:
        """Return the last minutes, oldest first."""
