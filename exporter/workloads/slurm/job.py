"""One job on this node, and what is known of it.

That comes in pieces: the drop file at once, the environment of a process when
there is one, limits when Slurm has set them. A suspended job is one whose counter
stands still; a requeued one goes on under the same id.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.core.units import Seconds
from exporter.core.workload import GpuHold, WorkloadId, WorkloadLabels, WorkloadUsage
from exporter.workloads.labels import UserNaming, shorten
from exporter.workloads.slurm import facts
from exporter.workloads.slurm.job_cgroups import JobCgroups
from exporter.workloads.slurm.slow import SlowReadings
from exporter.workloads.slurm.told import Told
from exporter.workloads.users import UserNames

if TYPE_CHECKING:
    from exporter.workloads.slurm.hub_jobs import HubJob

SCHEDULER = "slurm"
GROUP = "slurm"
"""Name of the one group that all jobs are in."""

# Labels that are not complete are given out after this long: before the ledger
# does without, and late enough for the first process to have begun.
LABELS_WAIT_S = 4.0

_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 60.0
# It takes a tick or two until a daemon that has just started knows the GPUs.
_MOST_FAREWELLS = 5


class Job:
    """A job, from its first cgroup to its last.

    Args:
        job_id: as Slurm numbers it on the node; "" while only ``sluid`` is known.
        sluid: its other name, where cgroups are named by it.
        now_s: CLOCK_MONOTONIC, s.
        unix_s: the wall clock, s.
        spread: 0..1, different from job to job, so that what is read slowly is not
            read of all jobs in the same tick.

    Attributes:
        cgroups: what it runs in; empty when it has ended.
        uid: whose job it is, as far as the kernel or root tells.
        cpu_s: its last count; ``None`` where nothing counts, or when it has ended.
        told: what witnesses tell of it.
        slow: its memory and limits, and when to ``refresh`` it.
        holds: the GPUs it holds.
        labels: ``None`` until they are fixed.
        farewells: how often it was reported although it has ended.
        end_unix_s: when it ended, if somebody took note while no daemon read.
        next_search_s: when to look for a process of it again.
    """

    def __init__(
        self, job_id: str, sluid: str, now_s: float, unix_s: float, spread: float
    ) -> None:
        self.job_id = job_id
        self.sluid = sluid
        self.cgroups = JobCgroups()
        self.uid: int | None = None
        self.cpu_s: Seconds | None = None
        self.told = Told()
        self.slow = SlowReadings(now_s, spread)
        self.holds: tuple[GpuHold, ...] = ()
        self._shown_holds: tuple[GpuHold, ...] = ()
        self.labels: WorkloadLabels | None = None
        self.farewells = 0
        self.end_unix_s: Seconds | None = None
        self._was_told = False
        self.next_search_s = now_s
        self._retry_s = _FIRST_RETRY_S
        self._workload: WorkloadId | None = None
        self._first_seen_s = now_s
        self._began_unix_s = Seconds(unix_s)
        self._previous_unix_s = float("-inf")
        self._reserved: tuple[float, float] = (0.0, 0.0)
        self._times: tuple[Seconds | None, Seconds | None] = (None, None)
        self._usage: WorkloadUsage | None = None

    # --- identity ---------------------------------------------------------------

    @property
    def workload(self) -> WorkloadId:
        """Its identity; the same for a requeued job."""
        if self._workload is None:
            self._workload = WorkloadId(SCHEDULER, self.job_id or self.sluid)
        return self._workload

    @property
    def is_nameless(self) -> bool:
        """Its id has yet to be found, and it has not been reported without."""
        return not self.job_id and self._workload is None

    def age_s(self, now_s: float) -> float:
        """Time since it was first seen, s."""
        return now_s - self._first_seen_s

    @property
    def is_done(self) -> bool:
        """It has ended, and there is nothing left to report of it."""
        return self._was_told and not self.cgroups and not self._waits_for_gpus

    def accept_sluid(self) -> None:
        """Let it be known by its SLUID: its id cannot be found."""
        self._workload = WorkloadId(SCHEDULER, self.sluid)

    # --- what is known ------------------------------------------------------------

    def count(self) -> None:
        """Read its CPU time, and notice if it has ended.

        Raises:
            SourceError: a cgroup is there and cannot be read.
        """
        self.cpu_s = self.cgroups.cpu_s()

    def note_beginning(self, unix_s: float) -> None:
        """Take the age of a cgroup for the job's, if it is older than known."""
        self._began_unix_s = Seconds(min(self._began_unix_s, unix_s))

    def refresh(self, now_s: float) -> bool:
        """Read again what changes slowly; return whether its limits changed."""
        is_other_memory, are_other_limits = self.slow.refresh(self.cgroups, now_s)
        if is_other_memory:
            self._usage = None
        return are_other_limits

    def search_later(self, now_s: float) -> None:
        """Put off looking for a process, ever longer."""
        self.next_search_s = now_s + self._retry_s
        self._retry_s = min(self._retry_s * 2, _LONGEST_RETRY_S)

    def set_holds(self, holds: tuple[GpuHold, ...]) -> bool:
        """Set which GPUs it holds; return whether that is new."""
        if holds == self.holds:
            return False
        self.holds = self._shown_holds = holds
        self._usage = None
        return True

    def show_activity(self, holds: tuple[GpuHold, ...]) -> None:
        """Report these holds: those it has, with what it did in this tick."""
        if holds != self._shown_holds:
            self._shown_holds = holds
            self._usage = None

    def hear(self, hub: "HubJob") -> bool:
        """Take the word of the hub, if it is of this run; return whether it is new."""
        if hub == self.told.hub:
            self.told.hub = hub
            return False
        began_s = self._times[0] or self._began_unix_s
        if hub.start_unix_s <= self._previous_unix_s or not hub.is_of(
            self.uid, began_s
        ):
            return False
        self.told.hub = hub
        return True

    def derive(self, unix_s: float) -> None:
        """Work out reservations and times from all that is known now."""
        cpus = self.slow.limits.cpus or self.told.cpus() or 0
        gpus = sum(hold.share for hold in self.holds)
        memory = self.slow.limits.memory_bytes or self.told.memory_bytes(cpus, gpus)
        self._reserved = (float(cpus), float(memory or 0.0))
        self._times = self.told.times(unix_s, self._began_unix_s)
        if self.labels is not None:
            info = self.told.info()
            if len(info) > len(self.labels.info):
                self.labels = replace(self.labels, info=info)
        self._usage = None

    def settle_labels(
        self,
        now_s: float,
        users: UserNames,
        naming: UserNaming,
        *,
        may_search: bool,
        may_ask: bool = False,
    ) -> None:
        """Fix the labels if all is known, or if it takes too long.

        What only describes the job (``info``) may still come later.

        Args:
            now_s: CLOCK_MONOTONIC, s.
            users: knows names of users.
            naming: how they are written.
            may_search: environments of processes can be read.
            may_ask: the hub may tell what is missing.
        """
        told = self.told
        user, self.uid = told.user(users, self.uid)
        may_learn = may_search and told.may_learn and told.hub is None
        may_learn |= may_ask and not told.text("SLURM_JOB_NAME")
        may_learn &= bool(self.cgroups)
        is_due = self.age_s(now_s) >= LABELS_WAIT_S or self.farewells > 1
        # A user whom nobody asked about will not be known later.
        is_due |= not self.cgroups and self.uid is None
        if (user is None or may_learn) and not is_due:
            return
        if user is None:
            claimed = told.text("SLURM_JOB_USER")
            user = claimed or ("" if self.uid is None else str(self.uid))
        self.labels = WorkloadLabels(
            job_id=self.job_id or told.text("SLURM_JOB_ID") or self.sluid,
            user=naming.label(user),
            account=shorten(told.text("SLURM_JOB_ACCOUNT")),
            partition=shorten(told.text("SLURM_JOB_PARTITION")),
            info=told.info(),
        )
        self._usage = None

    # --- what is reported -----------------------------------------------------------

    def usage(self) -> WorkloadUsage:
        """Return what it has used and holds; the same object if nothing changed."""
        usage = self._usage
        if usage is None or usage.cpu_s != self.cpu_s:
            cpus, memory = self._reserved
            start_s, limit_s = self._times
            usage = self._usage = WorkloadUsage(
                self.workload,
                self.cpu_s,
                self.slow.memory_bytes,
                cpus,
                memory,
                self._shown_holds,
                self.labels,
                start_s,
                limit_s,
                self.end_unix_s,
            )
            self._was_told = self.labels is not None
        return usage

    def say_farewell(self) -> bool:
        """Prepare to report it although it has ended.

        Returns:
            Whether what it used last, and held till now, is charged now. That is so
            the first time, unless it ended long ago; later only its labels are told.
        """
        self.farewells += 1
        if self.end_unix_s is not None:
            return False
        if self.farewells == 1:
            return True
        self.set_holds(())
        self._reserved = (0.0, 0.0)
        self.slow.memory_bytes = None
        self._usage = None
        return False

    def take_over(self, previous: "Job") -> None:
        """Be reported in place of the last run of the same job.

        Nothing that was known of that one holds for this one, but its count goes on,
        if it was reported in the last tick.
        """
        self.cgroups.go_on_from(previous.cpu_s or Seconds(0.0))
        self._previous_unix_s = previous._began_unix_s  # noqa: SLF001 - of the same class
        previous.retire()

    def note_end(self, unix_s: Seconds) -> None:
        """Take note that it ended at a moment when no daemon read."""
        self.end_unix_s = unix_s
        self._was_told = False
        self._usage = None

    def retire(self) -> None:
        """Report nothing of it any more."""
        self._was_told = True

    @property
    def _waits_for_gpus(self) -> bool:
        """It held GPUs when no daemon read, and they have yet to be found."""
        drop = self.told.drop
        if self.end_unix_s is None or drop is None or self.holds:
            return False
        is_patient = self.farewells < _MOST_FAREWELLS
        return is_patient and bool(facts.gpus_of(drop.facts, is_hook=True))
