"""Numbers that look random and are the same on every node.

Only ``Random.random`` is used: its sequence is the one that Python promises not to
change from release to release, and the nodes of a cluster may run different ones.
"""

import random
from collections.abc import Sequence
from math import sin, tau
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A sequence of numbers that follows from a key.

    Args:
        key: any values with a text; the same key, the same sequence.
    """

    def __init__(self, *key: object) -> None:
        # Nothing is kept secret by it.
        self._random = random.Random("/".join(map(str, key)))  # noqa: S311 - above

    def ratio(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        return self._random.random()

    def between(self, low: float, high: float) -> float:
        """Return a number of this range."""
        return low + (high - low) * self.ratio()

    def whole(self, low: int, high: int) -> int:
        """Return a whole number of this range, both ends included."""
        return low + int(self.ratio() * (high - low + 1))

    def one_of(self, items: Sequence[T]) -> T:
        """Return one of some things."""
        return items[int(self.ratio() * len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """Return one of some things, the heavy ones more often.

        Args:
            items: at least one.
            weights: of each, >= 0, not all 0.
        """
        left = self.ratio() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]


def wave(time_s: float, period_s: float, phase: float) -> float:
    """Return a number from -1 to 1 that goes up and down smoothly.

    Two waves together keep it from looking like one.

    Args:
        time_s: any time, s.
        period_s: of the slower wave, s, > 0.
        phase: 0..1, where it begins.
    """
    turns = time_s / period_s + phase
    return 0.7 * sin(tau * turns) + 0.3 * sin(tau * (2.7 * turns + phase))
