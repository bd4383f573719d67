"""What the operator decided, and everything the engine remembers."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.core.gpu_activity import Division
from exporter.core.idle import Idle, IdleLearner
from exporter.core.interval import UsageTracker
from exporter.core.ledger import Ledger
from exporter.core.metering import Meter
from exporter.core.model import (
    Component,
    DeviceId,
    GpuStatus,
    IdlePolicy,
    PlatformPolicy,
)
from exporter.core.units import GramsPerKwh, Watts
from exporter.core.windows import HoldWindow, UsageWindow
from exporter.core.workload import WorkloadId

if TYPE_CHECKING:
    # Who configures it brings it along.
    from exporter.core.embodied import EmbodiedCarbon


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the operator decides; may be exchanged between two ticks.

    Attributes:
        idle_policy: who pays for idle energy.
        platform_policy: who pays for what is left of the node.
        idle_w: configured idle watts per component (of one GPU for "gpu").
        max_jobs: how many jobs are exported at most.
        ended_jobs_s: how long an ended job stays, s.
        market_intensity: what a kilowatt-hour of the operator's contracts emits;
            ``None``: not counted.
        embodied: what making the node emitted; ``None``: not counted.
    """

    idle_policy: IdlePolicy = "reserved"
    platform_policy: PlatformPolicy = "proportional"
    idle_w: tuple[tuple[Component, Watts], ...] = ()
    max_jobs: int = 2000
    ended_jobs_s: float = 600.0
    market_intensity: GramsPerKwh | None = None
    embodied: "EmbodiedCarbon | None" = None


@dataclass(slots=True)
class EngineState:
    """The engine's memory.

    Attributes:
        meters: per device ever read.
        usage: the last usages.
        windows: usage waiting for a component's energy ("cpu", "dram").
        holds: holds waiting for a GPU's energy, by device name.
        ledger: the totals.
        platform_debt_j: what the node's meter still lacks of its parts, J.
        platform_waiting_j: energy of the other components since the node's
            meter last told its own, J.
        platform_power_w: mean power of what is left of the node, W.
        source_errors: failed ticks since boot, by source and then by reason; the
            sampler counts them in place.
        carbon_fetches: what was asked of carbon providers since boot, by provider and
            outcome. Another thread counts in place: copy it before you go through it.
        missed_ticks: ticks that were skipped since boot.
        forgotten: devices that their driver has let go of, see ``missing.py``.
        well: sources that were up in the last tick in which a device was not read; not
            worth a checkpoint.
        learners: idle power per component, or per GPU as "gpu/NAME".
        gpus: last gauges of each GPU; shown, but likewise.
        idle: last idle power by the same keys as ``learners``; likewise.
        divisions: by what the energy of shared GPUs was last divided, by device name;
            likewise.
    """

    meters: dict[DeviceId, Meter] = field(default_factory=dict)
    usage: UsageTracker = field(default_factory=UsageTracker)
    windows: dict[Component, UsageWindow] = field(default_factory=dict)
    holds: dict[str, HoldWindow] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    platform_debt_j: float = 0.0
    platform_waiting_j: float = 0.0
    platform_power_w: Watts | None = None
    source_errors: dict[str, dict[str, int]] = field(default_factory=dict)
    carbon_fetches: dict[tuple[str, str], int] = field(default_factory=dict)
    missed_ticks: int = 0
    forgotten: set[DeviceId] = field(default_factory=set)
    well: set[str] = field(default_factory=set)
    learners: dict[str, IdleLearner] = field(default_factory=dict)
    gpus: dict[DeviceId, GpuStatus] = field(default_factory=dict)
    idle: dict[str, Idle] = field(default_factory=dict)
    divisions: dict[str, Division] = field(default_factory=dict)

    def forget_in_windows(self, workloads: Collection[WorkloadId]) -> None:
        """Let go of workloads in the windows that wait for their energy."""
        self.windows = {c: w.forget(workloads) for c, w in self.windows.items()}
        self.holds = {name: w.forget(workloads) for name, w in self.holds.items()}
