"""Which GPU, and which part of it, each pod holds.

The kubelet tells by namespace and name what a pod was given. A device plugin gives out
whole GPUs, MIG instances, or replicas of either: then a pod holds as much as its
replicas are of all there are, and what is left over is unallocated. Where it is not
told how many there are, the holders share all of it among them.

It is believed for a minute. After that nobody knows who holds what: the holds are
dropped, and the energy of GPUs that nobody else holds is unknown rather than
unallocated. So is that of a GPU that was given to somebody whom nobody knows. Pods
that have ended are told for a while by some kubelets: only those with a cgroup count.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.core.model import GpuInfo, GpuInstance
from exporter.core.ports import GpuInventory
from exporter.core.units import Ratio
from exporter.core.workload import NO_ACTIVITY, GpuHold
from exporter.workloads.doubts import Doubts
from exporter.workloads.environ import cgroup_of
from exporter.workloads.gpu_holds import may_share
from exporter.workloads.gpu_names import GpuPart
from exporter.workloads.kubernetes.allocations import Allocation, Allocations
from exporter.workloads.kubernetes.device_names import DeviceNames, split_id
from exporter.workloads.kubernetes.pod import Pod
from exporter.workloads.kubernetes.tree import pod_in_path

if TYPE_CHECKING:
    from exporter.workloads.gpu_activity import SharedGpus

_BELIEVED_S = 60.0
_CHECK_EVERY_S = 10.0
_MOST_PROCESSES = 512

_REMEDY = "in a container it takes hostPID, see docs/kubernetes.md"

NO_GPUS: frozenset[str] = frozenset()


class PodGpus:
    """Assigns GPUs to the pods that hold them; for one thread.

    Args:
        inventory: which GPUs there are.
        allocations: what the kubelet told.
        procfs: where processes are looked up.
        doubts: is told what does not fit.

    Attributes:
        unknown: GPUs of which nobody knows who holds them, if anybody does.
        busy: the part of shared GPUs that was busy in this tick, where that is told.
    """

    def __init__(
        self,
        inventory: GpuInventory,
        allocations: Allocations,
        procfs: Path,
        doubts: Doubts,
    ) -> None:
        self.unknown = NO_GPUS
        self.busy: Mapping[str, float] = NO_ACTIVITY
        self._shared: SharedGpus[Pod] | None = None
        self._inventory = inventory
        self._allocations = allocations
        self._procfs = procfs
        self._doubts = doubts
        self._gpus: tuple[GpuInfo, ...] = ()
        self._instances: tuple[GpuInstance, ...] = ()
        self._names = DeviceNames((), ())
        self._believed: Allocation | None = None
        self._check_due_s = 0.0

    def assign(self, pods: Iterable[Pod], now_s: float, *, has_news: bool) -> None:
        """Set what each pod holds.

        Args:
            pods: all of them.
            now_s: CLOCK_MONOTONIC, s.
            has_news: there are other pods than before, or other names of them.
        """
        has_other_gpus = self._follow_inventory()
        if not self._gpus:
            return
        if has_news or has_other_gpus:
            self._allocations.refresh()
        latest = self._allocations.latest
        if latest is not None and now_s - latest.time_s > _BELIEVED_S:
            latest = None
        if has_news or has_other_gpus or latest is not self._believed:
            self._believed = latest
            self._settle(tuple(pods), latest)
        self._tell_troubles(latest)
        if self._shared is not None:
            self.busy = self._shared.tell(now_s)
        if now_s >= self._check_due_s:
            self._check_due_s = now_s + _CHECK_EVERY_S
            self._check_processes(pods, now_s)

    def forget(self, pod: Pod) -> None:
        """Doubt nothing about a pod any longer: it has ended."""
        for gpu in self._gpus:
            self._doubts.settle(f"use {pod.uid} {gpu.uuid}")

    def close(self) -> None:
        """End the thread that asks."""
        self._allocations.close()

    # --- others -------------------------------------------------------------------

    def _follow_inventory(self) -> bool:
        gpus, instances = self._inventory.gpus(), self._inventory.instances()
        if gpus is self._gpus and instances is self._instances:
            return False
        self._gpus, self._instances = gpus, instances
        self._names = DeviceNames(gpus, instances)
        return True

    def _tell_troubles(self, believed: Allocation | None) -> None:
        allocations = self._allocations
        trouble = allocations.trouble
        if believed is None and trouble:
            self._doubts.tell(
                "gpus",
                "allocations",
                f"nobody tells which pod holds which GPU: {trouble}",
            )
        elif believed is not None:
            self._doubts.settle("allocations")
        if allocations.claims_trouble:
            self._doubts.tell("unknown_gpu", "claims", allocations.claims_trouble)
        else:
            self._doubts.settle("claims")

    def _check_processes(self, pods: Iterable[Pod], now_s: float) -> None:
        """Compare what pods hold with where their processes compute."""
        processes = self._inventory.processes()
        if not processes or self._believed is None:
            return
        # Of a pod that has just begun not all is known yet.
        known = {pod.uid: pod for pod in pods if pod.age_s(now_s) >= _CHECK_EVERY_S}
        for device, pids in processes.items():
            for pid in pids[:_MOST_PROCESSES]:
                pod = known.get(pod_in_path(cgroup_of(self._procfs, pid)) or "")
                if pod is None or any(hold.device == device for hold in pod.holds):
                    continue
                self._doubts.tell(
                    "conflict",
                    f"use {pod.uid} {device}",
                    f"pod {_say(pod)} computes on GPU {device}, which it was not "
                    "given: see docs/kubernetes.md",
                )

    # --- who holds what -------------------------------------------------------------

    def _settle(self, pods: tuple[Pod, ...], allocation: Allocation | None) -> None:
        held: dict[Pod, list[GpuHold]] = {}
        if allocation is None:
            self.unknown = frozenset(gpu.uuid for gpu in self._gpus)
        else:
            parts, counts, is_complete = self._count(pods, allocation)
            everything = frozenset(gpu.uuid for gpu in self._gpus)
            self.unknown = NO_GPUS if is_complete else everything
            totals = Counter(
                split_id(device).base for device in allocation.allocatable or ()
            )
            for base, holders in counts.items():
                part = parts[base]
                whole = max(totals[base], sum(holders.values()))
                for pod, count in holders.items():
                    share = Ratio(min(1.0, part.share * count / whole))
                    held.setdefault(pod, []).append(
                        GpuHold(part.device, share, instance=part.instance)
                    )
        for pod in pods:
            # One that has just ended is charged for what it held till then.
            if pod.is_here:
                pod.set_holds(tuple(held.get(pod, ())))
        self._follow_shared(pods)

    def _follow_shared(self, pods: tuple[Pod, ...]) -> None:
        holders = {pod.uid: pod for pod in pods if pod.holds}
        if self._shared is None:
            if not may_share(holders.values()):
                return
            # Few nodes have such GPUs.
            from exporter.workloads.gpu_activity import (  # noqa: PLC0415 - see above
                SharedGpus,
            )

            self._shared = SharedGpus(
                self._inventory, self._procfs, pod_in_path, self._doubts, _REMEDY
            )
        self._shared.follow(holders)

    def _count(
        self, pods: tuple[Pod, ...], allocation: Allocation
    ) -> tuple[Mapping[str, GpuPart], Mapping[str, Counter[Pod]], bool]:
        """Count what each pod holds of each GPU or instance.

        Returns:
            What the names of devices stand for; how many of each the pods hold; and
            whether all is known that was given to anybody.
        """
        # Of two pods of one name the later one is meant: the other is ending.
        by_name = {
            (pod.facts.namespace, pod.facts.name): pod
            for pod in sorted(pods, key=lambda pod: pod.start_unix_s)
            if pod.facts is not None and pod.is_here
        }
        is_complete = True
        may_be_nameless = any(pod.facts is None and pod.is_here for pod in pods)
        parts: dict[str, GpuPart] = {}
        counts: dict[str, Counter[Pod]] = {}
        alone: dict[str, set[Pod]] = {}
        unknown: list[str] = []
        for told in allocation.pods:
            pod = by_name.get((told.namespace, told.name))
            if pod is None:
                is_complete &= not ((told.devices or told.claims) and may_be_nameless)
                continue
            for device in sorted(told.devices | told.claimed):
                base, is_replica = split_id(device)
                part = self._names.find(base)
                if part is None:
                    unknown.append(device)
                    continue
                parts[base] = part
                counts.setdefault(base, Counter())[pod] += 1
                if not is_replica and device in told.devices:
                    alone.setdefault(base, set()).add(pod)
        is_complete &= not unknown
        is_complete &= not any(
            (told.namespace, told.name) in by_name for told in allocation.unknown
        )
        self._tell_unknown(unknown)
        self._tell_conflicts(alone)
        return parts, counts, is_complete

    def _tell_unknown(self, devices: list[str]) -> None:
        if not devices:
            self._doubts.settle("devices")
            return
        self._doubts.tell(
            "unknown_gpu",
            "devices",
            f"pods were given {', '.join(sorted(devices)[:4])}, and no GPU is known by "
            "that name: see docs/kubernetes.md",
        )

    def _tell_conflicts(self, alone: Mapping[str, set[Pod]]) -> None:
        shared = {base: pods for base, pods in alone.items() if len(pods) > 1}
        if not shared:
            self._doubts.settle("shared")
            return
        base, pods = min(shared.items(), key=lambda item: item[0])
        self._doubts.tell(
            "conflict",
            "shared",
            f"{base} was given to pods {' and '.join(sorted(map(_say, pods)))}, to "
            "each as a whole: they are charged for equal parts",
        )


def _say(pod: Pod) -> str:
    facts = pod.facts
    return pod.uid if facts is None else f"{facts.namespace}/{facts.name}"
