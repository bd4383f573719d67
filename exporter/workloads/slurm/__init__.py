"""Jobs of Slurm on this node."""

from exporter.workloads.slurm.gpu_claims import GpuSettings
from exporter.workloads.slurm.places import SlurmPlaces, drop_directory, end_directory
from exporter.workloads.slurm.source import SlurmWorkloads

__all__ = [
    "GpuSettings",
    "SlurmPlaces",
    "SlurmWorkloads",
    "drop_directory",
    "end_directory",
]
