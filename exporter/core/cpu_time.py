"""CPU time of each workload of one scheduler between two of its readings.

Counters of workloads and of the groups above them are cumulative. They are read
one after another, groups last.

* A workload that ended has no counter any more, but its group has: what the group
  used, minus what its living members used, was the last slice of those that ended.
* A workload that is new started from 0, as far as its group agrees: one that was
  found late has a history that was counted as somebody else's already. What was
  read a moment apart never agrees exactly, least of all on a busy machine. So did
  one whose count is lower than before.
* On the very first reading nobody knows, so workloads are only remembered.
* One that is reported without a counter has ended before: it is charged for then,
  and no more when it is not reported any longer.
* Over a long time between two readings others may have come and gone unseen. Then a
  slice is a workload's only if it alone ended and somebody took note of it; else it
  is unknown whose it was. Readings that somebody else took meanwhile make the times
  shorter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from exporter.core.units import Seconds
from exporter.core.workload import (
    WorkloadGroup,
    WorkloadId,
    WorkloadsReading,
    WorkloadUsage,
)

# By so much counters of one reading may disagree, s. A late workload is found half a
# minute late, and has used more by then.
_SKEW_S = 0.25

Counts = tuple[Mapping[WorkloadId, WorkloadUsage], Mapping[WorkloadId, str]]
"""Usages of one reading by workload, and the groups of those that are in one."""


@dataclass(slots=True)
class SchedulerMemory:
    """What is remembered of one scheduler: its last reading, and when it was."""

    time_s: Seconds
    usages: dict[WorkloadId, WorkloadUsage]
    group_of: dict[WorkloadId, str]
    group_cpu_s: dict[str, float]
    last_cpu_s: dict[WorkloadId, float] = field(default_factory=dict)
    uncounted: frozenset[WorkloadId] = frozenset()


class _Step(NamedTuple):
    """CPU time between two readings with nothing in between, s.

    Attributes:
        of: of each workload of which it is known.
        unknown_s: of workloads of which nobody knows which they were.
    """

    of: dict[WorkloadId, float]
    unknown_s: float


def cpu_time(
    memory: SchedulerMemory,
    reading: WorkloadsReading,
    counts: Counts,
    now_s: Seconds,
    trusted_s: float,
) -> tuple[dict[WorkloadId, float], float]:
    """Compare a reading with the one before, and with those missed in between.

    Args:
        memory: what is remembered of the one before.
        reading: the new one.
        counts: its usages and groups by workload.
        now_s: when it was taken, CLOCK_MONOTONIC, s.
        trusted_s: in a longer time workloads may have come and gone unseen, s.

    Returns:
        CPU time since then, s, of each workload of which it is known; and of
        workloads of which nobody knows which they were.
    """
    before = memory
    steps: list[_Step] = []
    for missed in reading.missed:
        elapsed_s = missed.time_s - before.time_s
        if elapsed_s <= 0:
            # It is contained in what is remembered.
            continue
        usages = {usage.workload: usage for usage in missed.usages}
        group_of = {w: group.name for group in missed.groups for w in group.members}
        step = _compare(
            before, (usages, group_of), missed.groups, is_long=elapsed_s > trusted_s
        )
        steps.append(step)
        before = SchedulerMemory(
            missed.time_s,
            # One that runs again later starts from 0 again.
            {w: usage for w, usage in usages.items() if usage.cpu_s is not None},
            group_of,
            {group.name: group.cpu_s for group in missed.groups},
            step.of,
        )
    is_long = now_s - before.time_s > trusted_s
    of, unknown_s = _compare(before, counts, reading.groups, is_long=is_long)
    for step in steps:
        unknown_s += step.unknown_s
        for workload, delta_s in step.of.items():
            of[workload] = of.get(workload, 0.0) + delta_s
    if steps:
        # Seen running meanwhile, and nobody can name them any more.
        for stranger in of.keys() - memory.usages.keys() - counts[0].keys():
            unknown_s += of.pop(stranger)
    return of, unknown_s


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


def _compare(
    memory: SchedulerMemory,
    counts: Counts,
    groups: tuple[WorkloadGroup, ...],
    *,
    is_long: bool,
) -> _Step:
    usages, group_of = counts
    deltas: dict[WorkloadId, float] = {}
    new: dict[str, list[WorkloadId]] = {}
    gone: dict[str, list[WorkloadId]] = {}
    known_s: dict[str, float] = {}
    for workload, usage in usages.items():
        name = group_of.get(workload, "")
        now_s = usage.cpu_s
        if now_s is None:
            gone.setdefault(name, []).append(workload)
            continue
        before = memory.usages.get(workload)
        if before is None or (before.cpu_s is not None and now_s < before.cpu_s):
            new.setdefault(name, []).append(workload)
            deltas[workload] = now_s
            continue
        # Without a count before, nobody knows since when it used all this.
        delta_s = 0.0 if before.cpu_s is None else now_s - before.cpu_s
        deltas[workload] = delta_s
        known_s[name] = known_s.get(name, 0.0) + delta_s

    for workload in memory.usages.keys() - usages.keys() - memory.uncounted:
        gone.setdefault(memory.group_of.get(workload, ""), []).append(workload)
    unknown_s = 0.0
    for group in groups:
        name = group.name
        before_s = memory.group_cpu_s.get(name)
        if before_s is None or not (is_long or name in new or name in gone):
            continue
        left_s = max(0.0, group.cpu_s - before_s - known_s.get(name, 0.0))
        left_s -= _charge_new(new.get(name, []), left_s, deltas)
        ended = gone.get(name, [])
        if ended and (not is_long or (len(ended) == 1 and ended[0] in usages)):
            deltas.update(_last_slices(ended, max(0.0, left_s), memory.last_cpu_s))
        elif is_long and left_s > _SKEW_S:
            unknown_s += left_s
    return _Step(deltas, unknown_s)


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
