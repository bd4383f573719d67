"""The counter that still holds what ended workloads have used: a scheduler's roots.

A root counts whatever ran below it. Cgroups in it that are no workloads (slurmd's own)
are subtracted, and so are those of jobs that are not reported yet, so that what is
left over is of workloads alone. Several roots count as one: a job may be in two.

It never falls on purpose: what a root or another cgroup had counted when it went is
kept. What is off by the microseconds between two readings evens out.
"""

from collections.abc import Iterable
from typing import NamedTuple

from exporter.core.units import Seconds
from exporter.workloads.cgroups import Cgroup, CgroupTrees, FileBudget


class Root(NamedTuple):
    """A cgroup that holds workloads.

    Attributes:
        path: below the root of its tree.
        controller: in whose tree it was found, in version 1.
        others: paths of the cgroups in it that are no workloads, such as slurmd's own.
    """

    path: str
    controller: str | None
    others: tuple[str, ...]


class Remainder:
    """CPU time of all workloads of a scheduler that ever ran on this node.

    Args:
        budget: allows files to be kept open.
    """

    def __init__(self, budget: FileBudget) -> None:
        self._budget = budget
        self._roots: dict[str, tuple[Cgroup, float]] = {}
        self._others: dict[str, tuple[Cgroup, float]] = {}
        self._gone_s = 0.0

    def follow(self, trees: CgroupTrees, roots: Iterable[Root]) -> None:
        """Count these roots from now on, and no others."""
        wanted = {root.path: root.controller for root in roots}
        others = {path: root.controller for root in roots for path in root.others}
        self._gone_s += self._exchange(trees, self._roots, wanted)
        self._gone_s -= self._exchange(trees, self._others, others)

    @property
    def is_counted(self) -> bool:
        """Whether there is any root that counts CPU time."""
        return bool(self._roots)

    def cpu_s(self) -> Seconds:
        """Read it, s.

        Raises:
            SourceError: a root is there and cannot be read.
        """
        roots_s = _read(self._roots)
        return Seconds(self._gone_s + roots_s - _read(self._others))

    def close(self) -> None:
        """Close all files."""
        for cgroup, _ in (*self._roots.values(), *self._others.values()):
            cgroup.close()

    def _exchange(
        self,
        trees: CgroupTrees,
        followed: dict[str, tuple[Cgroup, float]],
        wanted: dict[str, str | None],
    ) -> float:
        """Bring ``followed`` up to date; return what the gone ones had counted, s."""
        gone_s = 0.0
        for path in followed.keys() - wanted.keys():
            gone, counted_s = followed.pop(path)
            gone.close()
            gone_s += counted_s
        for path in wanted.keys() - followed.keys():
            cgroup = Cgroup(trees, path, wanted[path], self._budget)
            cpu_s = cgroup.cpu_s()
            if cpu_s is not None:
                followed[path] = (cgroup, cpu_s)
        return gone_s


def _read(followed: dict[str, tuple[Cgroup, float]]) -> float:
    total_s = 0.0
    for path, (cgroup, before_s) in followed.items():
        cpu_s = cgroup.cpu_s()
        if cpu_s is None:
            # Gone since the last look, which will notice; it keeps its count.
            total_s += before_s
            continue
        followed[path] = (cgroup, cpu_s)
        total_s += cpu_s
    return total_s
