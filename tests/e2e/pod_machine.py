"""A played node of Kubernetes with its daemon: cgroups, API server, kubelet, GPUs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemon import Daemon
from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.kubelet import PlayedKubelet, played_kubelet
from tests.fakes.machine import PlayedMachine
from tests.fakes.nvml import LONG_NOTICE_S, FakeNvml
from tests.fakes.pod_cgroups import PlayedPods, uid_of


class PodMachine:
    """Everything that the daemon meets on a node."""

    def __init__(
        self,
        root: Path,
        cluster: PlayedCluster,
        kubelet: PlayedKubelet,
        flags: tuple[str, ...] = (),
    ) -> None:
        self.cluster = cluster
        self.kubelet = kubelet
        self.driver = FakeNvml(root / "nvml", 2, notice_s=LONG_NOTICE_S)
        self.machine = PlayedMachine("two-socket-intel", root / "machine")
        self.pods = PlayedPods(root / "cgroup", time.monotonic)
        self.pods.start_kubelet()
        self.logs = root / "logs"
        self.logs.mkdir()
        env = {
            **self.driver.env(),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(cluster.port),
            "NODE_NAME": "node-1",
        }
        self.daemon = Daemon(root, (*self._flags(), *flags), env)

    @property
    def gpus(self) -> list[str]:
        """UUIDs of its GPUs."""
        return [gpu.uuid for gpu in self.driver.gpus]

    def start_pod(self, number: int, name: str, **labels: str) -> None:
        """Bind a pod to the node, and start it."""
        item = pod_object(name, uid_of(number), labels=labels, owner=("Job", "train"))
        self.cluster.put(item)
        self.pods.start_pod(number)

    def run_process(self, pid: int, pod: int | None) -> None:
        """Run a process of a pod, or of none."""
        folder = self.machine.procfs / str(pid)
        folder.mkdir()
        path = "system.slice" if pod is None else self.pods.pods[uid_of(pod)].path
        (folder / "cgroup").write_text(f"0::/{path}/container\n", encoding="ascii")

    def play(self, stop: threading.Event) -> None:
        """Let CPU counters go on until told to stop."""
        while not stop.wait(0.1):
            self.pods.play()

    def _flags(self) -> tuple[str | Path, ...]:
        return (
            *("--path.procfs", self.machine.procfs, "--path.sysfs", self.machine.sysfs),
            *("--path.cgroupfs", self.pods.cgroupfs),
            *("--kubernetes.service-account-dir", self.cluster.folder),
            *("--kubernetes.pod-resources-socket", self.kubelet.socket),
            *("--kubernetes.log-dir", self.logs),
            *("--kubernetes.pod-labels", "team"),
            *("--carbon.zone", "DE"),
        )


@contextmanager
def pod_machine(root: Path, *flags: str) -> Iterator[PodMachine]:
    """Play a node, without its daemon.

    Args:
        root: an empty directory.
        flags: further ones for ``jouled run``.
    """
    with (
        played_cluster(root / "cluster") as cluster,
        played_kubelet(root / "kubelet") as kubelet,
    ):
        node = PodMachine(root, cluster, kubelet, flags)
        stop = threading.Event()
        player = threading.Thread(target=node.play, args=(stop,))
        player.start()
        try:
            with node.machine.playing():
                yield node
        finally:
            stop.set()
            player.join()
            node.machine.close()
