"""Who is running under Slurm on this node, without asking Slurm.

A reading costs one ``pread`` per job: its CPU counter is kept open. New and ended
jobs are told by the watcher; every half minute everything is looked at again, in
case something was missed. What is slow (memory, limits, environments) is read now
and then, and of few jobs in the same tick.

A job that was made and removed since the last reading is reported all the same,
without a count: its group's counter knows what it used. So is one that ended
before its labels were known, once or twice more. If nothing was read for a while, as
when the daemon was dead, what the Epilog wrote down meanwhile is read first.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from exporter.core.errors import SourceAbsentError
from exporter.core.model import SourceInfo
from exporter.core.ports import GpuInventory
from exporter.core.units import Seconds
from exporter.core.workload import (
    MissedReading,
    WorkloadGroup,
    WorkloadId,
    WorkloadsReading,
    WorkloadUsage,
)
from exporter.workloads.cgroups import CgroupTrees, FileBudget, find_trees
from exporter.workloads.doubts import Doubts
from exporter.workloads.inotify import Inotify
from exporter.workloads.labels import UserNaming
from exporter.workloads.remainder import Remainder, Root
from exporter.workloads.slurm.drops import DropDirectory
from exporter.workloads.slurm.end_records import EndRecords
from exporter.workloads.slurm.gpu_claims import GpuSettings
from exporter.workloads.slurm.gpus import GpuOwners
from exporter.workloads.slurm.job import GROUP, SCHEDULER, Job
from exporter.workloads.slurm.missed import catch_up
from exporter.workloads.slurm.places import SlurmPlaces
from exporter.workloads.slurm.registry import JobRegistry
from exporter.workloads.slurm.search import EnvironmentSearch
from exporter.workloads.slurm.tree import Holder, JobPlace, scan
from exporter.workloads.slurm.watcher import Watcher
from exporter.workloads.users import UserNames

if TYPE_CHECKING:
    from exporter.workloads.slurm.hub_jobs import HubJobs

_INFO = SourceInfo(
    name="slurm", component="workloads", method="none", quality="none", scope="node"
)

_LOOK_AGAIN_S = 30.0
# Without a watcher jobs are only found by looking.
_LOOK_UNWATCHED_S = 1.0
_LOOK_FOR_SLURM_S = 10.0
# So many jobs' memory and limits are read in a tick; the others wait their turn.
_MOST_REFRESHED = 150
# A daemon that reads this often hears from the Epilog itself.
_SILENCE_S = 3.0


class SlurmWorkloads:
    """Reads the jobs of this node; implements ``core.ports.WorkloadSource``.

    Args:
        places: where Slurm's traces are.
        inventory: which GPUs there are.
        gpus: how they are numbered and shared.
        naming: how users are written.
        users: knows names of users.
        monotonic: CLOCK_MONOTONIC, s.
        unix_time: the wall clock, s.
        budget: how many files may be kept open.
        open_inotify: opens an inotify instance.
        hub_jobs: what the hub tells; ``None`` if it is not asked.
    """

    def __init__(  # noqa: PLR0913 - everything it knows comes from outside
        self,
        places: SlurmPlaces,
        inventory: GpuInventory,
        gpus: GpuSettings | None = None,
        naming: UserNaming | None = None,
        *,
        users: UserNames | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        budget: FileBudget | None = None,
        open_inotify: Callable[[], Inotify] = Inotify,
        hub_jobs: "HubJobs | None" = None,
    ) -> None:
        self._places = places
        self._naming = naming or UserNaming()
        self._users = users or UserNames(monotonic=monotonic)
        self._monotonic = monotonic
        self._unix_time = unix_time
        self._doubts = Doubts(_INFO.name)
        self._drops = DropDirectory(places.drops, unix_time)
        self._ends = EndRecords(places.ended)
        self._watcher = Watcher(self._drops, open_inotify)
        self._search = EnvironmentSearch(places.procfs, self._doubts, monotonic)
        self._hub_jobs = hub_jobs
        self._owners = GpuOwners(
            inventory, gpus or GpuSettings(), places.procfs, self._doubts
        )
        budget = budget or FileBudget.of_this_process()
        self._remainder = Remainder(budget)
        self._jobs = JobRegistry(self._drops, budget)
        self._trees = CgroupTrees()
        self._is_here = False
        self._watched: tuple[Holder, ...] = ()
        self._next_look_s = 0.0
        self._read_s = float("-inf")
        self._absence = (
            f"no cgroup of Slurm in {places.cgroupfs}, and no directory {places.drops}"
        )

    @property
    def info(self) -> SourceInfo:
        """Usage of jobs; it measures no energy."""
        return _INFO

    @property
    def doubt(self) -> str:
        """What is doubtful of what was read; "" if nothing."""
        return self._doubts.latest

    @property
    def doubts(self) -> tuple[tuple[str, int], ...]:
        """How often something was doubtful, by kind."""
        return self._doubts.counts

    def read(self) -> WorkloadsReading:
        """Read all jobs once.

        Returns:
            The jobs that run, and those that ended without having been reported.
            They are one group, where anything counts their CPU time.

        Raises:
            SourceAbsentError: no trace of Slurm on this node.
            SourceDeniedError: the cgroup file system may not be read.
            SourceFaultyError: a counter holds nonsense.
        """
        now_s = self._monotonic()
        self._notice(now_s)
        if not self._is_here:
            raise SourceAbsentError(self._absence)
        missed: tuple[MissedReading, ...] = ()
        if now_s - self._read_s > _SILENCE_S:
            missed = catch_up(self._ends, self._jobs, now_s, self._unix_time())
        self._read_s = now_s
        for job in self._jobs:
            job.count()
        group_s = self._remainder.cpu_s() if self._remainder.is_counted else None
        for job in [job for job in self._jobs if job.is_done]:
            self._let_go(job)
        self._learn(now_s)
        return self._report(now_s, group_s, missed)

    def close(self) -> None:
        """Close all files and end the watcher."""
        self._watcher.close()
        self._remainder.close()
        for job in self._jobs:
            job.cgroups.close()

    # --- which jobs there are -------------------------------------------------------

    def _notice(self, now_s: float) -> None:
        changes = self._watcher.take()
        is_told = self._is_here or changes or not self._watcher.is_watching
        if not is_told and now_s < self._next_look_s:
            return
        # A directory that is new has to be watched.
        must_look = self._drops.refresh() or now_s >= self._next_look_s
        for change in changes:
            if change.place is None:
                must_look = True
            elif change.is_there:
                self._add(change.place, now_s)
            else:
                self._jobs.remove_path(change.place.path)
        if must_look:
            self._look(now_s)

    def _look(self, now_s: float) -> None:
        self._trees = find_trees(self._places.cgroupfs)
        listing = scan(self._trees)
        # Also where there is no Slurm yet: its first job may come at any time.
        self._watcher.watch(listing.holders)
        if listing.holders != self._watched:
            # What came into a new one between the look and the watch.
            self._watched = listing.holders
            listing = scan(self._trees)
        if listing.roots or self._drops.exists:
            self._is_here = True
        self._remainder.follow(self._trees, listing.roots)
        self._doubt_counters(listing.roots)
        for path in self._jobs.paths - {place.path for place in listing.jobs}:
            self._jobs.remove_path(path)
        for place in listing.jobs:
            self._add(place, now_s)
        if not self._places.only_looks:
            self._drops.tidy(self._jobs.ids, now_s)
            # Not at once: until the first tick has been saved, they are needed.
            self._ends.remove()
        wait_s = _LOOK_AGAIN_S if self._watcher.is_watching else _LOOK_UNWATCHED_S
        self._next_look_s = now_s + (wait_s if self._is_here else _LOOK_FOR_SLURM_S)

    def _doubt_counters(self, roots: tuple[Root, ...]) -> None:
        if not roots or self._remainder.is_counted:
            self._doubts.settle("counters")
            return
        self._doubts.tell(
            "uncounted",
            "counters",
            f"{roots[0].path} has no CPU counter, so jobs are charged for GPUs alone: "
            "set JobAcctGatherType=jobacct_gather/cgroup in slurm.conf",
        )

    def _add(self, place: JobPlace, now_s: float) -> None:
        job = self._jobs.add(place, self._trees, now_s, self._unix_time())
        if job is not None:
            self._search.add(job)

    def _let_go(self, job: Job) -> None:
        self._jobs.let_go(job)
        self._search.remove(job)
        self._owners.forget(job)

    # --- what is known of them --------------------------------------------------------

    def _learn(self, now_s: float) -> None:
        news = self._jobs.news
        if self._hub_jobs is not None:
            self._jobs.hear(self._hub_jobs)
        news.update(dict.fromkeys(self._search.search(now_s)))
        may_search = self._search.is_allowed
        left = _MOST_REFRESHED
        for job in list(self._jobs):
            if job.is_nameless:
                absorbed = self._jobs.name(job, now_s, may_search=may_search)
                if absorbed is not None:
                    self._let_go(absorbed)
                    continue
            drop = self._drops.of(job.job_id)
            if drop is not None and drop is not job.told.drop:
                job.told.drop, drop.was_seen = drop, True
                news[job] = None
            if now_s >= job.slow.due_s and job.cgroups and left > 0:
                left -= 1
                if job.refresh(now_s):
                    news[job] = None
        news.update(dict.fromkeys(self._owners.assign(self._jobs, news, now_s)))
        if news:
            unix_s = self._unix_time()
            for job in news:
                job.derive(unix_s)
            news.clear()

    def _report(
        self,
        now_s: float,
        group_s: Seconds | None,
        missed: tuple[MissedReading, ...],
    ) -> WorkloadsReading:
        usages: list[WorkloadUsage] = []
        members: list[WorkloadId] = []
        unnamed_s = 0.0
        may_search = self._search.is_allowed
        for job in self._jobs:
            if job.is_nameless:
                unnamed_s += job.cpu_s or 0.0
                continue
            if job.labels is None:
                self._settle_labels(job, now_s, may_search=may_search)
            # What nothing counts, as left-over cgroups of a job that has long been
            # gone, is not in the counter above it either.
            if job.cpu_s is not None or (not job.cgroups and job.say_farewell()):
                members.append(job.workload)
            usages.append(job.usage())
        groups: tuple[WorkloadGroup, ...] = ()
        if group_s is not None:
            cpu_s = Seconds(group_s - unnamed_s)
            groups = (WorkloadGroup(GROUP, cpu_s, tuple(members)),)
        return WorkloadsReading(
            SCHEDULER,
            tuple(usages),
            groups,
            missed,
            gpu_activity=self._owners.busy,
        )

    def _settle_labels(self, job: Job, now_s: float, *, may_search: bool) -> None:
        hub_jobs = self._hub_jobs
        job.settle_labels(
            now_s,
            self._users,
            self._naming,
            may_search=may_search,
            may_ask=hub_jobs is not None and hub_jobs.answers,
        )
        if hub_jobs is not None and not job.told.text("SLURM_JOB_NAME"):
            hub_jobs.wish()
