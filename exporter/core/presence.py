"""Which part of a time each workload was there, and what it held meanwhile.

Usually that is all of a tick: what happens within one is spread over it. A long time
passes between two ticks when the daemon was dead. Then a workload that began or ended
meanwhile was there for a part of it, if anybody knows when; of one whose end nobody
took note of it is unknown what it held and for how long.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from exporter.core.windows import FORGOTTEN, Hold, HoldWindow
from exporter.core.workload import NO_ACTIVITY, WorkloadId, WorkloadUsage

Span = tuple[float, float]


class Presence(NamedTuple):
    """Who was there when, in a time of some seconds.

    Attributes:
        elapsed_s: length of that time, s.
        spans: from when to when, s after its begin, of those that were not there all
            the time.
        lost: those of which nobody knows till when.
    """

    elapsed_s: float
    spans: Mapping[WorkloadId, Span]
    lost: frozenset[WorkloadId] = frozenset()

    def part(self, workload: WorkloadId) -> float:
        """In which part of the time a workload was there, 0..1."""
        begins_s, ends_s = self.spans.get(workload, (0.0, self.elapsed_s))
        return (ends_s - begins_s) / self.elapsed_s if self.elapsed_s > 0 else 1.0

    def holds(
        self,
        usages: Iterable[WorkloadUsage],
        activity: Mapping[str, float] = NO_ACTIVITY,
    ) -> dict[str, HoldWindow]:
        """Return who held which GPU: what is lost is ``FORGOTTEN``'s, if not others'.

        Args:
            usages: of those that were there.
            activity: the part of each GPU that was busy, as far as that is told.
        """
        by_device: dict[str, dict[WorkloadId, Hold]] = {}
        for usage in usages:
            if not usage.gpus:
                continue
            workload = usage.workload
            seconds = self.elapsed_s
            if workload in self.spans:
                seconds *= self.part(workload)
            if workload in self.lost:
                workload = FORGOTTEN
            for part in usage.gpus:
                busy = part.activity
                hold = Hold(
                    part.share * seconds, None if busy is None else busy * seconds
                )
                # A workload may hold several instances of one GPU.
                holds = by_device.setdefault(part.device, {})
                before = holds.get(workload)
                holds[workload] = hold if before is None else before.plus(hold)
        return {
            device: HoldWindow(
                self.elapsed_s,
                self._held_s(holds),
                holds,
                activity.get(device, 0.0) * self.elapsed_s,
            ).with_forgotten_last()
            for device, holds in by_device.items()
        }

    def _held_s(self, holds: Collection[WorkloadId]) -> float:
        """How long any of them was there, s."""
        if not self.spans:
            return self.elapsed_s
        whole = (0.0, self.elapsed_s)
        held_s = end_s = 0.0
        for begins_s, ends_s in sorted(self.spans.get(w, whole) for w in holds):
            held_s += max(0.0, ends_s - max(begins_s, end_s))
            end_s = max(end_s, ends_s)
        return held_s


def spans_of(
    usages: Iterable[WorkloadUsage],
    elapsed_s: float,
    until_unix_s: float,
    there_before: Collection[WorkloadId],
) -> dict[WorkloadId, Span]:
    """Return when workloads were there, of those that were not all the time.

    Args:
        usages: what is told of them.
        elapsed_s: length of the time in question, s.
        until_unix_s: its end on the wall clock, on which workloads are dated, s.
        there_before: those that were there when it began.
    """
    from_unix_s = until_unix_s - elapsed_s
    spans: dict[WorkloadId, Span] = {}
    for usage in usages:
        begins_s, ends_s = 0.0, elapsed_s
        if usage.start_unix_s is not None and usage.workload not in there_before:
            begins_s = min(max(0.0, usage.start_unix_s - from_unix_s), elapsed_s)
        if usage.end_unix_s is not None:
            ends_s = min(max(begins_s, usage.end_unix_s - from_unix_s), elapsed_s)
        if (begins_s, ends_s) != (0.0, elapsed_s):
            spans[usage.workload] = (begins_s, ends_s)
    return spans
