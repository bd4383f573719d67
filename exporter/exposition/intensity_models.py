"""What the JSON API says of the carbon intensity, on a node and at the hub."""

from typing import Annotated, Literal

from pydantic import Field

from exporter.exposition.api_models import Answer


class ForecastPointAnswer(Answer):
    """What is expected of one slot of time."""

    begin_unix_s: float
    slot_s: float
    intensity_g_per_kwh: Annotated[float, Field(description="gCO2e per kWh")]


class IntensityAnswer(Answer):
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
