"""CPU time of each workload of one scheduler between two of its readings.

Counters of workloads and of the groups above them are cumulative. They are read
one after another, groups last.

* A workload that ended has no counter any more, but its group has: what the group
  used, minus what its living members used, was the last slice of those that ended.
* A workload that is new started from 0, as far as its group agrees: one that was
  found late has a history that was counted as somebody else's already. What was
  read a moment apart never agrees exactly, least of all on a busy machine.
* On the very first reading nobody knows, so workloads are only remembered.
* One that is reported without a counter has ended before: it is charged for then,
  and no more when it is not reported any longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from exporter.core.model import WorkloadId, WorkloadsReading, WorkloadUsage
from exporter.core.units import Seconds

# By so much counters of one reading may disagree, s. A late workload is found half a
# minute late, and has used more by then.
_SKEW_S = 0.25


@dataclass(slots=True)
class SchedulerMemory:
    """What is remembered of one scheduler: its last reading, and when it was."""

    time_s: Seconds
    usages: dict[WorkloadId, WorkloadUsage]
    group_of: dict[WorkloadId, str]
    group_cpu_s: dict[str, float]
    last_cpu_s: dict[WorkloadId, float] = field(default_factory=dict)
    uncounted: frozenset[WorkloadId] = frozenset()


def cpu_deltas(
    memory: SchedulerMemory,
    reading: WorkloadsReading,
    usages: Mapping[WorkloadId, WorkloadUsage],
    group_of: Mapping[WorkloadId, str],
) -> tuple[dict[WorkloadId, float], set[WorkloadId]]:
    """Compare a reading with the one before.

    Args:
        memory: what is remembered of the one before.
        reading: the new one.
        usages: its usages by workload.
        group_of: the groups of those that are in one.

    Returns:
        CPU time since then, s, of each workload of which it is known; and which
        workloads are not there any longer.
    """
    deltas: dict[WorkloadId, float] = {}
    new: dict[str, list[WorkloadId]] = {}
    gone: dict[str, list[WorkloadId]] = {}
    known_s: dict[str, float] = {}
    for workload, usage in usages.items():
        name = group_of.get(workload, "")
        if usage.cpu_s is None:
            gone.setdefault(name, []).append(workload)
            continue
        before = memory.usages.get(workload)
        if before is None:
            new.setdefault(name, []).append(workload)
            deltas[workload] = usage.cpu_s
            continue
        delta_s = deltas[workload] = _count_delta(before.cpu_s, usage.cpu_s)
        known_s[name] = known_s.get(name, 0.0) + delta_s

    ended = memory.usages.keys() - usages.keys()
    for workload in ended - memory.uncounted:
        gone.setdefault(memory.group_of.get(workload, ""), []).append(workload)
    for group in reading.groups:
        name = group.name
        before_s = memory.group_cpu_s.get(name)
        if before_s is None or not (name in new or name in gone):
            continue
        left_s = max(0.0, group.cpu_s - before_s - known_s.get(name, 0.0))
        new_s = _charge_new(new.get(name, []), left_s, deltas)
        left_s = max(0.0, left_s - new_s)
        if name in gone:
            deltas.update(_last_slices(gone[name], left_s, memory.last_cpu_s))
    return deltas, ended


def fill_counts(
    usages: dict[WorkloadId, WorkloadUsage],
    memory: SchedulerMemory,
    deltas: Mapping[WorkloadId, float],
) -> None:
    """Give those without a count what they were charged for in all.

    So if their counter comes back, nothing is charged twice.
    """
    for workload, usage in usages.items():
        if usage.cpu_s is None:
            before = memory.usages.get(workload)
            before_s = Seconds(0.0) if before is None else before.cpu_s
            if before_s is not None:
                total_s = Seconds(before_s + deltas.get(workload, 0.0))
                usages[workload] = replace(usage, cpu_s=total_s)


def _count_delta(before_s: float | None, now_s: float) -> float:
    if before_s is None:
        # It was here before it could be counted: nobody knows since when.
        return 0.0
    # A lower count is a new cgroup of the same name: it started from 0.
    return now_s - before_s if now_s >= before_s else now_s


def _charge_new(
    new: list[WorkloadId], left_s: float, deltas: dict[WorkloadId, float]
) -> float:
    """Take the history of new workloads out of ``deltas``; return what is theirs."""
    claimed_s = sum(deltas[workload] for workload in new)
    if claimed_s <= left_s + _SKEW_S:
        return claimed_s
    for workload in new:
        deltas[workload] *= left_s / claimed_s
    return left_s


def _last_slices(
    gone: list[WorkloadId], slice_s: float, last_cpu_s: Mapping[WorkloadId, float]
) -> dict[WorkloadId, float]:
    """Divide what only the group's counter knows, by what each used before."""
    weights = {workload: last_cpu_s.get(workload, 0.0) for workload in gone}
    total = sum(weights.values())
    if total <= 0:
        return dict.fromkeys(gone, slice_s / len(gone))
    return {w: slice_s * (weight / total) for w, weight in weights.items()}
