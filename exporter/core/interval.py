"""From the usages of two samples to what each workload used in between.

A *window* is the usage that belongs to one energy. Usually both span one tick.
When a device gives no energy for some ticks, its window goes on growing until
the energy arrives, so that the energy is divided by all that happened meanwhile.

A workload that ended between two ticks has no counter any more, but the group
above it has: what the group used, minus what its living members used, was the
last slice of those that ended. A workload that is new since the last reading of
its scheduler started from 0; on the very first reading nobody knows, so it is
only remembered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core.model import (
    NodeUsage,
    Sample,
    WorkloadId,
    WorkloadsReading,
    WorkloadUsage,
)
from exporter.core.units import Seconds

# What a scheduler that cannot be read said last is held to be true this long.
_HELD_TRUE_S = 60.0


class Usage(NamedTuple):
    """What one workload used and held in a window.

    CPU-seconds, byte-seconds of memory, and the same two as reserved.
    """

    cpu_s: float
    memory_byte_s: float
    reserved_cpu_s: float
    reserved_memory_byte_s: float


class NodeWindow(NamedTuple):
    """What the whole node used and had in a window; units as in ``Usage``."""

    busy_s: float
    capacity_s: float
    memory_used_byte_s: float
    memory_total_byte_s: float


@dataclass(frozen=True, slots=True)
class UsageWindow:
    """Usage of CPUs and memory that belongs to one energy.

    Attributes:
        node: the whole node; ``None`` if a part of it could not be read.
        usages: per workload.
        complete: every scheduler could be read.
    """

    node: NodeWindow | None
    usages: Mapping[WorkloadId, Usage]
    complete: bool

    def then(self, later: "UsageWindow") -> "UsageWindow":
        """Join with the window that follows."""
        node = None
        if self.node is not None and later.node is not None:
            node = NodeWindow(*map(sum, zip(self.node, later.node, strict=True)))
        usages = dict(self.usages)
        for workload, usage in later.usages.items():
            before = usages.get(workload)
            usages[workload] = (
                usage
                if before is None
                else Usage(*map(sum, zip(before, usage, strict=True)))
            )
        return UsageWindow(node, usages, self.complete and later.complete)


class Hold(NamedTuple):
    """A workload's hold on a GPU in a window: share times seconds, and activity."""

    share_s: float
    activity_s: float | None


@dataclass(frozen=True, slots=True)
class HoldWindow:
    """Who held one GPU while one energy was drawn.

    Attributes:
        elapsed_s: length of the window.
        held_s: how much of it somebody held a part of the GPU.
        holds: per workload.
    """

    elapsed_s: float
    held_s: float
    holds: Mapping[WorkloadId, Hold]

    def then(self, later: "HoldWindow") -> "HoldWindow":
        """Join with the window that follows."""
        holds = dict(self.holds)
        for workload, hold in later.holds.items():
            before = holds.get(workload, Hold(0.0, 0.0))
            activity_s = None
            if before.activity_s is not None and hold.activity_s is not None:
                activity_s = before.activity_s + hold.activity_s
            holds[workload] = Hold(before.share_s + hold.share_s, activity_s)
        return HoldWindow(
            self.elapsed_s + later.elapsed_s, self.held_s + later.held_s, holds
        )


@dataclass(frozen=True, slots=True)
class UsageStep:
    """What one tick tells about usage.

    Attributes:
        window: usage since the last tick; ``None`` if there is nothing to
            compare with.
        elapsed_s: time since the last tick.
        busy_cpus: how many CPUs were busy on average; ``None`` if unknown.
        current: usages now, those of workloads that just ended included.
        ended: workloads that were here at the last reading and are not now.
        cpu_s: CPU time of each workload since the last tick.
        holds: per GPU that somebody holds.
        holds_known: nobody else can be holding a GPU.
    """

    window: UsageWindow | None
    elapsed_s: Seconds
    busy_cpus: float | None
    current: Mapping[WorkloadId, WorkloadUsage]
    ended: frozenset[WorkloadId]
    cpu_s: Mapping[WorkloadId, float]
    holds: Mapping[str, HoldWindow]
    holds_known: bool


@dataclass(slots=True)
class SchedulerMemory:
    """What is remembered of one scheduler: its last reading, and when it was."""

    time_s: Seconds
    usages: dict[WorkloadId, WorkloadUsage]
    group_of: dict[WorkloadId, str]
    group_cpu_s: dict[str, float]
    last_cpu_s: dict[WorkloadId, float] = field(default_factory=dict)


