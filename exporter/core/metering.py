"""From the readings of one device to its energy, tick by tick.

A device may have a counter, a power gauge, or both. The counter is taken first.
The gauge's integral (trapezoid over monotonic time) always runs beside it and
steps in where the counter fails:

* a reset: the counter is rebased and the integral bridges that interval;
* a counter that stands still for 10 s, from a moment on at which the gauge was
  well above zero, or that is missing for 10 s, is broken: the integral takes
  over *from the counter's last advance*, so the waiting time is neither lost
  nor counted twice;
* a broken counter that advances again for 10 s is trusted again, from its
  present count on.

A gauge is not bridged over a gap of more than three intervals: those seconds
are unmeasured. Until a counter's standstill is explained there is no energy at
all for that tick, rather than a zero.

A gauge that shows what the device cannot draw is not believed, and is missing.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from exporter.core.counters import (
    Advanced,
    Ambiguous,
    CounterStep,
    First,
    Reset,
    Wrapped,
    counter_step,
)
from exporter.core.model import Reading
from exporter.core.units import Joules, Seconds, Watts

STALE_AFTER_INTERVALS = 3

_BROKEN_AFTER_S = 10.0
_TRUSTED_AFTER_S = 10.0
_WELL_ABOVE_ZERO_W = 5.0
# Ticks are not quite on time: two that fail must not make three intervals more.
_LATE_INTERVALS = 0.1
# Times are differences of large numbers; what is shorter than this is rounding.
_NO_TIME_S = 1e-6

Event = Literal["", "first", "wrapped", "reset", "ambiguous", "broken", "repaired"]


class Metered(NamedTuple):
    """Energy of one device in one tick.

    Attributes:
        energy_j: J, >= 0; ``None`` if none is known.
        elapsed_s: the time up to now that this settles, s, >= 0.
        unmeasured_s: time of which the energy is not, or not wholly, known.
        event: what was noteworthy.
        waits: the energy up to now will come with a later reading.
    """

    energy_j: Joules | None
    elapsed_s: Seconds
    unmeasured_s: Seconds = Seconds(0.0)
    event: Event = ""
    waits: bool = False


_NOTHING_YET = Metered(None, Seconds(0.0), waits=True)
_STANDSTILL = Advanced(0)
_FIRST = Metered(None, Seconds(0.0), event="first")


@dataclass(slots=True)
class Meter:
    """Turns the readings of one device into its energy; one ``advance`` a tick.

    All fields are plain numbers, and all of them survive a restart.

    Attributes:
        time_s: when it was last read; ``None`` if never.
        count: its last count, read at ``count_time_s``.
        count_time_s: when ``count`` was read.
        power_w: its last power gauge, read at ``time_s``.
        energy_time_s: up to when its energy is known.
        pending_j: the gauge's integral since then.
        pending_gap_s: time since then that the gauge does not cover.
        suspect_s: how long the counter has stood still against the gauge.
        broken: the integral has taken over.
        advancing_s: how long a broken counter has been advancing again.
    """

    time_s: float | None = None
    count: int | None = None
    count_time_s: float = 0.0
    power_w: float | None = None
    energy_time_s: float = 0.0
    pending_j: float = 0.0
    pending_gap_s: float = 0.0
    suspect_s: float = 0.0
    broken: bool = False
    advancing_s: float = 0.0

    def advance(self, reading: Reading, interval_s: Seconds) -> Metered:
        """Take one reading into account.

        Args:
            reading: the new reading; one that is not later than the last is
                the same reading again, and ignored.
            interval_s: the sampling interval that is aimed at, s, > 0.

        Returns:
            The energy since the last tick that had one.
        """
        power_w = _believed_power(reading)
        if self.time_s is None:
            self._remember(reading, power_w)
            self.energy_time_s = reading.time_s
            return _FIRST
        elapsed_s = reading.time_s - self.time_s
        if elapsed_s <= 0:
            return _NOTHING_YET

        if (
            elapsed_s <= (STALE_AFTER_INTERVALS + _LATE_INTERVALS) * interval_s
            and self.power_w is not None
            and power_w is not None
        ):
            self.pending_j += (self.power_w + power_w) / 2 * elapsed_s
        else:
            self.pending_gap_s += elapsed_s
        step = self._counter_step(reading)
        self._remember(reading, power_w)
        if step is None:
            return self._settle_by_gauge("")
        if self.broken:
            return self._watch_broken(step, elapsed_s)
        return self._settle_by_counter(step, reading, elapsed_s)

    def _remember(self, reading: Reading, power_w: Watts | None) -> None:
        self.time_s = reading.time_s
        self.power_w = power_w
        if reading.device.joules_per_count is None:
            # The gauge counts alone now: should a counter come back, the energy
            # since its last count is counted already.
            self.count = None
        elif reading.count is not None:
            self.count = reading.count
            self.count_time_s = reading.time_s

    def _counter_step(self, reading: Reading) -> CounterStep | None:
        if reading.device.joules_per_count is None:
            return None
        if reading.count is None:
            return _STANDSTILL
        elapsed_s = Seconds(reading.time_s - self.count_time_s)
        step = counter_step(self.count, reading.count, elapsed_s, reading.device)
        if reading.may_have_restarted and isinstance(step, Advanced):
            return Ambiguous(step.counts)
        return step

    def _settle(self, energy_j: float | None, gap_s: float, event: Event) -> Metered:
        now_s = self.time_s or 0.0
        elapsed_s = now_s - self.energy_time_s
        self.energy_time_s = now_s
        self.pending_j = self.pending_gap_s = self.suspect_s = 0.0
        known_j = None if energy_j is None else Joules(energy_j)
        return Metered(known_j, Seconds(elapsed_s), Seconds(gap_s), event)

    def _settle_by_gauge(self, event: Event) -> Metered:
        elapsed_s = (self.time_s or 0.0) - self.energy_time_s
        # A gap that spans everything leaves no energy, not an energy of zero.
        known = elapsed_s - self.pending_gap_s > _NO_TIME_S
        return self._settle(
            self.pending_j if known else None, self.pending_gap_s, event
        )

    def _settle_by_counter(
        self, step: CounterStep, reading: Reading, elapsed_s: float
    ) -> Metered:
        if isinstance(step, Advanced):
            if step.counts == 0:
                return self._stand_still(reading, elapsed_s)
            energy_j = step.counts * (reading.device.joules_per_count or 0.0)
            return self._settle(energy_j, 0.0, "")
        if isinstance(step, First):
            return self._settle_by_gauge("first")
        if isinstance(step, Reset):
            return self._settle_by_gauge("reset")
        energy_j = step.counts * (reading.device.joules_per_count or 0.0)
        if isinstance(step, Ambiguous):
            covered_s = reading.time_s - self.energy_time_s
            return self._settle(energy_j, covered_s, "ambiguous")
        return self._settle(energy_j, 0.0, "wrapped")

    def _stand_still(self, reading: Reading, elapsed_s: float) -> Metered:
        if (
            reading.count is not None
            and self.suspect_s == 0
            and (self.power_w is None or self.power_w < _WELL_ABOVE_ZERO_W)
        ):
            return self._settle(0.0, 0.0, "")
        self.suspect_s += elapsed_s
        if self.suspect_s < _BROKEN_AFTER_S:
            return _NOTHING_YET
        self.broken = True
        self.advancing_s = 0.0
        return self._settle_by_gauge("broken")

    def _watch_broken(self, step: CounterStep, elapsed_s: float) -> Metered:
        advances = isinstance(step, Advanced | Wrapped) and step.counts > 0
        self.advancing_s = self.advancing_s + elapsed_s if advances else 0.0
        if self.advancing_s < _TRUSTED_AFTER_S:
            return self._settle_by_gauge("")
        self.broken = False
        return self._settle_by_gauge("repaired")


def _believed_power(reading: Reading) -> Watts | None:
    power_w = reading.power_w
    # Nor is NaN, which is in no range.
    if power_w is None or not 0 <= power_w <= reading.device.max_power_w:
        return None
    return power_w
