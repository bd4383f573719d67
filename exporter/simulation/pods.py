"""Kubernetes on a simulated node: cgroups of pods, and those who tell of them.

``SimulatedKubelet`` takes the place of ``PodResources``, ``SimulatedApi`` that of the
API server: both answer what is known at that moment.
"""

from exporter.simulation.cgroups import CgroupTree, LiveCgroup, Shape
from exporter.simulation.machine import RunningJob
from exporter.simulation.names import pod_name, pod_uid, workload_name
from exporter.simulation.nvml import gpu_uuid
from exporter.workloads.kubernetes.fact_store import FactStore
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.pod_devices import PodDevices

_ROOT = "kubepods.slice"
_CLASS = f"{_ROOT}/kubepods-burstable.slice"
_NOTHING_TO_DO_S = 3600.0


class PodNode:
    """The pods on one node.

    Args:
        tree: where their cgroups are.
        name: of the node.
        node: its number.
        gpus: how many GPUs it has.
    """

    def __init__(self, tree: CgroupTree, name: str, node: int, gpus: int) -> None:
        self._tree = tree
        self._name = name
        self._node = node
        self._root = tree.make_holder(_ROOT)
        self._class = tree.make_holder(_CLASS)
        tree.make_holder(f"{_ROOT}/kubepods-besteffort.slice").close()
        self._pods: dict[int, tuple[LiveCgroup, int]] = {}
        self._ended_s = 0.0
        self.api = SimulatedApi()
        self.kubelet = SimulatedKubelet(
            tuple(gpu_uuid(name, index) for index in range(gpus))
        )

    def begin(self, running: RunningJob) -> None:
        """Do what the kubelet does."""
        job = running.job
        uid = pod_uid(job, self._node)
        held = frozenset(gpu_uuid(self._name, i) for i in job.gpus_on(self._node))
        namespace, name = job.tenant, pod_name(job, self._node)
        self.kubelet.give(uid, PodDevices(namespace, name, held))
        self.api.store.put(
            PodFacts(
                uid=uid,
                namespace=namespace,
                name=name,
                workload_kind=job.kind.owner,
                workload_name=workload_name(job),
                containers=1,
                cpus=float(job.cpus),
                memory_bytes=float(job.kind.memory_bytes),
                start_unix_s=float(job.start_unix_s),
                time_limit_s=float(job.limit_s) if "Job" in job.kind.owner else None,
            )
        )
        in_name = uid.replace("-", "_")
        self._pods[job.number] = self._tree.make(
            Shape(
                path=f"{_CLASS}/kubepods-burstable-pod{in_name}.slice",
                leaf=f"cri-containerd-{2 * uid.replace('-', '')}.scope",
                limits={"memory.max": str(job.kind.memory_bytes)},
                environ={"KUBERNETES_SERVICE_HOST": "192.0.2.1"},
            )
        )

    def end(self, running: RunningJob) -> None:
        """Do what the end of a pod does."""
        job = running.job
        cgroup, pid = self._pods.pop(job.number)
        self._ended_s += running.cpu_s
        cgroup.write_cpu(running.cpu_s)
        self._tree.remove(cgroup, pid)
        uid = pod_uid(job, self._node)
        self.kubelet.take(uid)
        self.api.store.remove(uid)

    def write(self, running: dict[int, RunningJob]) -> None:
        """Bring the CPU counters up to the machine's last moment."""
        total_s = self._ended_s
        for number, (cgroup, _) in self._pods.items():
            cpu_s = running[number].cpu_s
            total_s += cpu_s
            cgroup.write_cpu(cpu_s)
        self._class.write_cpu(total_s)
        self._root.write_cpu(total_s)

    def write_rest(self, running: dict[int, RunningJob]) -> None:
        """Bring up what nobody looks at in each tick."""
        for number, (cgroup, _) in self._pods.items():
            cgroup.write_memory(running[number].load.memory_bytes)

    def pids(self, number: int) -> tuple[int, ...]:
        """Return the processes of a pod; none if it is no pod."""
        held = self._pods.get(number)
        return () if held is None else (held[1],)

    def close(self) -> None:
        """Close all files."""
        for cgroup, _ in self._pods.values():
            cgroup.close()
        self._class.close()
        self._root.close()


class SimulatedKubelet:
    """Knows who was given which GPU; implements ``allocations.Kubelet``.

    Args:
        gpus: all GPUs of the node.
    """

    def __init__(self, gpus: tuple[str, ...]) -> None:
        self._gpus = gpus
        self._held: dict[str, PodDevices] = {}

    def give(self, uid: str, devices: PodDevices) -> None:
        """Give GPUs to a pod; maybe none."""
        if devices.devices:
            self._held[uid] = devices

    def take(self, uid: str) -> None:
        """Take back what a pod has."""
        self._held.pop(uid, None)

    def ask(self) -> tuple[tuple[PodDevices, ...], tuple[str, ...] | None]:
        """Return who holds what, and all there is; any thread."""
        # Copied in one step: pods come and go meanwhile.
        return tuple(self._held.copy().values()), self._gpus

    def interrupt(self) -> None:
        """Never take long, so be never interrupted."""


class SimulatedApi:
    """Knows all of each pod; implements ``names.Witness``."""

    def __init__(self) -> None:
        self.name = "simulated API server"
        self.knows_all = True
        self.store = FactStore()

    @property
    def trouble(self) -> str:
        """Have none."""
        return ""

    def want(self, uids: frozenset[str]) -> bool:
        """Have told all there is to tell."""
        del uids
        return False

    def step(self) -> float:
        """Do nothing: what is new is told by the node itself."""
        return _NOTHING_TO_DO_S

    def interrupt(self) -> None:
        """Do nothing: nobody is waited for."""
