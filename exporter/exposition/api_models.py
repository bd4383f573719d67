"""What the JSON API says of the node; every field that is a quantity names its unit.

A value that is not known is ``null``, never 0.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from exporter.core.gpu_activity import Division
from exporter.core.model import Component, IdleMethod, Method, Quality, Reason, Scope

Power = Annotated[float, Field(description="mean power of the last interval, W")]
Energy = Annotated[
    float, Field(description="energy since the first reading after boot, J")
]


class Answer(BaseModel):
    """What every answer is."""

    model_config = ConfigDict(frozen=True)


class ComponentAnswer(Answer):
    """One kind of device: all of its energy, and how well that is known."""

    component: Component
    quality: Quality
    power_w: Power | None
    devices_missing: Annotated[
        int,
        Field(
            description="devices that were read before and whose power is not known "
            "now: it is not in power_w, nor in that of the node"
        ),
    ]
    energy_j: Energy
    idle_power_w: Annotated[
        float | None, Field(description="what it would draw with nothing to do, W")
    ]
    idle_method: IdleMethod | None
    unmeasured_s: Annotated[
        float | None, Field(description="time whose energy could not be measured, s")
    ]


class GpuAnswer(Answer):
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


class DeviceAnswer(Answer):
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


class UnattributedAnswer(Answer):
    """Energy no job is charged for, and why."""

    component: Component
    reason: Reason
    energy_j: Energy


class ErrorCount(Answer):
    """Ticks in which a source failed for one reason."""

    reason: str
    ticks: int


class SourceAnswer(Answer):
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


class HistoryAnswer(Answer):
    """What the chart shows of one past moment."""

    unix_s: float
    power_w: float | None
    components_w: Annotated[
        dict[Component, float], Field(description="power by component, W")
    ]
    intensity_g_per_kwh: float


class NodeAnswer(Answer):
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
    emissions_g: Annotated[
        float | None, Field(description="CO2e since the first reading after boot, g")
    ]
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
