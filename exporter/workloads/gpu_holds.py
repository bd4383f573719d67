"""Who holds GPUs, seen from far: whether anybody has to look nearer."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from exporter.core.workload import GpuHold


class HasHolds(Protocol):
    """A job or a pod."""

    @property
    def holds(self) -> tuple[GpuHold, ...]:
        """The GPUs it holds."""


def may_share(holders: Iterable[HasHolds]) -> bool:
    """Whether several hold the same GPU, or somebody holds an instance of one."""
    held: Counter[str] = Counter()
    for holder in holders:
        held.update({hold.device for hold in holder.holds})
        if any(hold.instance for hold in holder.holds):
            return True
    return any(count > 1 for count in held.values())
