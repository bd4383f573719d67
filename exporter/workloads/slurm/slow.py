"""What changes slowly of a job, read now and then: its memory and its limits."""

from exporter.core.units import Bytes
from exporter.workloads.pace import LIMITS_EVERY_S, MEMORY_EVERY_S, Pace
from exporter.workloads.slurm.job_cgroups import JobCgroups, Limits


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
        "_limits_due_s",
        "_memory_due_s",
        "_pace",
        "due_s",
        "limits",
        "memory_bytes",
    )

    def __init__(self, now_s: float, spread: float) -> None:
        self.memory_bytes: Bytes | None = None
        self.limits = Limits()
        self.due_s = now_s
        self._memory_due_s = now_s
        self._limits_due_s = now_s
        self._pace = Pace(now_s, spread)

    def refresh(self, cgroups: JobCgroups, now_s: float) -> tuple[bool, bool]:
        """Read again what is due; return whether memory and limits changed."""
        memory, limits = self.memory_bytes, self.limits
        if now_s >= self._memory_due_s:
            self._memory_due_s = self._pace.next_s(now_s, MEMORY_EVERY_S)
            self.memory_bytes = cgroups.memory_bytes()
        if now_s >= self._limits_due_s:
            self._limits_due_s = self._pace.next_s(now_s, LIMITS_EVERY_S)
            self.limits = cgroups.limits()
        self.due_s = min(self._memory_due_s, self._limits_due_s)
        return memory != self.memory_bytes, limits != self.limits
