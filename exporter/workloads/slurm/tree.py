"""Where Slurm keeps the cgroups of its jobs: known by shape, not by configuration.

    version 1   CONTROLLER/slurm[_NODE]/uid_UID/job_ID/step_S/task_T
    version 2   SLICE/[NODE_]slurmstepd.scope/job_ID/step_S/{slurm,user/task_T}
    since 26.05 SLICE/[NODE_]slurmstepd.scope/SLUID/step_S/…

Source: Slurm's pages on cgroups, and nodes of all three kinds. A cgroup that holds
jobs is called a *root* here; a machine that plays several nodes has several.
Version 1 has the same path in the tree of each controller that Slurm uses. CPU
time is counted in one of them only, and not every site has Slurm use that one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from exporter.workloads.cgroups import CgroupTrees, directories_in
from exporter.workloads.remainder import Root

Role = Literal["roots", "users", "jobs"]

_V1_ROOT = re.compile(r"slurm(_.+)?")
_V2_ROOT = re.compile(r"(.+_)?slurmstepd\.scope")
_USER = re.compile(r"uid_(\d{1,10})", re.ASCII)
_JOB = re.compile(r"job_(\d{1,10})", re.ASCII)
# 64 bits in Crockford's base 32.
_SLUID = re.compile(r"s[0-9A-HJKMNP-TV-Z]{13}", re.ASCII)
_JOB_IN_PATH = re.compile(r"/(?:job_(\d{1,10})|(s[0-9A-HJKMNP-TV-Z]{13}))(?:/|$)")

_CONTROLLERS = ("cpuacct", "memory", "devices", "freezer", "cpuset")
_DEEPEST_SLICE = 3
# Slices that hold the cgroups of people and pods: many, and never Slurm's.
_FOREIGN_SLICE = re.compile(r"(user|machine|kubepods.*)\.slice")


class Holder(NamedTuple):
    """A directory in which cgroups of interest come and go.

    Attributes:
        tree: root of its tree.
        path: the directory below that; "" for the tree itself.
        controller: whose tree it is, in version 1; ``None`` for version 2.
        role: what is in it: roots, one cgroup per user, or jobs.
    """

    tree: str
    path: str
    controller: str | None
    role: Role

    @property
    def directory(self) -> str:
        """Its absolute path."""
        return f"{self.tree}/{self.path}" if self.path else self.tree

    def below(self, name: str, role: Role) -> "Holder":
        """Return a directory in it."""
        path = f"{self.path}/{name}" if self.path else name
        return Holder(self.tree, path, self.controller, role)

    def is_root(self, name: str) -> bool:
        """Whether an entry of a holder of roots is one, by its name."""
        pattern = _V2_ROOT if self.controller is None else _V1_ROOT
        return pattern.fullmatch(name) is not None

    def is_user(self, name: str) -> bool:
        """Whether an entry of a root of version 1 holds the jobs of a user."""
        return _USER.fullmatch(name) is not None

    def job(self, name: str, inode: int = 0) -> "JobPlace | None":
        """Return the job that an entry of a holder of jobs is; else ``None``."""
        path = f"{self.path}/{name}"
        match = _JOB.fullmatch(name)
        if match is not None:
            user = _USER.fullmatch(self.path.rpartition("/")[2])
            uid = None if user is None else int(user[1])
            return JobPlace(path, self.controller, match[1], "", uid, inode)
        if self.controller is None and _SLUID.fullmatch(name):
            return JobPlace(path, None, "", name, None, inode)
        return None


class JobPlace(NamedTuple):
    """The cgroup of a job.

    Attributes:
        path: below the root of its tree.
        controller: in whose tree it was found, in version 1.
        job_id: "" where the cgroup is named by the SLUID.
        sluid: "" where it is named by the job id.
        uid: whose job it is, if the path tells.
        inode: tells it from a later one of the same path; 0 if it was not looked at.
    """

    path: str
    controller: str | None
    job_id: str
    sluid: str
    uid: int | None
    inode: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """All of Slurm's cgroups at one moment."""

    roots: tuple[Root, ...]
    jobs: tuple[JobPlace, ...]
    holders: tuple[Holder, ...]


def scan(trees: CgroupTrees) -> Listing:
    """Look at all of Slurm's cgroups, steps excepted.

    Raises:
        SourceDeniedError: a directory may not be read.
    """
    roots: list[Root] = []
    jobs: list[JobPlace] = []
    holders: list[Holder] = []
    for holder in _holders_of_roots(trees):
        holders.append(holder)
        for name, _ in directories_in(holder.directory):
            if not holder.is_root(name):
                continue
            if any(root.path == holder.below(name, "jobs").path for root in roots):
                # The same root in the tree of a less useful controller.
                continue
            root = holder.below(name, "jobs" if holder.controller is None else "users")
            others: list[str] = []
            _scan_root(root, jobs, holders, others)
            roots.append(Root(root.path, root.controller, tuple(others)))
    return Listing(tuple(roots), tuple(jobs), tuple(holders))


def job_in_path(text: str) -> str | None:
    """Return job id or SLUID named in the path of a process' cgroup."""
    if "slurm" not in text:
        return None
    match = _JOB_IN_PATH.search(text)
    return None if match is None else match[1] or match[2]


def place_in(path: str, controller: str | None) -> "JobPlace | Role | None":
    """Tell what a cgroup is, from its path below the root of its tree.

    Args:
        path: without a leading slash.
        controller: in whose tree it is, in version 1; ``None`` for version 2.

    Returns:
        A job; "roots" for a root; "jobs" for something else in a root, which is no
        job's; ``None`` for all that is of no interest, such as steps and users.
    """
    parts = path.split("/")
    top = Holder("", "", controller, "roots")
    depth = next((n for n, name in enumerate(parts, 1) if top.is_root(name)), 0)
    if not depth:
        return None
    below = parts[depth:]
    if not below:
        return "roots"
    holder = Holder("", "/".join(parts[:depth]), controller, "jobs")
    if controller is not None and holder.is_user(below[0]):
        holder, below = holder.below(below[0], "jobs"), below[1:]
        return holder.job(below[0]) if len(below) == 1 else None
    if len(below) > 1:
        return None
    place = holder.job(below[0]) if controller is None else None
    return "jobs" if place is None else place


def _scan_root(
    root: Holder, jobs: list[JobPlace], holders: list[Holder], others: list[str]
) -> None:
    """Add what is in a root to the lists."""
    holders.append(root)
    for name, inode in directories_in(root.directory):
        if root.role == "users" and root.is_user(name):
            user = root.below(name, "jobs")
            holders.append(user)
            places = (user.job(*each) for each in directories_in(user.directory))
            jobs.extend(place for place in places if place is not None)
            continue
        place = root.job(name, inode) if root.role == "jobs" else None
        if place is None:
            others.append(f"{root.path}/{name}")
        else:
            jobs.append(place)


def _holders_of_roots(trees: CgroupTrees) -> Iterator[Holder]:
    for controller in _CONTROLLERS:
        tree = trees.v1.get(controller)
        if tree is not None:
            yield Holder(str(tree), "", controller, "roots")
    if trees.unified is not None:
        yield from _slices(Holder(str(trees.unified), "", None, "roots"), 0)


def _slices(holder: Holder, depth: int) -> Iterator[Holder]:
    yield holder
    if depth == _DEEPEST_SLICE:
        return
    for name, _ in directories_in(holder.directory):
        if name.endswith(".slice") and not _FOREIGN_SLICE.fullmatch(name):
            yield from _slices(holder.below(name, "roots"), depth + 1)
