"""What changes slowly of a job, read now and then: its memory and its limits.

More often in the first seconds of a job, while Slurm is setting it up.
"""

from exporter.core.units import Bytes
from exporter.workloads.slurm.job_cgroups import JobCgroups, Limits

_YOUNG_S = 5.0
_MEMORY_EVERY_S = 5.0
_LIMITS_EVERY_S = 60.0


class SlowReadings:
    """The last readings of one job, and when the next ones are due.

    Args:
        now_s: when the job was first seen, CLOCK_MONOTONIC, s.
        spread: 0..1, different from job to job, so that what is read slowly is not
            read of all jobs in the same tick.

    Attributes:
        memory_bytes: anonymous resident memory; ``None`` where unknown.
        limits: those of its cgroups.
        due_s: when to ``refresh``, CLOCK_MONOTONIC, s.
    """

    __slots__ = (
        "_first_seen_s",
        "_limits_due_s",
        "_memory_due_s",
        "_spread",
        "due_s",
        "limits",
        "memory_bytes",
    )

    def __init__(self, now_s: float, spread: float) -> None:
        self.memory_bytes: Bytes | None = None
        self.limits = Limits()
        self.due_s = now_s
        self._first_seen_s = now_s
        self._memory_due_s = now_s
        self._limits_due_s = now_s
        self._spread = spread

    def refresh(self, cgroups: JobCgroups, now_s: float) -> tuple[bool, bool]:
        """Read again what is due; return whether memory and limits changed."""
        memory, limits = self.memory_bytes, self.limits
        if now_s >= self._memory_due_s:
            self._memory_due_s = self._next(now_s, _MEMORY_EVERY_S)
            self.memory_bytes = cgroups.memory_bytes()
        if now_s >= self._limits_due_s:
            self._limits_due_s = self._next(now_s, _LIMITS_EVERY_S)
            self.limits = cgroups.limits()
        self.due_s = min(self._memory_due_s, self._limits_due_s)
        return memory != self.memory_bytes, limits != self.limits

    def _next(self, now_s: float, every_s: float) -> float:
        age_s = now_s - self._first_seen_s
        if age_s < _YOUNG_S:
            return now_s + age_s
        # The first time a part of the period, which keeps the jobs apart for good.
        spread, self._spread = self._spread, 1.0
        return now_s + every_s * spread
