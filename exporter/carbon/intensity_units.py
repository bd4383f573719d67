"""Units in which providers tell a carbon intensity."""

from collections.abc import Mapping

GRAMS_PER_POUND = 453.59237
"""By definition of the international pound of 1959."""

GRAMS_PER_KWH_OF: Mapping[str, float] = {
    "g/kWh": 1.0,
    "kg/kWh": 1000.0,
    "kg/MWh": 1.0,
    "g/MWh": 0.001,
    "t/MWh": 1000.0,
    "t/GWh": 1.0,
    "lb/MWh": GRAMS_PER_POUND / 1000.0,
    "lb/kWh": GRAMS_PER_POUND,
    "g/MJ": 3.6,
}
"""g/kWh of one unit of each."""
