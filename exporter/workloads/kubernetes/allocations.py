"""Keeps up to date who holds which GPU, in a thread of its own.

It asks when a pod appears and every half minute: never in a scrape, and never while a
tick waits. What it learned last is there for everybody to look at, with its age.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from exporter.core.ports import GpuInventory
from exporter.workloads.kubernetes.device_names import DeviceNames
from exporter.workloads.kubernetes.pod_devices import ClaimedDevice, PodDevices
from exporter.workloads.kubernetes.pod_resources import PodResourcesError
from exporter.workloads.kubernetes.resource_slices import ResourceSlices
from exporter.workloads.kubernetes.worker import Worker

_EVERY_S = 30.0
# Many pods may appear at once, and one answer tells of all of them.
_LEAST_PAUSE_S = 0.5
_AFTER_FAILURE_S = 5.0
# Drivers of GPUs are called that way; others hand out networks and memory.
_GPU_DRIVER = "gpu."


def wanted_resources(patterns: Collection[str]) -> Callable[[str], bool]:
    """Return what tells whether a resource is one of these.

    Args:
        patterns: names of resources; ``*`` at the end stands for anything.
    """
    parts = (
        re.escape(name.removesuffix("*")) + (".*" if name.endswith("*") else "")
        for name in patterns
    )
    pattern = re.compile("|".join(parts))
    # Nothing is wanted by an empty list, which as a pattern would fit "".
    return lambda resource: bool(resource) and pattern.fullmatch(resource) is not None


class Kubelet(Protocol):
    """Who knows what was handed out; ``PodResources`` asks a real one."""

    def ask(self) -> tuple[tuple[PodDevices, ...], tuple[str, ...] | None]:
        """Return pods that hold GPUs or claims, and the ids of all GPUs there are.

        Raises:
            PodResourcesError: it did not answer.
        """

    def interrupt(self) -> None:
        """End what is being asked; any thread."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who held what at one moment.

    Attributes:
        time_s: CLOCK_MONOTONIC when it was told, s.
        pods: ids of the GPUs that each pod holds.
        allocatable: ids of all GPUs that can be handed out; ``None`` if not told.
        unknown: pods with a claim of a GPU of which nobody knows which it is.
    """

    time_s: float
    pods: tuple[PodDevices, ...]
    allocatable: tuple[str, ...] | None
    unknown: tuple[PodDevices, ...] = ()


class Allocations:
    """Asks the kubelet.

    Args:
        kubelet: who is asked.
        slices: who knows the devices of claims.
        inventory: which GPUs there are.
        monotonic: CLOCK_MONOTONIC, s.
        worker: makes the thread.

    Attributes:
        latest: what was told last; ``None`` until something was.
        trouble: why nothing is told any longer, and what helps; "" if it is.
    """

    def __init__(
        self,
        kubelet: Kubelet,
        slices: ResourceSlices,
        inventory: GpuInventory,
        monotonic: Callable[[], float] = time.monotonic,
        worker: Callable[..., Worker] = Worker,
    ) -> None:
        self.latest: Allocation | None = None
        self.trouble = ""
        self._kubelet = kubelet
        self._slices = slices
        self._inventory = inventory
        self._monotonic = monotonic
        self._not_before_s = 0.0
        self._worker = worker("GPUs of pods", self.step, self._interrupt)

    @property
    def claims_trouble(self) -> str:
        """Why the GPU of a claim is not known; "" if all are."""
        return self._slices.trouble

    def refresh(self) -> None:
        """Ask soon, from now on; any thread."""
        self._worker.start()
        self._worker.wake()

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def step(self) -> float:
        """Ask once, unless that was a moment ago.

        Returns:
            How long to wait before the next step, s.
        """
        wait_s = self._not_before_s - self._monotonic()
        if wait_s > 0:
            return wait_s
        try:
            pods, allocatable = self._kubelet.ask()
        except PodResourcesError as error:
            self.trouble = str(error)
            self._not_before_s = self._monotonic() + _LEAST_PAUSE_S
            return _AFTER_FAILURE_S
        if allocatable is None and self.latest is not None:
            # Not told this time only, else it never was.
            allocatable = self.latest.allocatable
        self.latest = self._resolve(pods, allocatable)
        self.trouble = ""
        self._not_before_s = self._monotonic() + _LEAST_PAUSE_S
        return _EVERY_S

    def _interrupt(self) -> None:
        self._kubelet.interrupt()
        self._slices.interrupt()

    def _resolve(
        self, pods: tuple[PodDevices, ...], allocatable: tuple[str, ...] | None
    ) -> Allocation:
        """Put GPUs in place of claims."""
        pods = tuple(pod._replace(claims=_of_gpus(pod.claims)) for pod in pods)
        claims = {claim for pod in pods for claim in pod.claims}
        uuids: Mapping[ClaimedDevice, str] = {}
        if claims:
            names = DeviceNames(self._inventory.gpus(), self._inventory.instances())
            uuids = self._slices.find(claims, lambda u: names.find(u) is not None)
        held = []
        for pod in pods:
            known = frozenset(uuids[each] for each in pod.claims if each in uuids)
            held.append(pod._replace(claimed=known))
        unknown = tuple(pod for pod in pods if pod.claims - uuids.keys())
        return Allocation(self._monotonic(), tuple(held), allocatable, unknown)


def _of_gpus(claims: Collection[ClaimedDevice]) -> frozenset[ClaimedDevice]:
    return frozenset(each for each in claims if each.driver.startswith(_GPU_DRIVER))
