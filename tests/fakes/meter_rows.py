"""Short ways to let a meter read, and to add up what it tells."""

from collections.abc import Iterable

from exporter.core.metering import Meter, Metered
from exporter.core.model import Device
from exporter.core.units import Seconds
from tests.fakes.node import reading

# Energy in all and power, at one time; None where the driver does not tell.
Row = tuple[float, float | None, float | None]


def play(meter: Meter, device: Device, rows: Iterable[Row]) -> list[Metered]:
    """Let a meter read rows of time, energy in all and power, at 1 s a tick."""
    return [
        meter.advance(reading(device, time_s, energy_j, power_w), Seconds(1.0))
        for time_s, energy_j, power_w in rows
    ]


def total_j(metered: Iterable[Metered]) -> float:
    """Add up what was told."""
    return sum(one.energy_j or 0.0 for one in metered)


def unmeasured_s(metered: Iterable[Metered]) -> float:
    """Add up the time of which not all energy is known."""
    return sum(one.unmeasured_s for one in metered)


def running(start_s: int, end_s: int, power_w: float = 100.0) -> list[Row]:
    """Return a row a second of a device in order, from 0 J at 0 s on."""
    return [(t, power_w * t, power_w) for t in range(start_s, end_s)]


def stuck(start_s: int, end_s: int, energy_j: float, power_w: float) -> list[Row]:
    """Return a row a second of a device whose counter stands still."""
    return [(t, energy_j, power_w) for t in range(start_s, end_s)]
