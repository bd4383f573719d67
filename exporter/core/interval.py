"""From the usages of two samples to what each workload used in between.

A scheduler that cannot be read is held to have what it had for a minute; after
that nobody knows who is running. Its workloads' counters go on meanwhile, so the
next reading tells of the whole time.

A scheduler names the GPUs of a workload as soon as they are known, which takes a
tick or more after a start. Until a GPU has been read, whoever held it before and is
still there holds it: else what it drew meanwhile would be nobody's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from exporter.core.cpu_time import SchedulerMemory, cpu_deltas, fill_counts
from exporter.core.model import (
    NodeUsage,
    Sample,
    WorkloadId,
    WorkloadsReading,
    WorkloadUsage,
)
from exporter.core.units import Seconds
from exporter.core.windows import Hold, HoldWindow, NodeWindow, Usage, UsageWindow

_HELD_TRUE_S = 60.0
# A scheduler that is silent, though no source fails, has left the machine: it is
# absent or no longer configured. Not at once: the whole machine may be starting.
_GONE_AFTER_S = 600.0


@dataclass(frozen=True, slots=True)
class UsageStep:
    """What one tick tells about usage.

    Attributes:
        elapsed_s: time since the last tick.
        node: the node since it was last read; ``None`` if it was not now, or if
            there is nothing to compare with.
        current: usages now, those of workloads that just ended included.
        ended: workloads that were here at the last reading and are not now.
        cpu_s: CPU time of each workload since the last reading of its scheduler.
        silent_s: per scheduler that was read, the time since its last reading.
        complete: every scheduler could be read.
        holds: per GPU that somebody holds.
        holds_known: nobody else can be holding a GPU.
    """

    elapsed_s: Seconds
    node: NodeWindow | None
    current: Mapping[WorkloadId, WorkloadUsage]
    ended: frozenset[WorkloadId]
    cpu_s: Mapping[WorkloadId, float]
    silent_s: Mapping[str, float]
    complete: bool
    holds: Mapping[str, HoldWindow]
    holds_known: bool

    def window(self, waited_s: float) -> UsageWindow:
        """Return this tick's part of a window that began before it.

        Args:
            waited_s: how long the window has been waiting before this tick, s.
                CPU time from before its begin belongs to other energy.
        """
        elapsed_s = self.elapsed_s
        length_s = waited_s + elapsed_s
        inside = {
            scheduler: length_s / silent_s if silent_s > length_s else 1.0
            for scheduler, silent_s in self.silent_s.items()
        }
        cpu_s = self.cpu_s
        usages = {
            w: Usage(
                cpu_s.get(w, 0.0) * inside.get(w.scheduler, 1.0),
                (usage.memory_bytes or 0) * elapsed_s,
                usage.reserved_cpus * elapsed_s,
                usage.reserved_memory_bytes * elapsed_s,
            )
            for w, usage in self.current.items()
        }
        return UsageWindow(elapsed_s, self.node, usages, self.complete)


@dataclass(slots=True)
class UsageTracker:
    """Remembers the last usages; one ``advance`` a tick.

    Attributes:
        time_s: when that was; ``None`` before the first tick.
        node: the last usage of the node.
        schedulers: what is remembered of each scheduler.
        gpus: names of the GPUs that were read in the last tick of this process.
    """

    time_s: Seconds | None = None
    node: NodeUsage | None = None
    schedulers: dict[str, SchedulerMemory] = field(default_factory=dict)
    gpus: frozenset[str] = frozenset()

    def advance(self, sample: Sample) -> UsageStep:
        """Take the usages of a sample into account."""
        elapsed_s = Seconds(0.0 if self.time_s is None else sample.time_s - self.time_s)
        self.time_s = sample.time_s

        node = self._node_window(sample.node)
        current: dict[WorkloadId, WorkloadUsage] = {}
        cpu_s: dict[WorkloadId, float] = {}
        silent_s: dict[str, float] = {}
        ended: set[WorkloadId] = set()
        unread = self.schedulers.keys() - {r.scheduler for r in sample.workloads}
        for reading in sample.workloads:
            memory = self.schedulers.get(reading.scheduler)
            if memory is not None:
                silent_s[reading.scheduler] = sample.time_s - memory.time_s
            ended |= self._advance_scheduler(reading, sample.time_s, current, cpu_s)
        # Only from the next tick on do schedulers know a GPU that is new.
        self.gpus = frozenset(
            reading.device.id.name
            for reading in sample.readings
            if reading.device.id.component == "gpu"
        )

        failing = _failing_sources(sample)
        held = 0
        for scheduler in unread:
            memory = self.schedulers[scheduler]
            silence_s = sample.time_s - memory.time_s
            if silence_s <= _HELD_TRUE_S:
                held += 1
                current.update(
                    (w, usage)
                    for w, usage in memory.usages.items()
                    if w not in memory.uncounted
                )
            elif silence_s > _GONE_AFTER_S and not failing:
                ended |= memory.usages.keys()
                del self.schedulers[scheduler]
        silent = len(unread & self.schedulers.keys())
        return UsageStep(
            elapsed_s=elapsed_s,
            node=node,
            current=current,
            ended=frozenset(ended),
            cpu_s=cpu_s,
            silent_s=silent_s,
            complete=not (silent or failing),
            holds=_holds(current.values(), elapsed_s),
            # A source that fails and was never read hides holds as well.
            holds_known=max(silent, failing) <= held,
        )

    def _node_window(self, node: NodeUsage | None) -> NodeWindow | None:
        previous = self.node
        if node is None:
            return None
        self.node = node
        elapsed_s = 0.0 if previous is None else node.time_s - previous.time_s
        if previous is None or elapsed_s <= 0:
            return None
        return NodeWindow(
            elapsed_s,
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
            deltas, ended = cpu_deltas(memory, reading, usages, group_of)
            current.update((w, memory.usages[w]) for w in ended - memory.uncounted)
            _keep_holds(memory.usages, usages, self.gpus)
        current.update(usages)
        cpu_s.update(deltas)
        if memory is not None:
            fill_counts(usages, memory, deltas)
        uncounted = frozenset(u.workload for u in reading.usages if u.cpu_s is None)
        self.schedulers[reading.scheduler] = SchedulerMemory(
            time_s=time_s,
            usages=usages,
            group_of=group_of,
            group_cpu_s={group.name: group.cpu_s for group in reading.groups},
            last_cpu_s=deltas,
            uncounted=uncounted,
        )
        return ended


def _keep_holds(
    before: Mapping[WorkloadId, WorkloadUsage],
    usages: dict[WorkloadId, WorkloadUsage],
    known: frozenset[str],
) -> None:
    """Add the holds on GPUs that are not known again to ``usages``."""
    for workload, old in before.items():
        if not old.gpus or known.issuperset(hold.device for hold in old.gpus):
            continue
        usage = usages.get(workload)
        if usage is not None:
            told = {hold.device for hold in usage.gpus} | known
            kept = tuple(hold for hold in old.gpus if hold.device not in told)
            usages[workload] = replace(usage, gpus=usage.gpus + kept)


def _failing_sources(sample: Sample) -> int:
    """How many sources of workloads exist and could not be read."""
    return sum(
        status.info.component == "workloads"
        and not status.up
        and status.reason != "absent"
        for status in sample.sources
    )


def _holds(usages: Iterable[WorkloadUsage], elapsed_s: float) -> dict[str, HoldWindow]:
    by_device: dict[str, dict[WorkloadId, Hold]] = {}
    for usage in usages:
        for part in usage.gpus:
            activity = part.activity
            hold = Hold(
                part.share * elapsed_s,
                None if activity is None else activity * elapsed_s,
            )
            # A workload may hold several instances of one GPU.
            holds = by_device.setdefault(part.device, {})
            before = holds.get(usage.workload)
            holds[usage.workload] = hold if before is None else before.plus(hold)
    return {
        device: HoldWindow(elapsed_s, elapsed_s, holds)
        for device, holds in by_device.items()
    }
