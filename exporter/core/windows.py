"""What was used and held while one energy was drawn.

A *window* belongs to one energy. Usually both span one tick. When a device gives
no energy for some ticks, its window goes on growing until the energy arrives, so
that the energy is divided by all that happened meanwhile.

A window never counts what happened outside it: a source that missed some ticks
tells of a longer time, of which only the part inside the window is taken.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from exporter.core.gpu_activity import Division
from exporter.core.units import Ratio
from exporter.core.workload import WorkloadId

_SHARED = 2

FORGOTTEN = WorkloadId("", "")
"""Stands for all workloads of a window that the ledger has let go meanwhile, and for
those of which nobody knows which they were."""


class Usage(NamedTuple):
    """What one workload used and held in a window.

    CPU-seconds, byte-seconds of memory, and the same two as reserved.
    """

    cpu_s: float
    memory_byte_s: float
    reserved_cpu_s: float
    reserved_memory_byte_s: float

    def plus(self, other: "Usage") -> "Usage":
        """Add up field by field."""
        return Usage(*map(sum, zip(self, other, strict=True)))


class NodeWindow(NamedTuple):
    """What the whole node used and had in ``elapsed_s``; units as in ``Usage``."""

    elapsed_s: float
    busy_s: float
    capacity_s: float
    memory_used_byte_s: float
    memory_total_byte_s: float

    @property
    def utilization(self) -> Ratio:
        """Mean part of the CPUs that was busy."""
        return Ratio(min(1.0, self.busy_s / self.capacity_s))


class UsageWindow(NamedTuple):
    """Usage of CPUs and memory that belongs to one energy.

    Attributes:
        elapsed_s: length of the window.
        node: the whole node, in a time of its own; ``None`` if nothing is known.
        usages: per workload.
        complete: every scheduler could be read at the end of the window.
    """

    elapsed_s: float
    node: NodeWindow | None
    usages: Mapping[WorkloadId, Usage]
    complete: bool

    def node_inside(self) -> NodeWindow | None:
        """Return the node's usage in this window, from its mean in its own time."""
        if self.node is None:
            return None
        part = self.elapsed_s / self.node.elapsed_s
        return NodeWindow(*(value * part for value in self.node))

    def then(self, later: "UsageWindow") -> "UsageWindow":
        """Join with the window that follows.

        CPU time is cumulative: what could not be read for a while is contained
        in the next reading. So the joint window is as complete as its end.
        """
        node = self.node or later.node
        if self.node is not None and later.node is not None:
            node = NodeWindow(*map(sum, zip(self.node, later.node, strict=True)))
        usages = dict(self.usages)
        for workload, usage in later.usages.items():
            before = usages.get(workload)
            usages[workload] = usage if before is None else before.plus(usage)
        elapsed_s = self.elapsed_s + later.elapsed_s
        return UsageWindow(elapsed_s, node, usages, later.complete)

    def forget(self, workloads: Collection[WorkloadId]) -> "UsageWindow":
        """Add these workloads up as one, so that a long wait costs no memory."""
        usages: dict[WorkloadId, Usage] = {}
        for workload, usage in self.usages.items():
            key = FORGOTTEN if workload in workloads else workload
            before = usages.get(key)
            usages[key] = usage if before is None else before.plus(usage)
        return self._replace(usages=usages)


class Hold(NamedTuple):
    """A workload's hold on a GPU in a window: share times seconds, and activity."""

    share_s: float
    activity_s: float | None

    def plus(self, other: "Hold") -> "Hold":
        """Add up; activity that is unknown once is unknown for all."""
        activity_s = None
        if self.activity_s is not None and other.activity_s is not None:
            activity_s = self.activity_s + other.activity_s
        return Hold(self.share_s + other.share_s, activity_s)


class HoldWindow(NamedTuple):
    """Who held one GPU while one energy was drawn.

    Attributes:
        elapsed_s: length of the window.
        held_s: how much of it somebody held a part of the GPU.
        holds: per workload.
        activity_s: how much of it the whole GPU was busy, as far as anybody tells:
            more than its holders were, where an instance is in use that nobody holds.
    """

    elapsed_s: float
    held_s: float
    holds: Mapping[WorkloadId, Hold]
    activity_s: float = 0.0

    @property
    def division(self) -> Division | None:
        """By what its dynamic energy is divided; ``None`` if one holds it alone."""
        if len(self.holds) < _SHARED:
            return None
        known = all(hold.activity_s is not None for hold in self.holds.values())
        return "activity" if known else "share"

    def then(self, later: "HoldWindow") -> "HoldWindow":
        """Join with the window that follows."""
        holds = dict(self.holds)
        for workload, hold in later.holds.items():
            before = holds.get(workload)
            holds[workload] = hold if before is None else before.plus(hold)
        return HoldWindow(
            self.elapsed_s + later.elapsed_s,
            self.held_s + later.held_s,
            holds,
            self.activity_s + later.activity_s,
        )

    def held_longer(self, earlier: "HoldWindow") -> "HoldWindow":
        """Add holders that turned out to have held it before that was known."""
        added_s = sum(hold.share_s for hold in earlier.holds.values())
        return HoldWindow(
            self.elapsed_s,
            min(self.elapsed_s, self.held_s + added_s),
            {**self.holds, **earlier.holds},
            self.activity_s,
        ).with_forgotten_last()

    def with_forgotten_last(self) -> "HoldWindow":
        """Leave to those that nobody knows only what the others did not hold."""
        forgotten = self.holds.get(FORGOTTEN)
        if forgotten is None:
            return self
        others_s = sum(hold.share_s for hold in self.holds.values()) - forgotten.share_s
        share_s = max(0.0, min(forgotten.share_s, self.elapsed_s - others_s))
        return self._replace(holds={**self.holds, FORGOTTEN: Hold(share_s, None)})

    def forget(self, workloads: Collection[WorkloadId]) -> "HoldWindow":
        """Add these workloads up as one, so that a long wait costs no memory."""
        holds: dict[WorkloadId, Hold] = {}
        for workload, hold in self.holds.items():
            key = FORGOTTEN if workload in workloads else workload
            before = holds.get(key)
            holds[key] = hold if before is None else before.plus(hold)
        return self._replace(holds=holds)
