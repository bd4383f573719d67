"""What one tick tells about usage: who was there, and what each used and held."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from exporter.core.presence import Presence, spans_of
from exporter.core.units import Seconds
from exporter.core.windows import (
    FORGOTTEN,
    HoldWindow,
    NodeWindow,
    Usage,
    UsageWindow,
)
from exporter.core.workload import WorkloadId, WorkloadUsage


class UsageStep(NamedTuple):
    """What one tick tells about usage.

    Attributes:
        elapsed_s: time since the last tick.
        unix_s: the wall clock now.
        node: the node since it was last read; ``None`` if it was not now, or if
            there is nothing to compare with.
        current: usages now, those of workloads that just ended included.
        ended: workloads that were here at the last reading and are not now.
        cpu_s: CPU time of each workload since the last reading of its scheduler.
        unknown_cpu_s: per scheduler, that of workloads of which nobody knows which.
        presence: who was there when since the last tick.
        silent_s: per scheduler that was read, the time since its last reading.
        complete: every scheduler could be read.
        holds: per GPU that somebody holds.
        holds_known: nobody else can be holding a GPU.
        unknown_gpus: GPUs of which that is not so, all the same.
    """

    elapsed_s: Seconds
    unix_s: Seconds
    node: NodeWindow | None
    current: Mapping[WorkloadId, WorkloadUsage]
    ended: frozenset[WorkloadId]
    cpu_s: Mapping[WorkloadId, float]
    unknown_cpu_s: Mapping[str, float]
    presence: Presence
    silent_s: Mapping[str, float]
    complete: bool
    holds: Mapping[str, HoldWindow]
    holds_known: bool
    unknown_gpus: frozenset[str]

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
        presence = self.presence
        for workload in presence.spans:
            used = usages[workload]
            part = presence.part(workload)
            usages[workload] = Usage(used[0], *(part * held for held in used[1:]))
        unknown_s = sum(
            seconds * inside.get(scheduler, 1.0)
            for scheduler, seconds in self.unknown_cpu_s.items()
        )
        if unknown_s > 0:
            usages[FORGOTTEN] = Usage(unknown_s, 0.0, 0.0, 0.0)
        window = UsageWindow(elapsed_s, self.node, usages, self.complete)
        return window.forget(presence.lost) if presence.lost else window

    def held_before(
        self, device: str, workloads: Collection[WorkloadId], waited_s: float
    ) -> HoldWindow:
        """Return who held a GPU before this tick, of those who hold it now.

        A workload has what it has from its begin to its end, even if it took a while
        until that was known.

        Args:
            device: name of the GPU.
            workloads: those who hold it now, and were not known to before.
            waited_s: length of the time before this tick that is asked for, s.
        """
        # What they did then is not what they do now.
        usages = [self.current[workload].at_another_time() for workload in workloads]
        until_unix_s = self.unix_s - self.elapsed_s
        spans = spans_of(usages, waited_s, until_unix_s, ())
        return Presence(waited_s, spans).holds(usages)[device]
