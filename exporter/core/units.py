"""Quantities and the only places where one unit becomes another.

Sensors keep their own unit (µJ, mJ, mW, µW) until one of these functions is
called; everything behind them is in joules, watts, seconds, bytes and grams.
"""

from typing import NewType

Joules = NewType("Joules", float)
Watts = NewType("Watts", float)
Seconds = NewType("Seconds", float)
Bytes = NewType("Bytes", int)
Grams = NewType("Grams", float)
Ratio = NewType("Ratio", float)
GramsPerKwh = NewType("GramsPerKwh", float)

Milliwatts = NewType("Milliwatts", int)
Microwatts = NewType("Microwatts", int)

JOULES_PER_KWH = 3.6e6
JOULES_PER_MICROJOULE = 1e-6
JOULES_PER_MILLIJOULE = 1e-3


def watts_from_milliwatts(power_mw: Milliwatts) -> Watts:
    """Convert NVML's unit of power."""
    return Watts(power_mw / 1e3)


def watts_from_microwatts(power_uw: Microwatts) -> Watts:
    """Convert the unit of power of powercap limits and hwmon."""
    return Watts(power_uw / 1e6)


def grams_emitted(energy_j: Joules, intensity: GramsPerKwh) -> Grams:
    """Grams of CO2e of an energy at one carbon intensity."""
    return Grams(energy_j / JOULES_PER_KWH * intensity)
