"""Which pods there are: from their cgroup until all of them has been told."""

import os
from collections.abc import Iterator

from exporter.workloads.cgroups import Cgroup, CgroupTrees, FileBudget
from exporter.workloads.kubernetes.pod import Pod
from exporter.workloads.kubernetes.tree import PodPlace

_GOLDEN_RATIO = 0.618_034


class PodRegistry:
    """The pods of this node.

    Args:
        budget: allows files to be kept open.

    Attributes:
        news: pods of which something new is known that has yet to be drawn on.
    """

    def __init__(self, budget: FileBudget) -> None:
        self.news: dict[Pod, None] = {}
        self._budget = budget
        self._pods: dict[str, Pod] = {}
        self._by_path: dict[str, Pod] = {}
        self._serial = 0

    def __iter__(self) -> Iterator[Pod]:
        """Go through the pods, oldest first."""
        return iter(self._pods.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._pods)

    @property
    def paths(self) -> frozenset[str]:
        """Paths of their cgroups."""
        return frozenset(self._by_path)

    def find(self, uid: str) -> Pod | None:
        """Return the pod of this UID, if it is here."""
        return self._pods.get(uid)

    def add(
        self, place: PodPlace, trees: CgroupTrees, now_s: float, unix_s: float
    ) -> bool:
        """Add the cgroup of a pod; return whether it was not known."""
        pod = self._pods.get(place.uid)
        if pod is not None and pod.is_in(place.inode):
            return False
        if pod is None:
            self._serial += 1
            spread = self._serial * _GOLDEN_RATIO % 1.0
            pod = self._pods[place.uid] = Pod(place.uid, now_s, unix_s, spread)
        cgroup = Cgroup(trees, place.path, place.controller, self._budget)
        inode, made_unix_s = 0, unix_s
        try:
            status = os.stat(cgroup.directory)  # noqa: PTH116 - a path as text
        except OSError:
            # It is gone already, which the first count will notice.
            pass
        else:
            inode, made_unix_s = status.st_ino, status.st_mtime
        pod.enter(cgroup, inode, made_unix_s, is_v1=place.controller is not None)
        self._by_path[place.path] = pod
        self.news[pod] = None
        return True

    def remove_path(self, path: str) -> None:
        """Take a cgroup away, which is gone."""
        pod = self._by_path.pop(path, None)
        if pod is not None:
            pod.leave()

    def let_go(self, pod: Pod) -> None:
        """Forget a pod: it has ended, and all of it was told."""
        del self._pods[pod.uid]
        self.news.pop(pod, None)
