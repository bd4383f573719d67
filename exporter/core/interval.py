"""From the usages of two samples to what each workload used in between.

A scheduler that cannot be read is held to have what it had for a minute; after
that nobody knows who is running. Its workloads' counters go on meanwhile, so the
next reading tells of the whole time.

A scheduler names the GPUs of a workload as soon as they are known, which takes a
tick or more after a start. Until a GPU has been read, whoever held it before and is
still there holds it: else what it drew meanwhile would be nobody's.

After a long time without a tick, as when the daemon was dead, a workload counts for
the part of it in which it was there. Of one that ended meanwhile, and of whose end
nobody took note, nothing is known but what it had used before.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from exporter.core.cpu_time import SchedulerMemory, cpu_time, fill_counts
from exporter.core.metering import STALE_AFTER_INTERVALS
from exporter.core.model import Sample
from exporter.core.presence import Presence, spans_of
from exporter.core.units import Seconds
from exporter.core.usage_step import UsageStep
from exporter.core.windows import NodeWindow
from exporter.core.workload import (
    NodeUsage,
    WorkloadId,
    WorkloadsReading,
    WorkloadUsage,
)

_HELD_TRUE_S = 60.0
# A scheduler that is silent, though no source fails, has left the machine: it is
# absent or no longer configured. Not at once: the whole machine may be starting.
_GONE_AFTER_S = 600.0
# In a longer time workloads may have come and gone unseen. Half an interval is for a
# tick that came late.
_TRUSTED_INTERVALS = STALE_AFTER_INTERVALS + 0.5


@dataclass(slots=True)
class UsageTracker:
    """Remembers the last usages; one ``advance`` a tick.

    Attributes:
        time_s: when that was; ``None`` before the first tick.
        node: the last usage of the node.
        schedulers: what is remembered of each scheduler.
        gpus: names of the GPUs that were read in the last tick of this process in
            which there was a scheduler.
    """

    time_s: Seconds | None = None
    node: NodeUsage | None = None
    schedulers: dict[str, SchedulerMemory] = field(default_factory=dict)
    gpus: frozenset[str] = frozenset()

    def advance(self, sample: Sample) -> UsageStep:
        """Take the usages of a sample into account."""
        elapsed_s = Seconds(0.0 if self.time_s is None else sample.time_s - self.time_s)
        self.time_s = sample.time_s
        trusted_s = _TRUSTED_INTERVALS * sample.interval_s
        is_long = elapsed_s > trusted_s
        there_before: Collection[WorkloadId] = ()
        if is_long:
            memories = self.schedulers.values()
            there_before = {w for memory in memories for w in memory.usages}

        node = self._node_window(sample.node)
        failing = _failing_sources(sample)
        if not (sample.workloads or self.schedulers):
            return _nobody(sample, elapsed_s, node, is_complete=not failing)
        told = _Told()
        unread = self.schedulers.keys() - {r.scheduler for r in sample.workloads}
        for reading in sample.workloads:
            self._advance_scheduler(reading, sample, trusted_s, told)
        # Only from the next tick on do schedulers know a GPU that is new.
        self.gpus = frozenset(
            reading.device.id.name
            for reading in sample.readings
            if reading.device.id.component == "gpu"
        )
        held = self._hold_true(unread, sample.time_s, told, is_failing=failing > 0)
        silent = len(unread & self.schedulers.keys())
        current = told.current
        dated = current.values() if is_long else told.dated
        spans = spans_of(dated, elapsed_s, sample.unix_s, there_before)
        presence = Presence(elapsed_s, spans, frozenset(told.lost))
        return UsageStep(
            elapsed_s=elapsed_s,
            unix_s=sample.unix_s,
            node=node,
            current=current,
            ended=frozenset(told.ended),
            cpu_s=told.cpu_s,
            unknown_cpu_s=told.unknown_cpu_s,
            presence=presence,
            silent_s=told.silent_s,
            complete=not (silent or failing),
            holds=presence.holds(current.values(), told.gpu_activity),
            # A source that fails and was never read hides holds as well.
            holds_known=max(silent, failing) <= held,
            unknown_gpus=frozenset[str]().union(
                *(reading.unknown_gpus for reading in sample.workloads)
            ),
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
        sample: Sample,
        trusted_s: float,
        told: "_Told",
    ) -> None:
        scheduler, time_s = reading.scheduler, sample.time_s
        memory = self.schedulers.get(scheduler)
        silence_s = 0.0 if memory is None else time_s - memory.time_s
        usages = {usage.workload: usage for usage in reading.usages}
        told.gpu_activity.update(reading.gpu_activity)
        told.dated += _take_ended(usages, memory, sample.unix_s - silence_s)
        deltas: dict[WorkloadId, float] = {}
        group_of = {w: g.name for g in reading.groups for w in g.members}
        if memory is None:
            told.current.update(usages)
        else:
            told.silent_s[scheduler] = silence_s
            deltas, unknown_s = cpu_time(
                memory, reading, (usages, group_of), time_s, trusted_s
            )
            told.cpu_s.update(deltas)
            told.unknown_cpu_s[scheduler] = unknown_s
            ended = memory.usages.keys() - usages.keys()
            told.ended |= ended
            gone = ended - memory.uncounted
            told.current.update((w, memory.usages[w].at_another_time()) for w in gone)
            if silence_s > trusted_s:
                told.lost |= gone
            _keep_holds(memory.usages, usages, self.gpus)
            told.current.update(usages)
            fill_counts(usages, memory, deltas)
        self.schedulers[scheduler] = SchedulerMemory(
            time_s=time_s,
            usages=usages,
            group_of=group_of,
            group_cpu_s={group.name: group.cpu_s for group in reading.groups},
            last_cpu_s=deltas,
            uncounted=frozenset(u.workload for u in reading.usages if u.cpu_s is None),
        )

    def _hold_true(
        self,
        unread: Collection[str],
        time_s: Seconds,
        told: "_Told",
        *,
        is_failing: bool,
    ) -> int:
        """Let schedulers that were not read have what they had; return how many."""
        held = 0
        for scheduler in unread:
            memory = self.schedulers[scheduler]
            silence_s = time_s - memory.time_s
            if silence_s <= _HELD_TRUE_S:
                held += 1
                told.current.update(
                    (w, usage.at_another_time())
                    for w, usage in memory.usages.items()
                    if w not in memory.uncounted
                )
            elif silence_s > _GONE_AFTER_S and not is_failing:
                told.ended |= memory.usages.keys()
                del self.schedulers[scheduler]
        return held


@dataclass(slots=True)
class _Told:
    """What all schedulers together told in one tick; see ``UsageStep``.

    Attributes:
        dated: usages of which it is told till when.
        lost: workloads that ended, and nobody knows when.
        gpu_activity: the part of each GPU that was busy, as far as that is told.
    """

    current: dict[WorkloadId, WorkloadUsage] = field(default_factory=dict)
    cpu_s: dict[WorkloadId, float] = field(default_factory=dict)
    unknown_cpu_s: dict[str, float] = field(default_factory=dict)
    silent_s: dict[str, float] = field(default_factory=dict)
    ended: set[WorkloadId] = field(default_factory=set)
    dated: list[WorkloadUsage] = field(default_factory=list)
    lost: set[WorkloadId] = field(default_factory=set)
    gpu_activity: dict[str, float] = field(default_factory=dict)


def _take_ended(
    usages: dict[WorkloadId, WorkloadUsage],
    memory: SchedulerMemory | None,
    silence_from_unix_s: float,
) -> list[WorkloadUsage]:
    """Add to those whose end is dated what was known of them while they ran.

    Args:
        usages: of all; loses those that had ended before the last reading.
        memory: of the last reading.
        silence_from_unix_s: when that was, on the wall clock, s.

    Returns:
        All that are left of those whose end is dated.
    """
    dated: list[WorkloadUsage] = []
    for usage in [usage for usage in usages.values() if usage.end_unix_s is not None]:
        workload, end_unix_s = usage.workload, usage.end_unix_s
        known = None if memory is None else memory.usages.get(workload)
        if known is not None:
            usages[workload] = replace(
                known,
                cpu_s=None,
                gpus=usage.gpus or known.at_another_time().gpus,
                labels=usage.labels,
                end_unix_s=end_unix_s,
            )
        elif memory is None or (end_unix_s or 0.0) <= silence_from_unix_s:
            del usages[workload]
            continue
        dated.append(usages[workload])
    return dated


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
            held = old.at_another_time().gpus
            kept = tuple(hold for hold in held if hold.device not in told)
            usages[workload] = replace(usage, gpus=usage.gpus + kept)


def _failing_sources(sample: Sample) -> int:
    """How many sources of workloads exist and could not be read."""
    reasons = [
        status.reason
        for status in sample.sources
        if status.reason and status.info.component == "workloads"
    ]
    return len(reasons) - reasons.count("absent")


def _nobody(
    sample: Sample, elapsed_s: Seconds, node: NodeWindow | None, *, is_complete: bool
) -> UsageStep:
    """Return the step of a tick in which no scheduler told anything, nor ever did."""
    return UsageStep(
        elapsed_s=elapsed_s,
        unix_s=sample.unix_s,
        node=node,
        current={},
        ended=frozenset(),
        cpu_s={},
        unknown_cpu_s={},
        presence=Presence(elapsed_s, {}),
        silent_s={},
        complete=is_complete,
        holds={},
        # A source that fails and was never read hides holds as well.
        holds_known=is_complete,
        unknown_gpus=frozenset(),
    )
