"""What the hub's JSON API answers; every field that is a quantity names its unit.

A value that is not known is ``null``, never 0.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from exporter.exposition.intensity_models import IntensityAnswer

Intensity = Annotated[float, Field(description="gCO2e per kWh")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class MarginalAnswer(_Answer):
    """What one kilowatt-hour more emits: advice, never to be counted."""

    provider: str
    intensity_g_per_kwh: Intensity
    factors: Literal["lifecycle", "direct", ""]
    estimated: bool
    observed_unix_s: float


class HubIntensityAnswer(IntensityAnswer):
    """Carbon intensity in force in one grid zone, and what is expected of it."""

    marginal: Annotated[
        MarginalAnswer | None, Field(description="null unless a live one is known")
    ]


class GreenestAnswer(_Answer):
    """The cleanest hours that are expected."""

    begin_unix_s: float
    end_unix_s: float
    intensity_g_per_kwh: Annotated[
        float, Field(description="their mean, gCO2e per kWh")
    ]


class HubZoneAnswer(HubIntensityAnswer):
    """One grid zone on the page: what is in force, and when it is cleanest."""

    greenest: Annotated[
        GreenestAnswer | None,
        Field(
            description="the four cleanest hours in a row of the next 24; null if "
            "nobody tells a forecast of four hours without a gap"
        ),
    ]


class SlurmAnswer(_Answer):
    """How it stands with the jobs that slurmrestd tells."""

    jobs: Annotated[int | None, Field(description="null until it told them once")]
    fetched_unix_s: float | None
    next_unix_s: float
    error: Annotated[
        str, Field(description='why it did not tell the last time; "" if it did')
    ]


class ZoneAnswer(_Answer):
    """One grid zone that is configured."""

    zone: str
    providers: Annotated[
        tuple[str, ...],
        Field(description="in order of preference; none: its yearly figure is used"),
    ]


class ZonesAnswer(_Answer):
    """All grid zones that can be asked for."""

    unix_s: float
    zones: tuple[ZoneAnswer, ...]


class FeedAnswer(_Answer):
    """How one thing that is asked for again and again is doing."""

    provider: str
    zones: tuple[str, ...]
    is_forecast: Annotated[
        bool, Field(description="whether this is a call for the forecast alone")
    ]
    outcome: Annotated[
        str, Field(description='of the last call, as in the metrics; "" before it')
    ]
    error: Annotated[str, Field(description='why it failed; "" if it did not')]
    failures: Annotated[int, Field(description="in a row")]
    next_unix_s: float


class HubAnswer(_Answer):
    """Grid zones, providers and what else the hub asks."""

    unix_s: float
    version: str
    started_unix_s: float
    reload_refused: Annotated[
        bool, Field(description="the last reload was refused; see the log")
    ]
    zones: tuple[HubZoneAnswer, ...]
    feeds: tuple[FeedAnswer, ...]
    slurm: Annotated[
        SlurmAnswer | None, Field(description="null if no slurmrestd is asked")
    ]
