"""What the JSON API answers; every field that is a quantity names its unit.

A value that is not known is ``null``, never 0.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from exporter.config.moments import MOMENT_TEXT
from exporter.core.archive import JobState
from exporter.core.gpu_activity import Division
from exporter.core.model import Component, IdleMethod, Method, Quality, Reason, Scope

Power = Annotated[float, Field(description="mean power of the last interval, W")]
Energy = Annotated[float, Field(description="energy since boot, J")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ComponentAnswer(_Answer):
    """One kind of device: all of its energy, and how well that is known."""

    component: Component
    quality: Quality
    power_w: Power | None
    energy_j: Energy
    idle_power_w: Annotated[
        float | None, Field(description="what it would draw with nothing to do, W")
    ]
    idle_method: IdleMethod | None
    unmeasured_s: Annotated[
        float | None, Field(description="time whose energy could not be measured, s")
    ]


class GpuAnswer(_Answer):
    """What a GPU is and how it does."""

    index: int
    uuid: str
    model: str
    driver: str
    pci: str
    utilization_ratio: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    temperature_celsius: float | None
    power_limit_w: float | None


class DeviceAnswer(_Answer):
    """One thing whose energy is read."""

    component: Component
    device: str
    power_w: Power | None
    energy_j: Energy
    gpu: GpuAnswer | None
    division: Annotated[
        Division | None,
        Field(description="by what it is divided, if several jobs share it"),
    ]


class UnattributedAnswer(_Answer):
    """Energy no job is charged for, and why."""

    component: Component
    reason: Reason
    energy_j: Energy


class ErrorCount(_Answer):
    """Ticks in which a source failed for one reason."""

    reason: str
    ticks: int


class SourceAnswer(_Answer):
    """One source of readings: what it is, and what is wrong with it."""

    source: str
    component: str
    method: Method
    quality: Quality
    scope: Scope
    up: bool
    reason: Annotated[str, Field(description="why it is down; empty if it is up")]
    message: Annotated[str, Field(description="what happened and what helps")]
    read_duration_s: float
    errors: tuple[ErrorCount, ...]


class HistoryAnswer(_Answer):
    """What the chart shows of one past moment."""

    unix_s: float
    power_w: float | None
    components_w: Annotated[
        dict[Component, float], Field(description="power by component, W")
    ]
    intensity_g_per_kwh: float


class NodeAnswer(_Answer):
    """The whole node after one tick."""

    node: str
    version: str
    unix_s: Annotated[float, Field(description="wall clock of the tick, s")]
    interval_s: Annotated[float, Field(description="sampling interval aimed at, s")]
    quality: Annotated[
        Quality, Field(description='"estimated" if any part of the power is')
    ]
    power_w: Power | None
    energy_j: Energy | None
    emissions_g: Annotated[float | None, Field(description="CO2e since boot, g")]
    fallback_emissions_g: Annotated[
        float | None, Field(description="the part computed on fallback intensity, g")
    ]
    market_emissions_g: Annotated[
        float | None, Field(description="by the site's contracts, g; null: not counted")
    ]
    market_intensity_g_per_kwh: float | None
    embodied_g: Annotated[
        float | None,
        Field(description="used up of making the node, g; null: not counted"),
    ]
    cpu_busy_ratio: float | None
    pue_ratio: float
    components: tuple[ComponentAnswer, ...]
    devices: tuple[DeviceAnswer, ...]
    unattributed: tuple[UnattributedAnswer, ...]
    sources: tuple[SourceAnswer, ...]
    uptime_s: Annotated[float, Field(description="since the daemon started, s")]
    missed_ticks: int
    sample_duration_s: float
    tick_duration_s: float
    history: tuple[HistoryAnswer, ...]


class GpuHoldAnswer(_Answer):
    """A GPU that a job holds, or its part of one."""

    device: Annotated[str, Field(description="as among the devices of the node")]
    share: Annotated[float, Field(description="the part that was reserved, 0..1")]


class JobAnswer(_Answer):
    """One job on this node; energy and grams count from its first sight here."""

    scheduler: str
    job_id: str
    user: str
    account: str
    partition: str
    namespace: str
    pod: str
    info: dict[str, str]
    running: bool
    power_w: Annotated[float | None, Field(description="null once it ended, W")]
    components_w: dict[Component, float]
    energy_j: Annotated[
        float | None, Field(description="null if the node can tell of none, J")
    ]
    components_j: dict[Component, float]
    emissions_g: float
    cpu_s: float
    gpus: float | None
    gpus_held: Annotated[
        tuple[GpuHoldAnswer, ...],
        Field(description="which ones; empty once it ended, and of the archive"),
    ]
    gpu_utilization_ratio: float | None
    memory_bytes: int | None
    created_unix_s: float
    start_unix_s: float | None
    end_unix_s: float | None
    projected_energy_j: Annotated[
        float | None, Field(description="at the end of its time limit, J")
    ]
    projected_emissions_g: Annotated[
        float | None, Field(description="at the end of its time limit, g")
    ]
    progress_ratio: float | None
    state: Annotated[
        JobState,
        Field(description='"lost": daemon or node went away while it was running'),
    ]
    last_seen_unix_s: Annotated[
        float | None,
        Field(description="up to when the archive tells; null: up to the last tick"),
    ]
    estimated_energy_j: Annotated[
        float, Field(description="the part of energy_j that comes from estimates, J")
    ]
    measured_ratio: Annotated[
        float | None, Field(description="the measured part of energy_j, 0..1")
    ]
    fallback_emissions_g: Annotated[
        float, Field(description="the part computed on fallback intensity, g")
    ]
    fallback_ratio: Annotated[
        float | None, Field(description="the same as a part of emissions_g, 0..1")
    ]
    market_emissions_g: Annotated[
        float | None,
        Field(
            description="by the site's contracts, g; null if not counted or archived"
        ),
    ]
    embodied_g: Annotated[
        float | None,
        Field(description="its part of making the node, g; null likewise"),
    ]
    peak_power_w: Annotated[
        float | None, Field(description="the most in any one interval, W")
    ]
    gpu_held_s: Annotated[
        float | None,
        Field(description="GPUs held times time, s; null if it never held any"),
    ]
    gpu_idle_s: Annotated[
        float | None,
        Field(description="the part of gpu_held_s in which they did nothing, s"),
    ]
    gpu_use_ratio: Annotated[
        float | None, Field(description="mean since it was first seen, 0..1")
    ]


class JobsAnswer(_Answer):
    """Jobs on this node: those of now, or those of the archive."""

    unix_s: float
    jobs: tuple[JobAnswer, ...]
    jobs_dropped: Annotated[
        int,
        Field(
            description="jobs that found no place because of the cap on exported jobs, "
            "since boot; some of them may have got one later"
        ),
    ]
    jobs_waiting: Annotated[
        int, Field(description="jobs that run now and are not exported for that reason")
    ]
    next_cursor: Annotated[
        int | None,
        Field(description="cursor= for older jobs of the archive; null: no more"),
    ] = None


class JobsQuestion(BaseModel):
    """Which jobs of the archive are wanted."""

    # A misspelt name would quietly ask for everybody's.
    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Annotated[
        str | None, Field(description=f"last seen then or later: {MOMENT_TEXT}")
    ] = None
    until: Annotated[str | None, Field(description="last seen before; as since")] = None
    user: str | None = None
    account: Annotated[
        str | None, Field(description="Slurm account or Kubernetes namespace")
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[
        int | None,
        Field(ge=1, le=2**62, description="next_cursor of the answer before"),
    ] = None


class ForecastPointAnswer(_Answer):
    """What is expected of one slot of time."""

    begin_unix_s: float
    slot_s: float
    intensity_g_per_kwh: Annotated[float, Field(description="gCO2e per kWh")]


class IntensityAnswer(_Answer):
    """Carbon intensity in force, and how far it is from a live figure."""

    unix_s: float
    zone: str
    provider: str
    intensity_g_per_kwh: float
    signal: Literal["average", "marginal"]
    factors: Literal["lifecycle", "direct", ""]
    estimated: Annotated[bool, Field(description="the provider calls it an estimate")]
    fallback_level: Annotated[
        Literal[0, 1, 2, 3],
        Field(
            description="0 live or fixed, 1 last good value, 2 yearly figure of the "
            "zone, 3 yearly figure of the world"
        ),
    ]
    observed_unix_s: Annotated[
        float | None, Field(description="the moment it speaks of; null for a constant")
    ]
    age_s: float | None
    slot_s: Annotated[
        float | None,
        Field(description="length of the slot it speaks of, s; null if of none"),
    ]
    valid_until_unix_s: Annotated[
        float | None,
        Field(description="it is of this level up to then; null: for ever"),
    ]
    fetched_unix_s: Annotated[
        float | None, Field(description="when it was told; null if nobody was asked")
    ]
    forecast: Annotated[
        tuple[ForecastPointAnswer, ...],
        Field(description="in order of time, with the slot of now; maybe none"),
    ]
