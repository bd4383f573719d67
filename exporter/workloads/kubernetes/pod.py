"""One pod on this node, and what is known of it.

Its cgroup tells what it uses; what it is called, and what it requested, is told by
others, maybe later and maybe not at all.
"""

from dataclasses import replace

from exporter.core.units import Seconds
from exporter.core.workload import GpuHold, WorkloadId, WorkloadLabels, WorkloadUsage
from exporter.workloads.cgroups import Cgroup
from exporter.workloads.kubernetes import SCHEDULER
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.pod_cgroup import PodCgroup
from exporter.workloads.kubernetes.pod_labels import info_of, labels_of
from exporter.workloads.kubernetes.pod_limits import PodLimits
from exporter.workloads.kubernetes.reservation import NodeSize

# Labels that are not complete are given out after this long: before the ledger does
# without.
LABELS_WAIT_S = 4.0


class Pod:
    """A pod, from its cgroup on until all of it was told.

    Args:
        uid: as its cgroup is named.
        now_s: CLOCK_MONOTONIC, s.
        unix_s: the wall clock, s.
        spread: 0..1, different from pod to pod, so that what is read slowly is not
            read of all pods in the same tick.

    Attributes:
        workload: its identity.
        cpu_s: its last count; ``None`` where nothing counts, or when it has ended.
        facts: what others tell of it; ``None`` as long as nobody does.
        holds: the GPUs it holds.
        labels: ``None`` until they are fixed.
        farewells: how often it was reported although it has ended.
        refresh_due_s: when to ``refresh`` it, CLOCK_MONOTONIC, s.
    """

    def __init__(self, uid: str, now_s: float, unix_s: float, spread: float) -> None:
        self.uid = uid
        self.workload = WorkloadId(SCHEDULER, uid)
        self.cpu_s: Seconds | None = None
        self.facts: PodFacts | None = None
        self.holds: tuple[GpuHold, ...] = ()
        self._shown_holds: tuple[GpuHold, ...] = ()
        self.labels: WorkloadLabels | None = None
        self.farewells = 0
        self.refresh_due_s = now_s
        self._cgroup = PodCgroup()
        self._limits = PodLimits(now_s, spread)
        self._was_told = False
        self._first_seen_s = now_s
        self._shown_from_s: float | None = None
        self._began_unix_s = unix_s
        self._reserved: tuple[float, float] = (0.0, 0.0)
        self._usage: WorkloadUsage | None = None

    # --- its cgroup ---------------------------------------------------------------

    @property
    def is_here(self) -> bool:
        """It has a cgroup, as far as was noticed."""
        return self._cgroup.current is not None

    def is_in(self, inode: int) -> bool:
        """Whether it is in this cgroup; 0 stands for any."""
        return self._cgroup.is_at(inode)

    def enter(
        self, cgroup: Cgroup, inode: int, made_unix_s: float, *, is_v1: bool
    ) -> None:
        """Take a cgroup for its own, in place of the one it had.

        Args:
            cgroup: the new one.
            inode: tells it from others of the same path.
            made_unix_s: when it was made, on the wall clock.
            is_v1: it is one of version 1.
        """
        self._began_unix_s = min(self._began_unix_s, made_unix_s)
        self._cgroup.enter(cgroup, inode, is_v1=is_v1)
        self.farewells = 0
        self._was_told = False

    def leave(self) -> None:
        """Notice that its cgroup is gone."""
        self._cgroup.leave()

    def count(self) -> None:
        """Read its CPU time, and notice if it has ended.

        Raises:
            SourceError: its cgroup is there and cannot be read.
        """
        self.cpu_s = self._cgroup.cpu_s()

    # --- what is known ------------------------------------------------------------

    def age_s(self, now_s: float) -> float:
        """Time since it was first seen, s."""
        return now_s - self._first_seen_s

    @property
    def start_unix_s(self) -> float:
        """When it started, on the wall clock, as far as anybody knows."""
        told = None if self.facts is None else self.facts.start_unix_s
        return told or self._began_unix_s

    @property
    def is_nameless(self) -> bool:
        """Somebody may know more of it than is known here."""
        return self.facts is None or not self.facts.is_whole

    @property
    def is_waited_for(self) -> bool:
        """It has used nothing yet and nobody knows it: the kubelet prepares it."""
        return self.facts is None and self.cpu_s == Seconds(0.0) and self.is_here

    def refresh(self, now_s: float) -> bool:
        """Read again what changes slowly; return whether its limits changed."""
        cgroup, limits = self._cgroup.current, self._limits
        if cgroup is None:
            return False
        memory_bytes = limits.memory_bytes
        has_changed = limits.refresh(cgroup, now_s)
        if limits.memory_bytes != memory_bytes:
            self._usage = None
        self.refresh_due_s = limits.due_s
        return has_changed

    def set_holds(self, holds: tuple[GpuHold, ...]) -> None:
        """Set which GPUs it holds."""
        if holds != self.holds:
            self.holds = self._shown_holds = holds
            self._usage = None

    def show_activity(self, holds: tuple[GpuHold, ...]) -> None:
        """Report these holds: those it has, with what it did in this tick."""
        if holds != self._shown_holds:
            self._shown_holds = holds
            self._usage = None

    def derive(self, node: NodeSize) -> None:
        """Work out what it reserved from all that is known now."""
        facts = self.facts
        if facts is not None and facts.is_whole:
            # Nothing requested is known just as well.
            self._reserved = (facts.cpus or 0.0, facts.memory_bytes or 0.0)
        else:
            is_v1 = self._cgroup.is_v1
            self._reserved = self._limits.reserved(node, is_v1=is_v1)
        if self.labels is not None:
            info = info_of(facts)
            if len(info) > len(self.labels.info):
                self.labels = replace(self.labels, info=info)
        self._usage = None

    def settle_labels(self, now_s: float, *, may_learn: bool) -> None:
        """Fix the labels if all is known, or if it takes too long.

        It is asked for each tick in which it is reported, until they are. What only
        describes the pod (``info``) may still come later.

        Args:
            now_s: CLOCK_MONOTONIC, s.
            may_learn: somebody may yet tell more of it.
        """
        if self._shown_from_s is None:
            self._shown_from_s = now_s
        is_due = now_s - self._shown_from_s >= LABELS_WAIT_S or self.farewells > 1
        if self.is_nameless and may_learn and not is_due:
            return
        self.labels = labels_of(self.uid, self.facts)
        self._usage = None

    # --- what is reported -----------------------------------------------------------

    def usage(self) -> WorkloadUsage:
        """Return what it has used and holds; the same object if nothing changed."""
        usage = self._usage
        if usage is None or usage.cpu_s != self.cpu_s:
            limit_s = None if self.facts is None else self.facts.time_limit_s
            cpus, memory = self._reserved
            usage = self._usage = WorkloadUsage(
                self.workload,
                self.cpu_s,
                self._limits.memory_bytes,
                cpus,
                memory,
                self._shown_holds,
                self.labels,
                Seconds(self.start_unix_s),
                None if limit_s is None else Seconds(limit_s),
            )
        self._was_told = self.labels is not None
        return usage

    @property
    def is_done(self) -> bool:
        """It has ended, and there is nothing left to report of it."""
        return self._was_told and not self.is_here

    def say_farewell(self) -> bool:
        """Prepare to report it although it has ended.

        Returns:
            Whether this is the first time: what it used last, and held till now, is
            charged then. Later only its labels are told.
        """
        self.farewells += 1
        if self.farewells == 1:
            return True
        self.set_holds(())
        self._reserved = (0.0, 0.0)
        self._limits.memory_bytes = None
        self._usage = None
        return False
