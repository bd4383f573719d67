"""Grams of an energy: carbon intensity in force at that moment, times PUE.

Tick by tick, so that a job's grams are the integral of power x intensity, not
energy x a mean. Grams computed on anything but a live or fixed intensity are
fallback grams and are also counted apart.
"""

from exporter.core.model import Intensity
from exporter.core.units import JOULES_PER_KWH


def grams_per_joule(intensity: Intensity, pue: float) -> float:
    """Return gCO2e per joule measured in the node, the site's overhead included.

    Args:
        intensity: carbon intensity in force.
        pue: power usage effectiveness in force, >= 1.

    Raises:
        ValueError: a marginal intensity, which is advice and never counted.
    """
    if intensity.signal != "average":
        msg = f"{intensity.signal} intensity of {intensity.zone} may not be counted"
        raise ValueError(msg)
    return intensity.value * pue / JOULES_PER_KWH


def is_fallback(intensity: Intensity) -> bool:
    """Whether grams at this intensity are counted as computed on fallback data."""
    return intensity.fallback_level > 0
