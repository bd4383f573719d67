"""How long to wait after a failure: ever longer, and not all nodes as long.

A server that comes back after an hour has ten thousand nodes waiting for it. So each
waits for a random part of the time.
"""

import random
from collections.abc import Callable


class Backoff:
    """Doubles a time with every failure in a row.

    Args:
        first_s: after the first one, s.
        longest_s: after many, s.
        chance: draws a number 0..1.
    """

    def __init__(
        self,
        first_s: float,
        longest_s: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance
        self._next_s = first_s

    def failed(self) -> float:
        """Return how long to wait, s: from half of the time to all of it."""
        wait_s = self._next_s * (1 + self._chance()) / 2
        self._next_s = min(2 * self._next_s, self._longest_s)
        return wait_s

    def succeeded(self) -> None:
        """Begin anew with the next failure."""
        self._next_s = self._first_s
