"""Which pods are running on this node.

A reading costs one ``pread`` per pod: its CPU counter is kept open. New and ended
pods are told by the watcher; every half minute everything is looked at again, in
case something was missed. What is slow (memory, limits) is read now and then, and of
few pods in the same tick. Whoever tells names or GPUs is asked by threads of their
own; a tick takes what there is.

A pod that was made and removed since the last reading is reported all the same,
without a count: its group's counter knows what it used. One that has used nothing
yet, and that nobody knows, is not reported: the kubelet may prepare it for minutes.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from exporter.core.errors import SourceAbsentError
from exporter.core.model import SourceInfo
from exporter.core.units import Seconds
from exporter.core.workload import (
    NO_ACTIVITY,
    WorkloadGroup,
    WorkloadId,
    WorkloadsReading,
    WorkloadUsage,
)
from exporter.workloads.cgroups import Cgroup, CgroupTrees, FileBudget, find_trees
from exporter.workloads.doubts import Doubts
from exporter.workloads.inotify import Inotify
from exporter.workloads.kubernetes import INFO, SCHEDULER
from exporter.workloads.kubernetes.gpus import NO_GPUS, PodGpus
from exporter.workloads.kubernetes.names import PodNames, Witness
from exporter.workloads.kubernetes.pod import Pod
from exporter.workloads.kubernetes.registry import PodRegistry
from exporter.workloads.kubernetes.reservation import NodeSize, weight_of
from exporter.workloads.kubernetes.tree import Holder, scan
from exporter.workloads.kubernetes.watcher import Watcher
from exporter.workloads.kubernetes.worker import Worker
from exporter.workloads.remainder import Remainder, Root

_LOOK_AGAIN_S = 30.0
# Without a watcher pods are only found by looking.
_LOOK_UNWATCHED_S = 1.0
_LOOK_FOR_PODS_S = 10.0
# So many pods' memory and limits are read in a tick; the others wait their turn.
_MOST_REFRESHED = 100


class KubernetesWorkloads:
    """Reads the pods of this node; implements ``core.ports.WorkloadSource``.

    Args:
        cgroupfs: mount point of the cgroup file system.
        witnesses: who tells what pods are called, the most trustworthy first.
        doubts: what is doubtful; shown as this source's.
        gpus: knows who holds which GPU; ``None``: nobody asks.
        node_cpus: CPUs of the node.
        monotonic: CLOCK_MONOTONIC, s.
        unix_time: the wall clock, s.
        budget: how many files may be kept open.
        open_inotify: opens an inotify instance.
        worker: makes the threads of the witnesses.
    """

    def __init__(  # noqa: PLR0913 - everything it knows comes from outside
        self,
        cgroupfs: Path,
        witnesses: tuple[Witness, ...] = (),
        doubts: Doubts | None = None,
        *,
        gpus: PodGpus | None = None,
        node_cpus: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        budget: FileBudget | None = None,
        open_inotify: Callable[[], Inotify] = Inotify,
        worker: Callable[..., Worker] = Worker,
    ) -> None:
        self._cgroupfs = cgroupfs
        self._doubts = doubts or Doubts(INFO.name)
        self._names = PodNames(witnesses, self._doubts, worker)
        self._gpus = gpus
        self._node = NodeSize(node_cpus or os.cpu_count() or 1)
        self._monotonic = monotonic
        self._unix_time = unix_time
        self._watcher = Watcher(open_inotify)
        self._budget = budget or FileBudget.of_this_process()
        self._remainder = Remainder(self._budget)
        self._pods = PodRegistry(self._budget)
        self._trees = CgroupTrees()
        self._is_here = False
        self._is_settled = True
        self._watched: tuple[Holder, ...] = ()
        self._next_look_s = 0.0

    @property
    def info(self) -> SourceInfo:
        """Usage of pods; it measures no energy."""
        return INFO

    @property
    def doubt(self) -> str:
        """What is doubtful of what was read; "" if nothing."""
        return self._doubts.latest

    @property
    def doubts(self) -> tuple[tuple[str, int], ...]:
        """How often something was doubtful, by kind."""
        return self._doubts.counts

    def read(self) -> WorkloadsReading:
        """Read all pods once.

        Returns:
            The pods that run, and those that ended without having been reported.
            They are one group, where anything counts their CPU time.

        Raises:
            SourceAbsentError: there is no cgroup for pods on this node.
            SourceDeniedError: the cgroup file system may not be read.
            SourceFaultyError: a counter holds nonsense.
        """
        now_s = self._monotonic()
        self._notice(now_s)
        if not self._is_here:
            msg = f"no cgroup of pods (kubepods) in {self._cgroupfs}"
            raise SourceAbsentError(msg)
        for pod in self._pods:
            pod.count()
        group_s = self._remainder.cpu_s() if self._remainder.is_counted else None
        done = [pod for pod in self._pods if pod.is_done]
        for pod in done:
            self._pods.let_go(pod)
        self._learn(now_s)
        self._assign_gpus(done, now_s)
        return self._report(now_s, group_s)

    def close(self) -> None:
        """Close all files and end all threads."""
        self._watcher.close()
        self._names.close()
        if self._gpus is not None:
            self._gpus.close()
        self._remainder.close()
        for pod in self._pods:
            pod.leave()

    # --- which pods there are -------------------------------------------------------

    def _notice(self, now_s: float) -> None:
        must_look = now_s >= self._next_look_s
        for change in self._watcher.take():
            if change.place is None:
                must_look = True
            elif change.is_there:
                self._pods.add(change.place, self._trees, now_s, self._unix_time())
            else:
                self._pods.remove_path(change.place.path)
        if must_look:
            self._look(now_s)

    def _look(self, now_s: float) -> None:
        self._trees = find_trees(self._cgroupfs)
        listing = scan(self._trees)
        if listing.roots and not self._is_here:
            self._is_here = True
            self._names.start()
        if self._is_here:
            self._watcher.watch(listing.holders)
            if listing.holders != self._watched:
                # What came into a new one between the look and the watch.
                self._watched = listing.holders
                listing = scan(self._trees)
        self._remainder.follow(self._trees, listing.roots)
        self._measure_root(listing.roots)
        for path in self._pods.paths - {place.path for place in listing.pods}:
            self._pods.remove_path(path)
        for place in listing.pods:
            self._pods.add(place, self._trees, now_s, self._unix_time())
        wait_s = _LOOK_AGAIN_S if self._watcher.is_watching else _LOOK_UNWATCHED_S
        self._next_look_s = now_s + (wait_s if self._is_here else _LOOK_FOR_PODS_S)

    def _measure_root(self, roots: tuple[Root, ...]) -> None:
        """Look what the weights of pods are made of; the same for all of them."""
        if roots and roots[0].controller is None:
            root = Cgroup(self._trees, roots[0].path, None, self._budget)
            self._node = NodeSize(self._node.cpus, weight_of(root))

    # --- what is known of them --------------------------------------------------------

    def _learn(self, now_s: float) -> None:
        news = self._pods.news
        for uid in self._names.take_news():
            pod = self._pods.find(uid)
            if pod is not None:
                news[pod] = None
        left = _MOST_REFRESHED
        for pod in self._pods:
            if now_s >= pod.refresh_due_s and pod.is_here and left > 0:
                left -= 1
                if pod.refresh(now_s):
                    news[pod] = None
        if not news:
            return
        for pod in news:
            pod.facts = self._names.find(pod.uid) or pod.facts
            pod.derive(self._node)
        news.clear()
        self._is_settled = False
        self._names.want(frozenset(pod.uid for pod in self._pods if pod.is_nameless))

    def _assign_gpus(self, done: list[Pod], now_s: float) -> None:
        if self._gpus is None:
            return
        for pod in done:
            self._gpus.forget(pod)
        has_news = bool(done) or not self._is_settled
        self._is_settled = True
        self._gpus.assign(self._pods, now_s, has_news=has_news)

    def _report(self, now_s: float, group_s: Seconds | None) -> WorkloadsReading:
        usages: list[WorkloadUsage] = []
        members: list[WorkloadId] = []
        for pod in self._pods:
            if pod.is_waited_for:
                continue
            if pod.labels is None:
                may_learn = self._names.may_tell_more(pod.facts)
                pod.settle_labels(now_s, may_learn=may_learn)
            if pod.is_here or pod.say_farewell():
                members.append(pod.workload)
            usages.append(pod.usage())
        groups: tuple[WorkloadGroup, ...] = ()
        if group_s is not None:
            groups = (WorkloadGroup(SCHEDULER, group_s, tuple(members)),)
        gpus = self._gpus
        return WorkloadsReading(
            SCHEDULER,
            tuple(usages),
            groups,
            unknown_gpus=NO_GPUS if gpus is None else gpus.unknown,
            gpu_activity=NO_ACTIVITY if gpus is None else gpus.busy,
        )
