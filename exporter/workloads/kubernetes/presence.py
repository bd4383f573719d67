"""Waits for a kubelet, which on most machines of other schedulers never comes.

What reads pods brings threads and libraries along, so it is built when the first
cgroup for pods is there. Until then it costs a look now and then.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from exporter.core.errors import SourceAbsentError
from exporter.core.model import SourceInfo
from exporter.core.ports import DoubtfulSource, WorkloadSource
from exporter.core.workload import WorkloadsReading
from exporter.workloads.cgroups import find_trees
from exporter.workloads.kubernetes import INFO
from exporter.workloads.kubernetes.tree import has_pods

_LOOK_EVERY_S = 30.0


class PodSource(WorkloadSource, DoubtfulSource, Protocol):
    """What reads pods, and may doubt what it reads."""


class PodsIfAny:
    """Reads the pods from the moment on at which there may be some.

    Implements ``core.ports.WorkloadSource``.

    Args:
        cgroupfs: mount point of the cgroup file system.
        build: makes the source that reads them.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self,
        cgroupfs: Path,
        build: Callable[[], PodSource],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cgroupfs = cgroupfs
        self._build = build
        self._monotonic = monotonic
        self._source: PodSource | None = None
        self._next_look_s = 0.0

    @property
    def info(self) -> SourceInfo:
        """That of the source it stands for."""
        return INFO

    @property
    def doubt(self) -> str:
        """What is doubtful of what was read; "" if nothing."""
        return "" if self._source is None else self._source.doubt

    @property
    def doubts(self) -> tuple[tuple[str, int], ...]:
        """How often something was doubtful, by kind."""
        return () if self._source is None else self._source.doubts

    def read(self) -> WorkloadsReading:
        """Read the pods, if there may be any.

        Raises:
            SourceAbsentError: there is no cgroup for pods on this node.
            SourceDeniedError: the cgroup file system may not be read.
            SourceError: as of the source it stands for.
        """
        now_s = self._monotonic()
        if self._source is None and now_s >= self._next_look_s:
            self._next_look_s = now_s + _LOOK_EVERY_S
            if has_pods(find_trees(self._cgroupfs)):
                self._source = self._build()
        if self._source is None:
            msg = f"no cgroup of pods (kubepods) in {self._cgroupfs}"
            raise SourceAbsentError(msg)
        return self._source.read()

    def close(self) -> None:
        """Close the source, if there is one."""
        if self._source is not None:
            self._source.close()
