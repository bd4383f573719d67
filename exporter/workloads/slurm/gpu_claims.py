"""Which GPUs a job holds, as several witnesses tell it.

The witnesses of a job, the best first:

    1. the drop file of our Prolog       what Slurm allocated, written by root
    2. its device cgroup (version 1)     what the kernel lets it open
    3. the environment of a process      what Slurm told it; a user may change it
    4. dcgm-exporter's and jobstats' maps, written by another Prolog

The first one that names GPUs is believed; a further one that names others as well
is a conflict, which is told and counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exporter.core.model import GpuInfo, GpuInstance, GpuOrder
from exporter.core.ports import GpuInventory
from exporter.workloads.doubts import Doubts
from exporter.workloads.gpu_maps import READ_AGAIN_S, JobMap, NamedGpu
from exporter.workloads.gpu_names import (
    DeviceFiles,
    GpuNames,
    GpuPart,
    find_device_files,
)
from exporter.workloads.slurm import facts
from exporter.workloads.slurm.facts import Sharing
from exporter.workloads.slurm.job import Job


@dataclass(frozen=True, slots=True)
class GpuSettings:
    """How a site's GPUs are numbered and shared, and who else writes it down.

    Attributes:
        order: in which Slurm counts GPUs.
        shards_per_gpu: as in gres.conf; ``None``: the holders share among them.
        device_dir: where the device files ``nvidiaN`` are.
        maps: directories that others write.
    """

    order: GpuOrder = "minor"
    shards_per_gpu: int | None = None
    device_dir: Path = Path("/dev")
    maps: tuple[JobMap, ...] = ()


class Claim(NamedTuple):
    """What the best witness of a job says, and how good it is (less is better)."""

    rank: int
    parts: frozenset[GpuPart]
    sharing: Sharing | None

    @property
    def shards_on_each(self) -> float:
        """Shards on each GPU of the claim; how they are spread is not told."""
        shards = 0 if self.sharing is None else self.sharing.shards or 0
        return shards / len(self.parts)


class GpuWitnesses:
    """Hears the witnesses of a job.

    Args:
        inventory: which GPUs there are.
        settings: how they are numbered and shared.
        doubts: is told what does not fit.

    Attributes:
        gpus: all GPUs, as they were when ``refresh`` last looked.
    """

    def __init__(
        self, inventory: GpuInventory, settings: GpuSettings, doubts: Doubts
    ) -> None:
        self.gpus: tuple[GpuInfo, ...] = ()
        self._inventory = inventory
        self._settings = settings
        self._doubts = doubts
        self._instances: tuple[GpuInstance, ...] = ()
        self._names = GpuNames((), (), settings.order, DeviceFiles())
        self._mapped: Mapping[str, frozenset[NamedGpu]] = {}
        self._maps_due_s = 0.0
        self._unknown: dict[Job, str] = {}

    def refresh(self, now_s: float) -> tuple[bool, bool]:
        """Look which GPUs there are, and what others' maps say.

        Args:
            now_s: CLOCK_MONOTONIC, s.

        Returns:
            Whether GPUs are other ones than before; and whether anything at all is
            new that all jobs have to be asked about.
        """
        gpus, instances = self._inventory.gpus(), self._inventory.instances()
        are_new = gpus is not self.gpus or instances is not self._instances
        if are_new:
            self.gpus, self._instances = gpus, instances
            files = find_device_files(self._settings.device_dir, gpus)
            self._names = GpuNames(gpus, instances, self._settings.order, files)
        if not gpus or now_s < self._maps_due_s:
            return are_new, are_new
        self._maps_due_s = now_s + READ_AGAIN_S
        mapped: dict[str, frozenset[NamedGpu]] = {}
        for job_map in self._settings.maps:
            for job_id, named in job_map.read().items():
                mapped[job_id] = mapped.get(job_id, frozenset()) | named
        has_news = are_new or mapped != self._mapped
        self._mapped = mapped
        return are_new, has_news

    def forget(self, job: Job) -> None:
        """Doubt nothing about a job any longer: it has ended."""
        self._unknown.pop(job, None)
        key = job.workload.key
        self._doubts.settle(f"witnesses {key}")
        self._doubts.settle(f"names {key}")

    def check_names(self, jobs: Iterable[Job]) -> None:
        """Tell of names that no GPU answers to."""
        for job in jobs:
            about = f"names {job.workload.key}"
            text = self._unknown.get(job)
            if text is None:
                self._doubts.settle(about)
            else:
                self._doubts.tell("unknown_gpu", about, text)

    def claim(self, job: Job) -> Claim | None:
        """Return what a job holds; ``None`` if nobody tells."""
        self._unknown.pop(job, None)
        if not self.gpus:
            return None
        best: Claim | None = None
        best_witness = ""
        for rank, (witness, named) in enumerate(self._testimonies(job)):
            parts = frozenset(part for part in named.values() if part is not None)
            unknown = [name for name, part in named.items() if part is None]
            if unknown and best is None:
                self._unknown[job] = (
                    f"{witness} gives job {job.workload.key} GPU {', '.join(unknown)}, "
                    f"and no GPU is known by that name: see slurm.gpu_order"
                )
            if not parts:
                continue
            if best is None:
                best = Claim(rank, parts, _sharing(job))
                best_witness = witness
            elif not parts <= best.parts:
                self._doubts.tell(
                    "conflict",
                    f"witnesses {job.workload.key}",
                    f"job {job.workload.key} holds {_say(best.parts)} by {best_witness}"
                    f", but {_say(parts)} by {witness}: the former is believed",
                )
        return best

    def _testimonies(self, job: Job) -> list[tuple[str, Mapping[str, GpuPart | None]]]:
        """What each witness names, in the order of trust; empty if nothing."""
        names = self._names
        drop = job.told.drop
        dropped = () if drop is None else facts.gpus_of(drop.facts, is_hook=True) or ()
        environment = job.told.environment or {}
        told = facts.gpus_of(environment, is_hook=False) or ()
        devices = {
            f"{major}:{minor}": names.find_by_device(major, minor)
            for major, minor in job.slow.limits.devices or ()
        }
        mapped = self._mapped.get(job.job_id, frozenset())
        return [
            ("the Prolog", {name: names.find(name) for name in dropped}),
            (
                "its device cgroup",
                # Most devices are no GPUs.
                {name: part for name, part in devices.items() if part is not None},
            ),
            ("its environment", {name: names.find(name) for name in told}),
            (
                "the job map",
                {f"{named.format}/{named.name}": named.find(names) for named in mapped},
            ),
        ]


def _sharing(job: Job) -> Sharing | None:
    for environment in job.told.witnesses():
        sharing = facts.sharing_of(environment)
        if sharing is not None:
            return sharing
    return None


def _say(parts: frozenset[GpuPart]) -> str:
    return " and ".join(sorted(part.instance or part.device for part in parts))
