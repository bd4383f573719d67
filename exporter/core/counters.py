"""What happened to an energy counter between two readings of it.

The first reading is a case of its own, not a zero. A lower count is a wrap if
the counter has a known range, else a reset. Whatever the counts say, they are
only believed as far as the device could have drawn that much: a step above its
highest power is a reset too, and a time so long that the counter could have
gone round once more leaves the step ambiguous.
"""

from dataclasses import dataclass

from exporter.core.model import Device
from exporter.core.units import Seconds

# Drivers refresh counters in steps of up to 0.1 s, and a busy machine delays
# the reader, so a short interval may hold the energy of a longer one.
_REFRESH_SLACK_S = 1.0


@dataclass(frozen=True, slots=True)
class First:
    """There is nothing to compare with; no energy is known."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """It went up by ``counts``, >= 0."""

    counts: int


@dataclass(frozen=True, slots=True)
class Wrapped:
    """It passed its end once and so went up by ``counts``, > 0."""

    counts: int


@dataclass(frozen=True, slots=True)
class Reset:
    """It restarted from an unknown count; no energy is known."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It went up by ``counts`` or by that and whole turns; >= 0 is certain."""

    counts: int


CounterStep = First | Advanced | Wrapped | Reset | Ambiguous


def counter_step(
    previous: int | None, current: int, elapsed_s: Seconds, device: Device
) -> CounterStep:
    """Compare two readings of one counter.

    Args:
        previous: earlier count; ``None`` if there is none.
        current: later count, >= 0.
        elapsed_s: time between them, s, >= 0.
        device: whose counter it is; must have ``joules_per_count``.

    Returns:
        What happened, in counts of the sensor's own unit.
    """
    if previous is None or device.joules_per_count is None:
        return First()

    believable_j = device.max_power_w * (elapsed_s + _REFRESH_SLACK_S)
    believable = believable_j / device.joules_per_count
    counts = current - previous

    if device.counter_range is None:
        return Advanced(counts) if 0 <= counts <= believable else Reset()

    wrapped = counts < 0
    if wrapped:
        counts += device.counter_range
    if not 0 <= counts <= believable:
        return Reset()
    if counts + device.counter_range <= believable:
        return Ambiguous(counts)
    return Wrapped(counts) if wrapped else Advanced(counts)
