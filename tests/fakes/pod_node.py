"""A played Kubernetes node together with the reader of its pods."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.core.units import Seconds
from exporter.core.workload import WorkloadsReading, WorkloadUsage
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.doubts import Doubts
from exporter.workloads.inotify import Inotify
from exporter.workloads.kubernetes.allocations import Allocations, wanted_resources
from exporter.workloads.kubernetes.cluster import ClusterServer
from exporter.workloads.kubernetes.fact_store import FactStore
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.gpus import PodGpus
from exporter.workloads.kubernetes.names import Witness
from exporter.workloads.kubernetes.pod_resources import PodResources
from exporter.workloads.kubernetes.resource_slices import ResourceSlices
from exporter.workloads.kubernetes.source import KubernetesWorkloads
from exporter.workloads.kubernetes.worker import Worker
from tests.fakes.clock import Clock
from tests.fakes.inventory import FakeInventory
from tests.fakes.kubelet import PlayedKubelet
from tests.fakes.pod_cgroups import Driver, PlayedPods, Version, uid_of

# Generous: it is there so that a hang fails, on however slow a machine.
LONGEST_S = 60.0

_PAUSE_S = 0.002


def no_inotify() -> Inotify:
    """Let all be found by looking once a tick: played ticks are quicker than threads.

    Raises:
        OSError: as where there are too many of them.
    """
    raise OSError(24, "too many")


class ToldNames:
    """A witness who knows what the test tells him; implements ``names.Witness``."""

    def __init__(self, *, knows_all: bool = True) -> None:
        self.name = "told"
        self.knows_all = knows_all
        self.trouble = ""
        self.store = FactStore()
        self.wanted: frozenset[str] = frozenset()

    def tell(self, facts: PodFacts) -> None:
        """Let him know of a pod."""
        self.store.put(facts)

    def want(self, uids: frozenset[str]) -> bool:
        """Remember it."""
        self.wanted = uids
        return False

    def step(self) -> float:
        """Ask nobody."""
        return LONGEST_S

    def interrupt(self) -> None:
        """Do nothing."""


class NoThread(Worker):
    """A thread that a test plays, by taking its steps."""

    is_started = False

    def start(self) -> None:
        """Remember it."""
        self.is_started = True


class PodNode:
    """A node and the source that reads it.

    Attributes:
        clock: what both live by.
        pods: its cgroups.
        procfs: its processes.
        inventory: its GPUs.
        allocations: what its kubelet told of them; ``None`` without a kubelet.
        source: the reader.
    """

    def __init__(
        self,
        root: Path,
        version: Version = "v2",
        driver: Driver = "systemd",
        *,
        nest: str = "",
        witnesses: tuple[Witness, ...] = (),
        budget: FileBudget | None = None,
        open_inotify: Callable[[], Inotify] = Inotify,
        inventory: FakeInventory | None = None,
        kubelet: PlayedKubelet | None = None,
        kubelet_deadline_s: float = LONGEST_S,
        api: ClusterServer | None = None,
        worker: Callable[..., Worker] = NoThread,
    ) -> None:
        self.clock = Clock(1000.0)
        self.procfs = root / "proc"
        self.inventory = inventory or FakeInventory()
        self.allocations: Allocations | None = None
        doubts = Doubts("kubernetes")
        gpus = None
        if kubelet is not None:
            is_wanted = wanted_resources(
                (
                    "nvidia.com/gpu",
                    "nvidia.com/gpu.shared",
                    "nvidia.com/mig-*",
                    "amd.com/gpu",
                )
            )
            self.allocations = Allocations(
                PodResources(kubelet.socket, is_wanted, Seconds(kubelet_deadline_s)),
                ResourceSlices(api, "node-1", chance=lambda: 1.0, monotonic=self.clock),
                self.inventory,
                self.clock,
                NoThread,
            )
            gpus = PodGpus(self.inventory, self.allocations, self.procfs, doubts)
        self.pods = PlayedPods(root / "cgroup", self.clock, version, driver, nest=nest)
        self.source = KubernetesWorkloads(
            self.pods.cgroupfs,
            witnesses,
            doubts,
            gpus=gpus,
            node_cpus=8,
            monotonic=self.clock,
            # That of the file system, on which the played files are dated.
            unix_time=time.time,
            budget=budget,
            open_inotify=open_inotify,
            worker=worker,
        )

    def ask_kubelet(self) -> float:
        """Let the thread that asks for GPUs take a step."""
        assert self.allocations is not None
        return self.allocations.step()

    def tick(self, elapsed_s: float = 1.0) -> WorkloadsReading:
        """Let time pass and read once."""
        self.clock.pass_s(elapsed_s)
        self.pods.play()
        return self.source.read()

    def look(self) -> WorkloadsReading:
        """Read when everything is looked at again: nothing depends on the watcher."""
        return self.tick(31.0)

    def read_until(self, is_so: Callable[[WorkloadsReading], bool]) -> WorkloadsReading:
        """Read without time passing until something has been noticed."""
        end_s = time.monotonic() + LONGEST_S
        while True:
            reading = self.source.read()
            if is_so(reading):
                return reading
            assert time.monotonic() < end_s, f"it never came about: {reading}"
            time.sleep(_PAUSE_S)


@contextmanager
def pod_node(
    root: Path,
    version: Version = "v2",
    driver: Driver = "systemd",
    **settings: object,
) -> Iterator[PodNode]:
    """Play a node on which a kubelet has started, and close its reader in the end."""
    node = PodNode(root, version, driver, **settings)  # type: ignore[arg-type]
    node.pods.start_kubelet()
    try:
        yield node
    finally:
        node.source.close()


def numbers(reading: WorkloadsReading) -> set[int]:
    """Return the numbers of the pods that were reported."""
    return {number_of(usage) for usage in reading.usages}


def number_of(usage: WorkloadUsage) -> int:
    """Return the number that a UID was made of."""
    return int(usage.workload.key[-4:], 16)


def usage_of(reading: WorkloadsReading, number: int) -> WorkloadUsage:
    """Return what was reported of a pod."""
    (usage,) = (each for each in reading.usages if each.workload.key == uid_of(number))
    return usage
