"""Composition root of what tells who is running."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.config import Config
from exporter.core.ports import GpuInventory, WorkloadSource
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.gpu_maps import JobMap
from exporter.workloads.kubernetes.presence import PodsIfAny, PodSource
from exporter.workloads.labels import UserNaming, read_hash_key
from exporter.workloads.slurm import (
    GpuSettings,
    SlurmPlaces,
    SlurmWorkloads,
    drop_directory,
    end_directory,
)

if TYPE_CHECKING:
    from exporter.stand_ins import StandIns
    from exporter.workloads.slurm.hub_jobs import HubJobs


def build_schedulers(
    config: Config,
    inventory: GpuInventory,
    hub_jobs: "HubJobs | None" = None,
    daemons_dir: Path | None = None,
    stand_ins: "StandIns | None" = None,
) -> tuple[WorkloadSource, ...]:
    """Return a source for each scheduler: a node may belong to several.

    Args:
        config: as configured.
        inventory: which GPUs there are.
        hub_jobs: what the hub tells of jobs of Slurm; ``None`` if it is not asked.
        daemons_dir: run directory of a daemon beside which they look: what it knows
            of jobs is read there, and nothing is removed.
        stand_ins: take the place of what a simulated machine does not have.

    Raises:
        ConfigError: the key for hashes of users cannot be read.
    """
    budget = FileBudget.of_this_process()
    sources: list[WorkloadSource] = []
    if config.slurm.enabled:
        sources.append(_slurm(config, inventory, budget, hub_jobs, daemons_dir))
    if config.kubernetes.enabled != "false":
        sources.append(_kubernetes(config, inventory, budget, stand_ins))
    return tuple(sources)


def _slurm(
    config: Config,
    inventory: GpuInventory,
    budget: FileBudget,
    hub_jobs: "HubJobs | None",
    daemons_dir: Path | None,
) -> WorkloadSource:
    places = SlurmPlaces(
        cgroupfs=config.path.cgroupfs,
        procfs=config.path.procfs,
        drops=drop_directory(daemons_dir or config.state.run_dir),
        ended=end_directory(config.state.run_dir),
        only_looks=daemons_dir is not None,
    )
    maps = [JobMap(config.gpu.gpustat_dir, "gpustat")]
    if config.gpu.dcgm_job_mapping_dir is not None:
        maps.append(JobMap(config.gpu.dcgm_job_mapping_dir, "dcgm"))
    gpus = GpuSettings(
        order=config.slurm.gpu_order,
        shards_per_gpu=config.slurm.shards_per_gpu,
        device_dir=config.gpu.device_dir,
        maps=tuple(maps),
    )
    return SlurmWorkloads(
        places, inventory, gpus, _naming(config), budget=budget, hub_jobs=hub_jobs
    )


def _kubernetes(
    config: Config,
    inventory: GpuInventory,
    budget: FileBudget,
    stand_ins: "StandIns | None",
) -> WorkloadSource:
    def build() -> PodSource:
        # Most nodes of other schedulers never need it.
        from exporter.bootstrap_kubernetes import build_pods  # noqa: PLC0415 - above

        return build_pods(config, inventory, budget, stand_ins=stand_ins)

    # A simulated machine may run in a pod, and is none.
    is_pod = "KUBERNETES_SERVICE_HOST" in os.environ and stand_ins is None
    if config.kubernetes.enabled == "true" or is_pod:
        return build()
    return PodsIfAny(config.path.cgroupfs, build)


def _naming(config: Config) -> UserNaming:
    labels = config.labels
    key = b""
    if labels.user == "hash" and labels.hash_key_file is not None:
        key = read_hash_key(labels.hash_key_file)
    return UserNaming(labels.user, key)
