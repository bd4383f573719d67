"""The cgroups of one pod, one after the other: its CPU time, and what is set for it.

A pod whose cgroup is made anew goes on counting: a static pod comes back under the UID
it had.
"""

import os

from exporter.core.units import Seconds
from exporter.workloads.cgroups import Cgroup


class PodCgroup:
    """What is there of a pod's cgroups.

    Attributes:
        current: the one that is there, as far as was noticed; else ``None``.
        is_v1: the last one was of version 1.
    """

    def __init__(self) -> None:
        self.current: Cgroup | None = None
        self.is_v1 = False
        self._inode = 0
        # What earlier ones had counted, and the last count of this one.
        self._before_s = 0.0
        self._counted_s = 0.0

    def is_at(self, inode: int) -> bool:
        """Whether it is this one; 0 stands for any."""
        return self.current is not None and inode in (0, self._inode)

    def enter(self, cgroup: Cgroup, inode: int, *, is_v1: bool) -> None:
        """Take a cgroup in place of the one before.

        Args:
            cgroup: the new one.
            inode: tells it from others of the same path.
            is_v1: it is one of version 1.
        """
        self.leave()
        if not inode or inode != self._inode:
            self._begin_anew()
        self.current, self._inode, self.is_v1 = cgroup, inode, is_v1

    def leave(self) -> None:
        """Notice that it is gone."""
        if self.current is not None:
            self.current.close()
            self.current = None

    def cpu_s(self) -> Seconds | None:
        """Count the CPU time, and notice if the cgroup is gone.

        Returns:
            That of all its cgroups, s; ``None`` where nothing counts, or when it is
            gone.

        Raises:
            SourceError: it is there and cannot be read.
        """
        cgroup = self.current
        if cgroup is None:
            return None
        counted_s = cgroup.cpu_s()
        if counted_s is None:
            if not cgroup.exists():
                self.leave()
                return None
            # Made anew since the last tick; or nothing counts it.
            counted_s = cgroup.cpu_s()
            self._inode = _inode_of(cgroup.directory)
        if counted_s is not None and counted_s < self._counted_s:
            # Made anew: when its directory is looked at next, this is known already.
            self._begin_anew()
            self._inode = _inode_of(cgroup.directory)
        self._counted_s = counted_s or 0.0
        return None if counted_s is None else Seconds(self._before_s + counted_s)

    def _begin_anew(self) -> None:
        self._before_s += self._counted_s
        self._counted_s = 0.0


def _inode_of(directory: str) -> int:
    try:
        return os.stat(directory).st_ino  # noqa: PTH116 - a path as text
    except OSError:
        return 0
