"""The accounts of the ledger: of a device, of a job, of a user of a tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core.model import COMPONENTS, Component
from exporter.core.units import Grams, Joules
from exporter.core.workload import GpuUse, WorkloadId, WorkloadLabels, WorkloadUsage

COMPONENT_INDEX: Mapping[Component, int] = {c: i for i, c in enumerate(COMPONENTS)}


@dataclass(slots=True)
class DeviceAccount:
    """Total of one device, and its mean power when its energy was last settled.

    ``source`` is the name of the source that read it last, at ``seen_s``.
    """

    energy_j: float = 0.0
    power_w: float | None = None
    seen_s: float = 0.0
    source: str = ""


class Projection(NamedTuple):
    """What a job will have used and emitted on this node, since it was first seen."""

    energy_j: Joules
    emissions_g: Grams


@dataclass(slots=True)
class JobAccount:
    """Totals of one job; lists run over ``COMPONENTS``.

    Attributes:
        workload: which one.
        created_unix_s: when it was first seen.
        first_seen_s: the same on the monotonic clock.
        labels: frozen labels; ``None`` until then.
        exported: it counts among the exported jobs.
        energy_j: J per component.
        estimated_j: the part of all its energy that comes from estimates, J.
        power_w: mean power of the last tick per component; ``None``: no part.
        peak_power_w: the most that all components together had in one tick;
            ``None`` until they had any.
        emissions_g: grams.
        fallback_g: the part of them that was computed on fallback intensity.
        market_g: grams of the same energy by the operator's contracts.
        embodied_g: its part of what making the node emitted, g.
        cpu_s: CPU time since it was first seen, s.
        gpu_use: how it used its GPUs; ``None`` as long as it has held none.
        start_unix_s: when it started; ``None`` until known.
        usage: its last usage.
        projection: at the end of its time limit, as of some seconds ago; ``None`` if
            unknown.
        ended_s: when it was found gone; ``None`` while it runs.
        ended_unix_s: the same on the wall clock.
    """

    workload: WorkloadId
    created_unix_s: float
    first_seen_s: float
    labels: WorkloadLabels | None = None
    exported: bool = False
    energy_j: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    power_w: list[float | None] = field(
        default_factory=lambda: [None] * len(COMPONENTS)
    )
    peak_power_w: float | None = None
    estimated_j: float = 0.0
    emissions_g: float = 0.0
    fallback_g: float = 0.0
    market_g: float = 0.0
    embodied_g: float = 0.0
    cpu_s: float = 0.0
    gpu_use: GpuUse | None = None
    start_unix_s: float | None = None
    usage: WorkloadUsage | None = None
    projection: Projection | None = None
    ended_s: float | None = None
    ended_unix_s: float | None = None


@dataclass(slots=True)
class TenantAccount:
    """Totals of one user of one tenant."""

    created_unix_s: float
    energy_j: float = 0.0
    emissions_g: float = 0.0
    active_s: float = 0.0
    market_g: float = 0.0
    embodied_g: float = 0.0


TenantKey = tuple[str, str, str]
"""Scheduler, tenant, user."""
