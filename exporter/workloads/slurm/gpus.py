"""Who holds which GPU, as several witnesses tell it, and what to do if they differ.

The witnesses of a job, the best first:

    1. the drop file of our Prolog       what Slurm allocated, written by root
    2. its device cgroup (version 1)     what the kernel lets it open
    3. the environment of a process      what Slurm told it; a user may change it
    4. dcgm-exporter's and jobstats' maps, written by another Prolog

The first one that names GPUs is believed; a further one that names others as well
is a conflict, which is told and counted. So is a GPU that two jobs hold for
themselves: then the better witness wins. What NVML says of running processes
never decides, since to use is not to hold: it only shows what is wrong.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exporter.core.model import GpuHold, GpuInfo, GpuInstance, GpuOrder
from exporter.core.ports import GpuInventory
from exporter.core.units import Ratio
from exporter.workloads.doubts import Doubts
from exporter.workloads.environ import cgroup_of
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
from exporter.workloads.slurm.tree import job_in_path

_MOST_PROCESSES = 512
_CHECK_EVERY_S = 10.0


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


class _Claim(NamedTuple):
    """What the best witness of a job says, and how good it is (less is better)."""

    rank: int
    parts: frozenset[GpuPart]
    sharing: Sharing | None


class GpuOwners:
    """Assigns GPUs to the jobs that hold them.

    Args:
        inventory: which GPUs there are.
        settings: how they are numbered and shared.
        procfs: where processes are looked up.
        doubts: is told what does not fit.
    """

    def __init__(
        self,
        inventory: GpuInventory,
        settings: GpuSettings,
        procfs: Path,
        doubts: Doubts,
    ) -> None:
        self._inventory = inventory
        self._settings = settings
        self._procfs = procfs
        self._doubts = doubts
        self._gpus: tuple[GpuInfo, ...] = ()
        self._instances: tuple[GpuInstance, ...] = ()
        self._names = GpuNames((), (), settings.order, DeviceFiles())
        self._mapped: Mapping[str, frozenset[NamedGpu]] = {}
        self._maps_due_s = 0.0
        self._check_due_s = 0.0
        self._unknown: dict[Job, str] = {}
        self._claims: dict[Job, _Claim] = {}
        self._is_settled = True

    def assign(
        self, jobs: Iterable[Job], news: Iterable[Job], now_s: float
    ) -> list[Job]:
        """Set what each job holds.

        Args:
            jobs: all of them.
            news: those of whom something new is known.
            now_s: CLOCK_MONOTONIC, s.

        Returns:
            Those that hold something else than before.
        """
        if self._has_news(now_s):
            self._claims.clear()
            news = jobs
        for job in news:
            claim = self._claim(job) if self._gpus else None
            if claim is not None:
                self._claims[job] = claim
            elif self._claims.pop(job, None) is not None:
                self._is_settled = False
            self._is_settled &= claim is None
        changed: list[Job] = []
        if not self._is_settled:
            self._is_settled = True
            held = self._settle()
            changed = [job for job in jobs if job.set_holds(held.get(job, ()))]
        if now_s >= self._check_due_s:
            self._check_due_s = now_s + _CHECK_EVERY_S
            # Of a job that has just begun not all is known yet.
            grown = [job for job in jobs if job.age_s(now_s) >= _CHECK_EVERY_S]
            self._check_names(grown)
            self._check_processes(grown)
        return changed

    def forget(self, job: Job) -> None:
        """Doubt nothing about a job any longer: it has ended."""
        if self._claims.pop(job, None) is not None:
            self._is_settled = False
        self._unknown.pop(job, None)
        key = job.workload.key
        self._doubts.settle(f"witnesses {key}")
        self._doubts.settle(f"names {key}")
        for gpu in self._gpus:
            self._doubts.settle(f"use {key} {gpu.uuid}")

    # --- others -------------------------------------------------------------------

    def _has_news(self, now_s: float) -> bool:
        """Whether GPUs are other ones than before, or others' maps have changed."""
        gpus, instances = self._inventory.gpus(), self._inventory.instances()
        has_news = gpus is not self._gpus or instances is not self._instances
        if has_news:
            self._gpus, self._instances = gpus, instances
            self._is_settled = False
            files = find_device_files(self._settings.device_dir, gpus)
            self._names = GpuNames(gpus, instances, self._settings.order, files)
        if gpus and now_s >= self._maps_due_s:
            self._maps_due_s = now_s + READ_AGAIN_S
            mapped: dict[str, frozenset[NamedGpu]] = {}
            for job_map in self._settings.maps:
                for job_id, named in job_map.read().items():
                    mapped[job_id] = mapped.get(job_id, frozenset()) | named
            has_news |= mapped != self._mapped
            self._mapped = mapped
        return has_news

    def _check_names(self, jobs: Iterable[Job]) -> None:
        """Tell of names that no GPU answers to."""
        for job in jobs:
            about = f"names {job.workload.key}"
            text = self._unknown.get(job)
            if text is None:
                self._doubts.settle(about)
            else:
                self._doubts.tell("unknown_gpu", about, text)

    def _check_processes(self, jobs: Iterable[Job]) -> None:
        """Compare what jobs hold with where their processes compute."""
        processes = self._inventory.processes()
        if not processes:
            return
        known = {job.job_id or job.sluid: job for job in jobs}
        known |= {job.sluid: job for job in known.values() if job.sluid}
        for device, pids in processes.items():
            for pid in pids[:_MOST_PROCESSES]:
                job = known.get(job_in_path(cgroup_of(self._procfs, pid)) or "")
                if job is None or any(hold.device == device for hold in job.holds):
                    continue
                self._doubts.tell(
                    "conflict",
                    f"use {job.workload.key} {device}",
                    f"job {job.workload.key} computes on GPU {device}, which it does "
                    "not hold as far as is known: see docs/slurm.md",
                )

    # --- one job ------------------------------------------------------------------

    def _claim(self, job: Job) -> _Claim | None:
        self._unknown.pop(job, None)
        best: _Claim | None = None
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
                best = _Claim(rank, parts, _sharing(job))
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
        drop = job.drop
        dropped = () if drop is None else facts.gpus_of(drop.facts, is_hook=True) or ()
        environment = job.environment or {}
        told = facts.gpus_of(environment, is_hook=False) or ()
        devices = {
            f"{major}:{minor}": names.find_by_device(major, minor)
            for major, minor in job.limits.devices or ()
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

    # --- all jobs -----------------------------------------------------------------

    def _settle(self) -> Mapping[Job, tuple[GpuHold, ...]]:
        claims = self._claims
        by_device: dict[str, dict[Job, list[GpuPart]]] = {}
        for job, claim in claims.items():
            for part in sorted(claim.parts):
                by_device.setdefault(part.device, {}).setdefault(job, []).append(part)
        held: dict[Job, list[GpuHold]] = {}
        for device, parts in by_device.items():
            self._let_better_win(device, parts)
            shards = {
                job: _shards_here(claims[job]) for job in parts if claims[job].sharing
            }
            total = self._settings.shards_per_gpu or sum(shards.values())
            for job, some in parts.items():
                share = float(sum(part.share for part in some))
                sharing = claims[job].sharing
                if sharing is not None:
                    share *= sharing.ratio or (shards[job] / total if total else 1.0)
                hold = GpuHold(device, Ratio(min(1.0, share)))
                held.setdefault(job, []).append(hold)
        return {job: tuple(holds) for job, holds in held.items()}

    def _let_better_win(self, device: str, parts: dict[Job, list[GpuPart]]) -> None:
        """Take a GPU away from those whose witness is worse, if it is held twice."""
        claims = self._claims
        about = f"device {device}"
        alone = [job for job in parts if claims[job].sharing is None]
        rivals = _rivals({job: parts[job] for job in alone})
        if not rivals:
            self._doubts.settle(about)
            return
        keys = sorted(job.workload.key for job in rivals)
        self._doubts.tell(
            "conflict",
            about,
            f"GPU {device} is held by jobs {', '.join(keys)}, by each alone as far as "
            "is known: see docs/slurm.md",
        )
        best = min(claims[job].rank for job in rivals)
        for job in rivals:
            if claims[job].rank > best:
                del parts[job]


def _sharing(job: Job) -> Sharing | None:
    for environment in job.witnesses():
        sharing = facts.sharing_of(environment)
        if sharing is not None:
            return sharing
    return None


def _shards_here(claim: _Claim) -> float:
    """Shards on each GPU of the claim; how they are spread is not told."""
    shards = 0 if claim.sharing is None else claim.sharing.shards or 0
    return shards / len(claim.parts)


def _rivals(parts: Mapping[Job, list[GpuPart]]) -> set[Job]:
    """Those who hold the same of one GPU as somebody else."""
    if len(parts) > 1 and any(
        not part.instance for some in parts.values() for part in some
    ):
        return set(parts)
    holders = Counter(part.instance for some in parts.values() for part in set(some))
    return {
        job
        for job, some in parts.items()
        if any(holders[part.instance] > 1 for part in some)
    }


def _say(parts: frozenset[GpuPart]) -> str:
    return " and ".join(sorted(part.instance or part.device for part in parts))