@dataclass(slots=True)
class UsageTracker:
    """Remembers the last usages; one ``advance`` a tick."""

    time_s: Seconds | None = None
    node: NodeUsage | None = None
    schedulers: dict[str, SchedulerMemory] = field(default_factory=dict)

    def advance(self, sample: Sample) -> UsageStep:
        """Take the usages of a sample into account."""
        first = self.time_s is None
        elapsed_s = Seconds(0.0 if self.time_s is None else sample.time_s - self.time_s)
        self.time_s = sample.time_s

        node = self._node_window(sample.node)
        current: dict[WorkloadId, WorkloadUsage] = {}
        cpu_s: dict[WorkloadId, float] = {}
        ended: set[WorkloadId] = set()
        read = {reading.scheduler: reading for reading in sample.workloads}
        for reading in sample.workloads:
            ended |= self._advance_scheduler(reading, sample.time_s, current, cpu_s)
        unread = [m for s, m in self.schedulers.items() if s not in read]
        holds_known = True
        for memory in unread:
            if sample.time_s - memory.time_s > _HELD_TRUE_S:
                holds_known = False
            else:
                current.update(memory.usages)

        window = None
        if not first:
            usages = {
                w: _usage(u, cpu_s.get(w, 0.0), elapsed_s) for w, u in current.items()
            }
            window = UsageWindow(node, usages, complete=not unread)
        busy_cpus = None
        if node is not None and sample.node is not None and node.capacity_s > 0:
            busy_cpus = node.busy_s / node.capacity_s * sample.node.cpus
        return UsageStep(
            window=window,
            elapsed_s=elapsed_s,
            busy_cpus=busy_cpus,
            current=current,
            ended=frozenset(ended),
            cpu_s=cpu_s,
            holds=_holds(current.values(), elapsed_s),
            holds_known=holds_known,
        )

    def _node_window(self, node: NodeUsage | None) -> NodeWindow | None:
        previous = self.node
        if node is None:
            return None
        self.node = node
        if previous is None:
            return None
        elapsed_s = node.time_s - previous.time_s
        return NodeWindow(
            # A CPU that goes offline takes its busy time out of the sum.
            busy_s=max(0.0, node.busy_s - previous.busy_s),
            capacity_s=node.cpus * elapsed_s,
            memory_used_byte_s=node.memory_used_bytes * elapsed_s,
            memory_total_byte_s=node.memory_total_bytes * elapsed_s,
        )

    def _advance_scheduler(
        self,
        reading: WorkloadsReading,
        time_s: Seconds,
        current: dict[WorkloadId, WorkloadUsage],
        cpu_s: dict[WorkloadId, float],
    ) -> set[WorkloadId]:
        memory = self.schedulers.get(reading.scheduler)
        usages = {usage.workload: usage for usage in reading.usages}
        group_of = {w: g.name for g in reading.groups for w in g.members}
        deltas: dict[WorkloadId, float] = {}
        ended: set[WorkloadId] = set()
        if memory is not None:
            deltas, ended = _deltas(memory, reading, usages, group_of)
            current.update((w, memory.usages[w]) for w in ended)
        current.update(usages)
        cpu_s.update(deltas)
        self.schedulers[reading.scheduler] = SchedulerMemory(
            time_s=time_s,
            usages=usages,
            group_of=group_of,
            group_cpu_s={group.name: group.cpu_s for group in reading.groups},
            last_cpu_s=deltas,
        )
        return ended


def _deltas(
    memory: SchedulerMemory,
    reading: WorkloadsReading,
    usages: Mapping[WorkloadId, WorkloadUsage],
    group_of: Mapping[WorkloadId, str],
) -> tuple[dict[WorkloadId, float], set[WorkloadId]]:
    """CPU time per workload since the last reading, and which ones ended."""
    deltas: dict[WorkloadId, float] = {}
    gone: dict[str, list[WorkloadId]] = {}
    living_s: dict[str, float] = {}
    for workload, usage in usages.items():
        if usage.cpu_s is None:
            gone.setdefault(group_of.get(workload, ""), []).append(workload)
            continue
        before = memory.usages.get(workload)
        from_s = (
            before.cpu_s if before is not None and before.cpu_s is not None else 0.0
        )
        # A lower count is a new cgroup of the same name: it started from 0.
        delta_s = usage.cpu_s - from_s if usage.cpu_s >= from_s else usage.cpu_s
        deltas[workload] = delta_s
        name = group_of.get(workload, "")
        living_s[name] = living_s.get(name, 0.0) + delta_s

    ended = memory.usages.keys() - usages.keys()
    for workload in ended:
        gone.setdefault(memory.group_of.get(workload, ""), []).append(workload)
    for group in reading.groups:
        before_s = memory.group_cpu_s.get(group.name)
        if before_s is None or group.name not in gone:
            continue
        slice_s = max(0.0, group.cpu_s - before_s - living_s.get(group.name, 0.0))
        deltas.update(_last_slices(gone[group.name], slice_s, memory.last_cpu_s))
    return deltas, ended


def _last_slices(
    gone: list[WorkloadId], slice_s: float, last_cpu_s: Mapping[WorkloadId, float]
) -> dict[WorkloadId, float]:
    """Divide what only the group's counter knows, by what each used before."""
    weights = {workload: last_cpu_s.get(workload, 0.0) for workload in gone}
    total = sum(weights.values())
    if total <= 0:
        return dict.fromkeys(gone, slice_s / len(gone))
    return {w: slice_s * (weight / total) for w, weight in weights.items()}


def _usage(usage: WorkloadUsage, cpu_s: float, elapsed_s: float) -> Usage:
    return Usage(
        cpu_s,
        (usage.memory_bytes or 0) * elapsed_s,
        usage.reserved_cpus * elapsed_s,
        usage.reserved_memory_bytes * elapsed_s,
    )


def _holds(usages: Iterable[WorkloadUsage], elapsed_s: float) -> dict[str, HoldWindow]:
    by_device: dict[str, dict[WorkloadId, Hold]] = {}
    for usage in usages:
        for hold in usage.gpus:
            activity = hold.activity
            by_device.setdefault(hold.device, {})[usage.workload] = Hold(
                hold.share * elapsed_s,
                None if activity is None else activity * elapsed_s,
            )
    return {
        device: HoldWindow(elapsed_s, elapsed_s, holds)
        for device, holds in by_device.items()
    }
