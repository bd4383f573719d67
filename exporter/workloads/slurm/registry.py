"""Which jobs there are: from their first cgroup until all of them has been told.

A job is found by the paths of its cgroups and by its id. Where cgroups are named
by SLUID the id is known from the drop file, or found out later from the environment
of a process; until then, but not for long, the job is kept back.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from exporter.workloads.cgroups import Cgroup, CgroupTrees, FileBudget
from exporter.workloads.slurm.drops import DropDirectory
from exporter.workloads.slurm.end_records import EndRecord
from exporter.workloads.slurm.facts import text_of
from exporter.workloads.slurm.job import LABELS_WAIT_S, Job
from exporter.workloads.slurm.job_cgroups import Part
from exporter.workloads.slurm.tree import JobPlace

if TYPE_CHECKING:
    from exporter.workloads.slurm.hub_jobs import HubJobs

_GOLDEN_RATIO = 0.618_034


class JobRegistry:
    """The jobs of this node.

    Args:
        drops: drop files, which tell the ids of jobs.
        budget: allows files to be kept open.

    Attributes:
        news: jobs of which something new is known that has yet to be drawn on.
    """

    def __init__(self, drops: DropDirectory, budget: FileBudget) -> None:
        self.news: dict[Job, None] = {}
        self._drops = drops
        self._budget = budget
        self._jobs: dict[Job, None] = {}
        self._by_path: dict[str, Job] = {}
        self._by_id: dict[str, Job] = {}
        self._serial = 0

    def __iter__(self) -> Iterator[Job]:
        """Go through the jobs, oldest first."""
        return iter(self._jobs)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._jobs)

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the jobs."""
        return frozenset(self._by_id)

    @property
    def paths(self) -> frozenset[str]:
        """Paths of their cgroups, of ones that are gone too."""
        return frozenset(self._by_path)

    def add(
        self, place: JobPlace, trees: CgroupTrees, now_s: float, unix_s: float
    ) -> Job | None:
        """Add a cgroup; return the job if it is a new one."""
        known = self._by_path.get(place.path)
        part = None if known is None else known.cgroups.parts.get(place.path)
        if known is not None and part is not None:
            if place.inode in (0, part.inode):
                return None
            known.cgroups.remove(place.path)
        job_id = place.job_id or self._drops.job_id(place.sluid) or ""
        job = self._by_id.get(job_id) if job_id else None
        is_new = job is None or not job.cgroups
        if job is None or not job.cgroups:
            previous = job
            self._serial += 1
            spread = self._serial * _GOLDEN_RATIO % 1.0
            job = Job(job_id, place.sluid, now_s, unix_s, spread)
            self._jobs[job] = None
            if job_id:
                self._by_id[job_id] = job
            if previous is not None:
                job.take_over(previous)
        if place.uid is not None:
            job.uid = place.uid
        cgroup = Cgroup(trees, place.path, place.controller, self._budget)
        part = Part(cgroup)
        try:
            status = os.stat(cgroup.directory)  # noqa: PTH116 - a path as text
        except OSError:
            # It is gone already, which the first count will notice.
            pass
        else:
            part.inode = status.st_ino
            job.note_beginning(status.st_mtime)
        job.cgroups.add(place.path, part)
        self._by_path[place.path] = job
        self.news[job] = None
        return job if is_new else None

    def add_ended(self, record: EndRecord, now_s: float) -> None:
        """Add a job that ended while no daemon read, unless it runs again."""
        job = self._by_id.get(record.job_id)
        if job is None:
            job = Job(record.job_id, "", now_s, record.end_unix_s, spread=1.0)
            self._jobs[job] = None
            self._by_id[record.job_id] = job
        if not job.cgroups:
            job.note_end(record.end_unix_s)
            self.news[job] = None

    def id_at(self, place: JobPlace) -> str:
        """Return the id of the job that a cgroup is or was of, as far as is known."""
        job = self._by_path.get(place.path)
        known = "" if job is None else job.job_id
        return place.job_id or known or self._drops.job_id(place.sluid) or place.sluid

    def remove_path(self, path: str) -> None:
        """Take a cgroup away, which is gone."""
        job = self._by_path.pop(path, None)
        if job is not None:
            job.cgroups.remove(path)

    def let_go(self, job: Job) -> None:
        """Forget a job: it has ended, and all of it was told."""
        del self._jobs[job]
        self.news.pop(job, None)
        if self._by_id.get(job.job_id) is job:
            del self._by_id[job.job_id]

    def hear(self, hub_jobs: "HubJobs") -> None:
        """Take in what the hub told meanwhile."""
        hub_jobs.has_jobs = bool(self._jobs)
        by_id = hub_jobs.by_id
        for job in self._jobs:
            hub = by_id.get(job.job_id)
            if hub is not None and hub is not job.told.hub and job.hear(hub):
                self.news[job] = None

    def name(self, job: Job, now_s: float, *, may_search: bool) -> Job | None:
        """Find out the id of a job that is known by its SLUID alone.

        Args:
            job: the nameless one.
            now_s: CLOCK_MONOTONIC, s.
            may_search: environments of processes can be read.

        Returns:
            The job itself, if it turned out to be a part of another, which has
            taken over its cgroups; else ``None``.
        """
        job_id = self._drops.job_id(job.sluid) or text_of(
            job.told.environment or {}, "SLURM_JOB_ID"
        )
        if not job_id:
            is_overdue = job.age_s(now_s) >= LABELS_WAIT_S
            if is_overdue or not job.cgroups or not may_search:
                job.accept_sluid()
            return None
        same = self._by_id.get(job_id)
        if same is None or not same.cgroups:
            job.job_id = job_id
            self._by_id[job_id] = job
            if same is not None:
                job.take_over(same)
            return None
        if not same.cgroups.roots.isdisjoint(job.cgroups.roots):
            # One of them tells an id that is not its own.
            job.accept_sluid()
            return None
        # The same job on another node that this machine plays.
        for path, part in job.cgroups.release().items():
            same.cgroups.add(path, part)
            self._by_path[path] = same
        return job
