"""What a device draws with nothing to do: configured, modelled, learned, or assumed 0.

What is modelled has the idle power of its model: there is nothing to learn.

Learning keeps the low envelope of power over utilisation: utilisation is cut
into 20 bins, and each bin holds the lowest mean power of a 10 s window seen in
it. It creeps up slowly, so that an old minimum is forgotten within some hours
if the machine never comes near it again. Where a bin below 5 % utilisation has
been seen, its power is the idle power. Else the line through the lowest and the
highest bin is drawn down to utilisation 0; that needs two bins a fifth apart.
Idle is never more than the lowest power seen, and never ``energy x (1 -
utilisation)``, which would vanish at full load.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core.model import IdleMethod
from exporter.core.units import Joules, Ratio, Seconds, Watts

BINS = 20
_WINDOW_S = 10.0
_CREEP = 0.001
_LEAST_SPAN = 0.2


@dataclass(frozen=True, slots=True)
class EnvelopeBin:
    """The low end of the power seen at about one utilisation."""

    utilization: Ratio
    power_w: Watts


@dataclass(slots=True)
class IdleLearner:
    """Learns the idle power of one device; ``observe`` once a tick.

    ``bins`` is what is worth keeping over a restart.
    """

    bins: dict[int, EnvelopeBin] = field(default_factory=dict)
    _energy_j: float = 0.0
    _busy_s: float = 0.0
    _elapsed_s: float = 0.0
    _idle_w: Watts | None = None
    _is_drawn: bool = False

    def observe(self, energy_j: Joules, elapsed_s: Seconds, utilization: Ratio) -> None:
        """Add one interval, s > 0, with its energy and mean utilisation 0..1."""
        self._energy_j += energy_j
        self._busy_s += utilization * elapsed_s
        self._elapsed_s += elapsed_s
        if self._elapsed_s < _WINDOW_S:
            return
        mean_w = self._energy_j / self._elapsed_s
        mean = min(1.0, self._busy_s / self._elapsed_s)
        self._energy_j = self._busy_s = self._elapsed_s = 0.0

        index = min(BINS - 1, int(mean * BINS))
        seen = self.bins.get(index)
        if seen is not None and mean_w > seen.power_w:
            crept_w = seen.power_w + (mean_w - seen.power_w) * _CREEP
            self.bins[index] = EnvelopeBin(seen.utilization, Watts(crept_w))
        else:
            self.bins[index] = EnvelopeBin(Ratio(mean), Watts(mean_w))
        self._is_drawn = False

    def idle_power_w(self) -> Watts | None:
        """Return the learned idle power, W; ``None`` until there is evidence."""
        if not self._is_drawn:
            self._idle_w = self._draw()
            self._is_drawn = True
        return self._idle_w

    def _draw(self) -> Watts | None:
        if not self.bins:
            return None
        low = self.bins[min(self.bins)]
        lowest_w = min(seen.power_w for seen in self.bins.values())
        if 0 in self.bins:
            return Watts(lowest_w)
        high = self.bins[max(self.bins)]
        span = high.utilization - low.utilization
        if span < _LEAST_SPAN:
            return None
        slope = (high.power_w - low.power_w) / span
        return Watts(min(lowest_w, max(0.0, low.power_w - slope * low.utilization)))


class Idle(NamedTuple):
    """Idle power of a device and how it is known."""

    power_w: Watts
    method: IdleMethod

    def energy_j(self, energy_j: Joules, elapsed_s: Seconds) -> Joules:
        """Return the idle part of an energy drawn in ``elapsed_s``, J."""
        return Joules(min(energy_j, self.power_w * elapsed_s))


def idle_power(
    configured_w: Watts | None,
    learner: IdleLearner | None,
    modelled_w: Watts | None = None,
) -> Idle:
    """Return idle power by the best method there is.

    Args:
        configured_w: what the operator says, W; ``None``: nothing.
        learner: has watched the device; ``None``: nobody has.
        modelled_w: that of the model its energy comes from, W; ``None``: from none.
    """
    if configured_w is not None:
        return Idle(configured_w, "configured")
    if modelled_w is not None:
        return Idle(modelled_w, "modelled")
    learned_w = learner.idle_power_w() if learner is not None else None
    if learned_w is not None:
        return Idle(learned_w, "learned")
    return Idle(Watts(0.0), "assumed")


WEAKEST_FIRST: tuple[IdleMethod, ...] = (
    "assumed",
    "learned",
    "modelled",
    "configured",
)
"""For a sum over devices, which is known only as well as its weakest part."""
