"""Who holds which GPU, and what to do if two say that they do.

A GPU that two jobs hold for themselves is a conflict: then the better witness wins.
What NVML says of running processes never decides, since to use is not to hold: it
only shows what is wrong.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.core.ports import GpuInventory
from exporter.core.units import Ratio
from exporter.core.workload import NO_ACTIVITY, GpuHold
from exporter.workloads.doubts import Doubts
from exporter.workloads.environ import cgroup_of
from exporter.workloads.gpu_holds import may_share
from exporter.workloads.gpu_names import GpuPart
from exporter.workloads.slurm.gpu_claims import Claim, GpuSettings, GpuWitnesses
from exporter.workloads.slurm.job import Job
from exporter.workloads.slurm.tree import job_in_path

if TYPE_CHECKING:
    from exporter.workloads.gpu_activity import SharedGpus

_MOST_PROCESSES = 512
_CHECK_EVERY_S = 10.0
_REMEDY = "in a container it takes the node's process ids, see docs/slurm.md"


class GpuOwners:
    """Assigns GPUs to the jobs that hold them.

    Args:
        inventory: which GPUs there are.
        settings: how they are numbered and shared.
        procfs: where processes are looked up.
        doubts: is told what does not fit.

    Attributes:
        busy: the part of shared GPUs that was busy in this tick, where that is told.
    """

    def __init__(
        self,
        inventory: GpuInventory,
        settings: GpuSettings,
        procfs: Path,
        doubts: Doubts,
    ) -> None:
        self.busy: Mapping[str, float] = NO_ACTIVITY
        self._shared: SharedGpus[Job] | None = None
        self._inventory = inventory
        self._shards_per_gpu = settings.shards_per_gpu
        self._procfs = procfs
        self._doubts = doubts
        self._witnesses = GpuWitnesses(inventory, settings, doubts)
        self._check_due_s = 0.0
        self._claims: dict[Job, Claim] = {}
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
        are_other_gpus, has_news = self._witnesses.refresh(now_s)
        if are_other_gpus:
            self._is_settled = False
        if has_news:
            self._claims.clear()
            news = jobs
        for job in news:
            claim = self._witnesses.claim(job)
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
            self._follow_shared(held)
        if self._shared is not None:
            self.busy = self._shared.tell(now_s)
        if now_s >= self._check_due_s:
            self._check_due_s = now_s + _CHECK_EVERY_S
            # Of a job that has just begun not all is known yet.
            grown = [job for job in jobs if job.age_s(now_s) >= _CHECK_EVERY_S]
            self._witnesses.check_names(grown)
            self._check_processes(grown)
        return changed

    def forget(self, job: Job) -> None:
        """Doubt nothing about a job any longer: it has ended."""
        if self._claims.pop(job, None) is not None:
            self._is_settled = False
        self._witnesses.forget(job)
        for gpu in self._witnesses.gpus:
            self._doubts.settle(f"use {job.workload.key} {gpu.uuid}")

    def _follow_shared(self, holders: Collection[Job]) -> None:
        if self._shared is None:
            if not may_share(holders):
                return
            # Few nodes have such GPUs.
            from exporter.workloads.gpu_activity import (  # noqa: PLC0415 - see above
                SharedGpus,
            )

            self._shared = SharedGpus(
                self._inventory, self._procfs, job_in_path, self._doubts, _REMEDY
            )
        # Cgroups are named by one of the two.
        by_key = {job.sluid: job for job in holders if job.sluid}
        by_key |= {job.job_id: job for job in holders if job.job_id}
        self._shared.follow(by_key)

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
                job: claims[job].shards_on_each for job in parts if claims[job].sharing
            }
            total = self._shards_per_gpu or sum(shards.values())
            for job, some in parts.items():
                sharing = claims[job].sharing
                ratio = 1.0
                if sharing is not None:
                    ratio = sharing.ratio or (shards[job] / total if total else 1.0)
                held.setdefault(job, []).extend(
                    GpuHold(
                        device,
                        Ratio(min(1.0, part.share * ratio)),
                        instance=part.instance,
                    )
                    for part in some
                )
        return {job: tuple(holds) for job, holds in held.items()}

    def _let_better_win(self, device: str, parts: dict[Job, list[GpuPart]]) -> None:
        """Take a GPU away from those whose witness is worse, if it is held twice."""
        claims = self._claims
        about = f"device {device}"
        # One that ended while no daemon read is no rival of those after it.
        alone = [
            job
            for job in parts
            if claims[job].sharing is None and job.end_unix_s is None
        ]
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
