"""Jobs of Slurm on this node."""

from exporter.workloads.slurm.gpus import GpuSettings
from exporter.workloads.slurm.source import (
    SlurmPlaces,
    SlurmWorkloads,
    drop_directory,
)

__all__ = ["GpuSettings", "SlurmPlaces", "SlurmWorkloads", "drop_directory"]
