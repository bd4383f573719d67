"""Grams of an energy: carbon intensity in force at that moment, times PUE.

Tick by tick, so that a job's grams are the integral of power x intensity, not
energy x a mean. Grams computed on anything but a live or fixed intensity are
fallback grams and are also counted apart.

That is the location-based account. The market-based one takes the figure of the
operator's contracts instead, in counters of its own: the two are never added up.
"""

from exporter.core.model import Intensity
from exporter.core.units import JOULES_PER_KWH, GramsPerKwh


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


def market_grams_per_joule(contracted: GramsPerKwh, pue: float) -> float:
    """Return gCO2e per joule measured in the node, by the operator's contracts.

    Args:
        contracted: what a kilowatt-hour of them emits, >= 0.
        pue: power usage effectiveness in force, >= 1.
    """
    return contracted * pue / JOULES_PER_KWH


def is_fallback(intensity: Intensity) -> bool:
    """Whether grams at this intensity are counted as computed on fallback data."""
    return intensity.fallback_level > 0
