"""What changes slowly of a pod's cgroup: its memory, and what it may use.

Each is read again after a while, see ``pace.py``.
"""

from exporter.core.units import Bytes
from exporter.workloads.cgroups import Cgroup
from exporter.workloads.kubernetes.reservation import (
    NodeSize,
    cpus_of_shares,
    cpus_of_weight,
    weight_of,
)
from exporter.workloads.pace import LIMITS_EVERY_S, MEMORY_EVERY_S, Pace


class PodLimits:
    """Memory and limits of one pod, as they were read last.

    Args:
        now_s: CLOCK_MONOTONIC when the pod was first seen, s.
        spread: 0..1, different from pod to pod.

    Attributes:
        due_s: when to ``refresh`` them, CLOCK_MONOTONIC, s.
        memory_bytes: memory that it uses; ``None`` where unknown.
    """

    def __init__(self, now_s: float, spread: float) -> None:
        self.due_s = now_s
        self.memory_bytes: Bytes | None = None
        self._pace = Pace(now_s, spread)
        self._memory_due_s = now_s
        self._limits_due_s = now_s
        self._weight: int | None = None
        self._memory_limit: int | None = None

    def refresh(self, cgroup: Cgroup, now_s: float) -> bool:
        """Read again what is due; return whether its limits changed."""
        has_changed = False
        if now_s >= self._memory_due_s:
            self._memory_due_s = self._pace.next_s(now_s, MEMORY_EVERY_S)
            self.memory_bytes = cgroup.memory_bytes()
        if now_s >= self._limits_due_s:
            self._limits_due_s = self._pace.next_s(now_s, LIMITS_EVERY_S)
            told = (weight_of(cgroup), cgroup.reserved_memory_bytes())
            has_changed = told != (self._weight, self._memory_limit)
            self._weight, self._memory_limit = told
        self.due_s = min(self._memory_due_s, self._limits_due_s)
        return has_changed

    def reserved(self, node: NodeSize, *, is_v1: bool) -> tuple[float, float]:
        """CPUs and bytes of memory that it reserved, as far as limits tell.

        Args:
            node: what weights are compared with.
            is_v1: its cgroup is one of version 1.
        """
        return self._cpus(node, is_v1=is_v1), self._memory_limit or 0.0

    def _cpus(self, node: NodeSize, *, is_v1: bool) -> float:
        if self._weight is None:
            return 0.0
        if is_v1:
            return cpus_of_shares(self._weight)
        return cpus_of_weight(self._weight, node)
