"""A Kubernetes node's cgroups, played like those of a real kubelet.

Shapes and file contents are those of real nodes, with both drivers of the kubelet and
both versions of cgroups. Counters go on in place, by a clock of the test's own; a
cgroup appears and goes with its files.
"""

import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Version = Literal["v1", "v2"]
Driver = Literal["cgroupfs", "systemd"]
Class = Literal["guaranteed", "burstable", "besteffort"]

_CONTROLLERS = ("cpuacct", "cpu", "memory")
_WIDTH = 20
_UNLIMITED = 9_223_372_036_854_771_712
_RUNTIMES = ("cri-containerd", "crio", "docker")


def uid_of(number: int) -> str:
    """Make up the UID of a pod."""
    return str(uuid.UUID(int=(number + 1) << 64 | 0x4000_8000_0000_0000 | number))


@dataclass
class PlayedPod:
    """A pod of the played node.

    Attributes:
        uid: as the API has it.
        path: its cgroup below the root of a tree.
        busy_cpus: CPUs it keeps busy from now on.
        used_s: CPU time it has used.
        memory_bytes: anonymous memory.
    """

    uid: str
    path: str
    busy_cpus: float = 1.0
    used_s: float = 0.0
    memory_bytes: int = 1 << 20


class PlayedPods:
    """The cgroup file system of a node under Kubernetes.

    Args:
        cgroupfs: its mount point; made if it is not there.
        clock: the clock that CPU counters go by, s.
        version: version of cgroups.
        driver: the kubelet's driver of cgroups.
        nest: what all of it is below, as in kind; "" for nothing.
        runtime: whose names containers have.
    """

    def __init__(
        self,
        cgroupfs: Path,
        clock: Callable[[], float],
        version: Version = "v2",
        driver: Driver = "systemd",
        *,
        nest: str = "",
        runtime: str = _RUNTIMES[0],
    ) -> None:
        self.cgroupfs = cgroupfs
        self.version = version
        self.driver = driver
        self.runtime = runtime
        self.pods: dict[str, PlayedPod] = {}
        self.ended_s = 0.0
        self._clock = clock
        self._played_at_s = clock()
        cgroupfs.mkdir(parents=True, exist_ok=True)
        if version == "v2":
            self._trees = {"": cgroupfs}
            (cgroupfs / "cgroup.controllers").write_text("cpuset cpu memory\n")
        else:
            self._trees = {name: cgroupfs / name for name in _CONTROLLERS}
        for tree in self._trees.values():
            tree.mkdir(exist_ok=True)
        name = "kubepods" if driver == "cgroupfs" else "kubepods.slice"
        if nest and driver == "systemd":
            # Systemd's names of slices hold those above them.
            name = f"{nest.rpartition('/')[2].removesuffix('.slice')}-{name}"
        self.root = f"{nest}/{name}" if nest else name

    # --- the node -------------------------------------------------------------------

    def start_kubelet(self, weight: int = 313) -> None:
        """Make the cgroups that are there without any pod.

        Args:
            weight: that of all pods, in version 2: 8 CPUs by the old formula.
        """
        for pod_class in ("guaranteed", "burstable", "besteffort"):
            self._make(self._holder(pod_class))
        if self.version == "v2":
            _overwrite(self.cgroupfs / self.root / "cpu.weight", f"{weight}\n")

    def play(self) -> None:
        """Bring all counters up to now."""
        now_s = self._clock()
        elapsed_s = now_s - self._played_at_s
        self._played_at_s = now_s
        for pod in self.pods.values():
            pod.used_s += pod.busy_cpus * elapsed_s
        self._write_counters()

    def spend(self, pod: PlayedPod, cpu_s: float) -> None:
        """Let a pod have used so much more, without any time passing."""
        pod.used_s += cpu_s
        self._write_counters()

    # --- pods -----------------------------------------------------------------------

    def start_pod(
        self,
        number: int,
        *,
        uid: str = "",
        pod_class: Class = "burstable",
        busy_cpus: float = 1.0,
        containers: int = 1,
        milli_cpus: int = 0,
        memory_limit: int | None = None,
    ) -> PlayedPod:
        """Start a pod.

        Args:
            number: its UID is made of it.
            uid: its UID, if it is another.
            pod_class: its class of service.
            busy_cpus: CPUs it keeps busy.
            containers: how many it has; 0 if it is still being prepared.
            milli_cpus: what it requests, in thousandths of a CPU.
            memory_limit: bytes; ``None`` for none.
        """
        self.play()
        uid = uid or uid_of(number)
        path = f"{self._holder(pod_class)}/{self._name(pod_class, uid)}"
        pod = PlayedPod(uid, path, busy_cpus)
        self._make(path)
        self.pods[uid] = pod
        self._write_limits(pod, milli_cpus, memory_limit)
        for container in range(containers):
            self.add_container(pod, container)
        self._write_counters()
        return pod

    def add_container(self, pod: PlayedPod, number: int) -> None:
        """Start a container; the pause container is one too."""
        name = f"{number:064x}"
        if self.driver == "systemd":
            name = f"{self.runtime}-{name}.scope"
        self._make(f"{pod.path}/{name}")

    def end_pod(self, pod: PlayedPod) -> None:
        """End a pod: its cgroup goes, its CPU time stays in those above."""
        self.play()
        self.ended_s += pod.used_s
        del self.pods[pod.uid]
        for tree in self._trees.values():
            shutil.rmtree(tree / pod.path, ignore_errors=True)
        self._write_counters()

    def restart_pod(self, pod: PlayedPod) -> PlayedPod:
        """End a pod and start it again under its UID, as happens to static ones."""
        # The kernel gives no two cgroups the same number; a file system may, once
        # the first is gone for good.
        held = [
            os.open(tree / pod.path, os.O_PATH)
            for tree in self._trees.values()
            if (tree / pod.path).is_dir()
        ]
        try:
            self.end_pod(pod)
            return self.start_pod(0, uid=pod.uid)
        finally:
            for handle in held:
                os.close(handle)

    def directory(self, path: str, controller: str = "cpuacct") -> Path:
        """Return where a cgroup is."""
        return self._trees[controller if self.version == "v1" else ""] / path

    # --- files ----------------------------------------------------------------------

    def _holder(self, pod_class: str) -> str:
        if pod_class == "guaranteed":
            return self.root
        if self.driver == "cgroupfs":
            return f"{self.root}/{pod_class}"
        prefix = self.root.rpartition("/")[2].removesuffix(".slice")
        return f"{self.root}/{prefix}-{pod_class}.slice"

    def _name(self, pod_class: str, uid: str) -> str:
        if self.driver == "cgroupfs":
            return f"pod{uid}"
        holder = self._holder(pod_class).rpartition("/")[2].removesuffix(".slice")
        return f"{holder}-pod{uid.replace('-', '_')}.slice"

    def _make(self, path: str) -> None:
        """Make a cgroup and those above it, with the files that the kernel makes."""
        for controller, tree in self._trees.items():
            directory = tree
            for name in path.split("/"):
                directory = directory / name
                if not directory.is_dir():
                    directory.mkdir()
                    self._write_counter_file(directory, controller, 0.0)

    def _write_limits(
        self, pod: PlayedPod, milli_cpus: int, memory_limit: int | None
    ) -> None:
        shares = max(2, milli_cpus * 1024 // 1000)
        if self.version == "v2":
            directory = self.directory(pod.path)
            weight = 1 + (shares - 2) * 9999 // 262142
            _overwrite(directory / "cpu.weight", f"{weight}\n")
            limit = "max" if memory_limit is None else str(memory_limit)
            _overwrite(directory / "memory.max", f"{limit}\n")
            return
        _overwrite(self.directory(pod.path, "cpu") / "cpu.shares", f"{shares}\n")
        limit = str(_UNLIMITED if memory_limit is None else memory_limit)
        memory = self.directory(pod.path, "memory")
        _overwrite(memory / "memory.limit_in_bytes", f"{limit}\n")

    def _write_counters(self) -> None:
        total_s = self.ended_s
        for pod in self.pods.values():
            total_s += pod.used_s
            self._write_counter(pod.path, pod.used_s)
            self._write_memory(pod)
        self._write_counter(self.root, total_s)

    def _write_counter(self, path: str, used_s: float) -> None:
        controller = "cpuacct" if self.version == "v1" else ""
        self._write_counter_file(self._trees[controller] / path, controller, used_s)

    def _write_counter_file(
        self, directory: Path, controller: str, used_s: float
    ) -> None:
        if controller == "cpuacct":
            text = f"{round(used_s * 1e9):<{_WIDTH}}\n"
            _overwrite(directory / "cpuacct.usage", text)
        elif not controller:
            used_us = round(used_s * 1e6)
            text = f"usage_usec {used_us:<{_WIDTH}}\nuser_usec {used_us:<{_WIDTH}}\n"
            _overwrite(directory / "cpu.stat", text)

    def _write_memory(self, pod: PlayedPod) -> None:
        anonymous = pod.memory_bytes
        if self.version == "v1":
            text = f"cache 4096\nrss 0\ntotal_cache 8192\ntotal_rss {anonymous}\n"
        else:
            text = f"anon {anonymous}\nfile 123456\nkernel 77\n"
        _overwrite(self.directory(pod.path, "memory") / "memory.stat", text)


def _overwrite(file: Path, text: str) -> None:
    """Write in place, as the kernel does: who has the file open sees it."""
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT, 0o644)
    except FileNotFoundError:
        return
    try:
        os.pwrite(fd, text.encode(), 0)
        os.ftruncate(fd, len(text.encode()))
    finally:
        os.close(fd)
