"""Units, colours and thresholds: the same thing looks the same everywhere."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

WATTS = "watt"
KWH = "kwatth"
GRAMS = "massg"
GRAMS_PER_HOUR = "suffix: g/h"
INTENSITY = "suffix: gCO2e/kWh"
RATIO = "percentunit"
SECONDS = "s"
BYTES = "bytes"
CELSIUS = "celsius"
COUNT = "short"
PLAIN = "none"
TIME = "dateTimeFromNow"
PACE = "suffix: x"
PER_HOUR = "suffix: /h"

GREEN = "#56A64B"
YELLOW = "#E0B400"
ORANGE = "#FA6400"
RED = "#E02F44"
BLUE = "#3274D9"
TEAL = "#2A9D8F"
TEXT = "text"

COMPONENTS: Mapping[str, str] = {
    "cpu": "#3274D9",
    "dram": "#A352CC",
    "gpu": "#56A64B",
    "platform": "#FA6400",
}
"""Colour of each component, wherever it is a series."""

REASONS: Mapping[str, str] = {
    "idle": "#8E8E8E",
    "system": "#6B7A8F",
    "unallocated": "#C9A227",
    "unknown": "#4D4D4D",
}
"""Colour of each reason of unattributed energy: greys, and a dull yellow for waste."""

SCHEDULERS: Mapping[str, str] = {"slurm": "#5794F2", "kubernetes": "#B877D9"}

Steps = Sequence[tuple[float, str]]
"""From which value on which colour, lowest first."""

INTENSITY_STEPS: Steps = ((150, YELLOW), (350, ORANGE), (600, RED))
"""Carbon intensity, gCO2e/kWh: below the first are grids of water, wind and atoms."""

FALLBACK_STEPS: Steps = ((0.01, YELLOW), (0.2, RED))
"""Part of grams computed on fallback data; budgets call 0.2 and more estimated."""


def thresholds(base: str, steps: Steps = ()) -> ThresholdsConfig:
    """Return thresholds.

    Args:
        base: colour below the first step.
        steps: in the unit of the panel, ascending.
    """
    found = [Threshold(None, base), *(Threshold(*step) for step in steps)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def fixed(color: str) -> DynamicConfigValue:
    """Return the property of an override that gives a series one colour."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def dashed() -> DynamicConfigValue:
    """Return the property of an override for what is expected and not measured."""
    return DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})


def by_thresholds() -> FieldColor:
    """Return a colour scheme: what the thresholds say."""
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)


def by_name() -> FieldColor:
    """Return a colour scheme: a series keeps its colour from panel to panel."""
    return FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def words(said: Mapping[str, tuple[str, str]]) -> list[ValueMapping]:
    """Return value mappings.

    Args:
        said: text and colour of each value, which is written as a string.
    """
    return [
        ValueMap(
            options={
                value: ValueMappingResult(text=text, color=color, index=index)
                for index, (value, (text, color)) in enumerate(said.items())
            }
        )
    ]
