"""Where the kubelet keeps the cgroups of its pods: known by shape, not by settings.

    cgroupfs driver  kubepods/{,burstable/,besteffort/}podUID/CONTAINER
    systemd driver   kubepods.slice/kubepods-burstable.slice/
                     kubepods-burstable-podUID.slice/cri-containerd-CONTAINER.scope

Source: nodes with both drivers, and Kubernetes' page on node allocatable resources.
Guaranteed pods have no level of their class. Systemd's names have ``_`` for the ``-``
of a UID. A static pod's UID is a hash without any. What is in a pod is of no interest:
its own counter holds all of it, so containerd, CRI-O and docker are alike.

A cgroup that holds pods is called a *root*. It may be below another one: kind nests
all of its node (``kubelet.slice/kubelet-kubepods.slice/…``), and so does whoever
gives the kubelet a ``--cgroup-root``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from exporter.workloads.cgroups import CgroupTrees, directories_in
from exporter.workloads.remainder import Root

Role = Literal["roots", "pods"]

_UID = r"[0-9A-Za-z][0-9A-Za-z_-]{0,62}"
_ROOT = re.compile(r"kubepods|(.+-)?kubepods\.slice")
_CLASS = re.compile(
    r"burstable|besteffort|(.+-)?kubepods-(burstable|besteffort)\.slice"
)
_POD = re.compile(
    rf"pod({_UID})|(?:.+-)?kubepods(?:-burstable|-besteffort)?-pod({_UID})\.slice"
)
_POD_IN_PATH = re.compile(rf"[/-]pod({_UID})(\.slice)?(?:/|$)", re.MULTILINE)

# What a whole node may be nested in. Others hold people, services and virtual
# machines: many, and never a kubelet's pods.
_NEST = re.compile(
    r"kubelet|docker|libpod_parent|machine|(?!user\.).+\.slice"
    r"|(docker-|libpod-|cri-containerd-)?[0-9a-f]{64}(\.scope)?|lxc\.payload\..+"
)
_DEEPEST_NEST = 4
_MOST_NESTS = 256
# Version 1 has the same path in the tree of each of these.
_CONTROLLERS = ("cpuacct", "memory", "devices")


class Holder(NamedTuple):
    """A directory in which cgroups of interest come and go.

    Attributes:
        tree: root of its tree.
        path: the directory below that; "" for the tree itself.
        controller: whose tree it is, in version 1; ``None`` for version 2.
        role: what is in it: roots, or pods.
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
        return _ROOT.fullmatch(name) is not None

    def pod(self, name: str, inode: int = 0) -> "PodPlace | None":
        """Return the pod that an entry of a holder of pods is; else ``None``."""
        match = _POD.fullmatch(name)
        if match is None:
            return None
        uid = match[1] or match[2].replace("_", "-")
        return PodPlace(f"{self.path}/{name}", self.controller, uid, inode)


class PodPlace(NamedTuple):
    """The cgroup of a pod.

    Attributes:
        path: below the root of its tree.
        controller: in whose tree it was found, in version 1.
        uid: of the pod.
        inode: tells it from a later one of the same path; 0 if it was not looked at.
    """

    path: str
    controller: str | None
    uid: str
    inode: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """All cgroups of pods at one moment."""

    roots: tuple[Root, ...]
    pods: tuple[PodPlace, ...]
    holders: tuple[Holder, ...]


def scan(trees: CgroupTrees) -> Listing:
    """Look at all cgroups of pods.

    Raises:
        SourceDeniedError: a directory may not be read.
    """
    tops = _tops(trees)
    found: list[Holder] = []
    for top in tops:
        # Where both versions are mounted, systemd makes the same slices in both.
        found = list(_roots_below(top))
        if found:
            break
    roots: list[Root] = []
    pods: list[PodPlace] = []
    # A root that comes back is told by what it was in; a first one by the tree.
    parents = {holder.path.rpartition("/")[0] for holder in found}
    holders = [*tops, *(found[0]._replace(path=p, role="roots") for p in parents if p)]
    for root in found:
        others: list[str] = []
        classes: list[Holder] = []
        _sort(root, pods, classes, others)
        for each in classes:
            _sort(each, pods, [], others)
        roots.append(Root(root.path, root.controller, tuple(others)))
        holders += [root, *classes]
    return Listing(tuple(roots), tuple(pods), tuple(holders))


def has_pods(trees: CgroupTrees) -> bool:
    """Whether a kubelet has made a cgroup for pods.

    Raises:
        SourceDeniedError: a directory may not be read.
    """
    return any(next(_roots_below(top), None) is not None for top in _tops(trees))


def pod_in_path(text: str) -> str | None:
    """Return the UID of the pod named in the paths of a process' cgroups."""
    if "pod" not in text:
        return None
    match = _POD_IN_PATH.search(text)
    if match is None:
        return None
    return match[1].replace("_", "-") if match[2] else match[1]


def _tops(trees: CgroupTrees) -> list[Holder]:
    tops = [
        Holder(str(trees.v1[controller]), "", controller, "roots")
        for controller in _CONTROLLERS
        if controller in trees.v1
    ][:1]
    if trees.unified is not None:
        tops.append(Holder(str(trees.unified), "", None, "roots"))
    return tops


def _roots_below(top: Holder) -> Iterator[Holder]:
    """Find roots, the nearest first, and not within one another."""
    level = [top]
    left = _MOST_NESTS
    for _ in range(_DEEPEST_NEST + 1):
        below: list[Holder] = []
        for nest in level[:left]:
            for name, _inode in directories_in(nest.directory):
                if nest.is_root(name):
                    yield nest.below(name, "pods")
                elif _NEST.fullmatch(name):
                    below.append(nest.below(name, "roots"))
        left -= len(level)
        level = below
        if left <= 0:
            return


def _sort(
    holder: Holder, pods: list[PodPlace], classes: list[Holder], others: list[str]
) -> None:
    """Add what is in a holder of pods to the lists."""
    for name, inode in directories_in(holder.directory):
        place = holder.pod(name, inode)
        if place is not None:
            pods.append(place)
        elif _CLASS.fullmatch(name):
            classes.append(holder.below(name, "pods"))
        else:
            others.append(f"{holder.path}/{name}")
