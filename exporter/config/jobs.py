"""Settings of jobs: those of Slurm, who holds which GPU, what labels give away."""

from dataclasses import dataclass
from pathlib import Path

from exporter.config.table import setting
from exporter.config.values import boolean, integer, one_of, path, word
from exporter.core.errors import ConfigError
from exporter.core.model import GpuOrder, UserLabel


@dataclass(frozen=True, slots=True)
class Slurm:
    """Jobs of Slurm."""

    enabled: bool = setting(boolean(), "tell the jobs of Slurm apart", default=True)
    gpu_order: GpuOrder = setting(
        one_of(GpuOrder),
        "order in which Slurm counts GPUs: by the minor numbers of their device files "
        "(gres.conf lists files), by PCI address (AutoDetect=nvml), or like NVML",
        default="minor",
    )
    shards_per_gpu: int | None = setting(
        integer(1, 1024),
        "shards that gres.conf divides a GPU into",
        default=None,
        default_note="the jobs on a GPU share all of it",
    )
    ask_hub: bool = setting(
        boolean(),
        "ask the hub of `carbon.hub_url` for what the node cannot know of its jobs",
        default=False,
    )
    node_name: str | None = setting(
        word(),
        "what Slurm calls this node, for asking the hub",
        default=None,
        default_note="the name of the host",
    )


@dataclass(frozen=True, slots=True)
class Gpu:
    """Who else tells which job holds which GPU."""

    dcgm_job_mapping_dir: Path | None = setting(
        path(),
        "directory that a Prolog fills for dcgm-exporter (--hpc-job-mapping-dir)",
        default=None,
    )
    gpustat_dir: Path = setting(
        path(),
        "directory that the Prolog of jobstats fills",
        default=Path("/run/gpustat"),
    )
    device_dir: Path = setting(
        path(), "directory of the device files nvidiaN", default=Path("/dev")
    )


@dataclass(frozen=True, slots=True)
class Labels:
    """What the labels of a job give away."""

    user: UserLabel = setting(
        one_of(UserLabel),
        "how users appear: by name, as a hash of it, or not at all",
        default="name",
    )
    hash_key_file: Path | None = setting(
        path(),
        "file with the site's secret key for hashes of users, 16 to 64 bytes; the "
        "same on all nodes",
        default=None,
    )

    def __post_init__(self) -> None:
        if self.user == "hash" and self.hash_key_file is None:
            msg = (
                "labels.hash_key_file: labels.user: hash needs one, as without a "
                "secret whoever has a list of users can undo it"
            )
            raise ConfigError(msg)
