"""How often is read what changes slowly of a workload: its memory and its limits.

More often in its first seconds, while its scheduler is setting it up; later not of
all workloads in the same tick.
"""

MEMORY_EVERY_S = 5.0
LIMITS_EVERY_S = 60.0

_YOUNG_S = 5.0


class Pace:
    """When something of one workload is read again.

    Args:
        now_s: CLOCK_MONOTONIC when it was first seen, s.
        spread: 0..1, different from one to the next.
    """

    __slots__ = ("_first_seen_s", "_spread")

    def __init__(self, now_s: float, spread: float) -> None:
        self._first_seen_s = now_s
        self._spread = spread

    def next_s(self, now_s: float, every_s: float) -> float:
        """Return when to read again what is read now, CLOCK_MONOTONIC, s.

        Args:
            now_s: CLOCK_MONOTONIC, s.
            every_s: the time between two readings of a workload that is set up, s.
        """
        age_s = now_s - self._first_seen_s
        if age_s < _YOUNG_S:
            return now_s + age_s
        # The first time a part of the period, which keeps workloads apart for good.
        spread, self._spread = self._spread, 1.0
        return now_s + every_s * spread
