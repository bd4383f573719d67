"""Every setting of the daemon, once: this file is the table.

Flags, environment variables, YAML keys, help texts and the manual are derived
from it. To add a section, write a frozen dataclass of ``setting`` fields with a
one-line docstring (its title) and add it to ``Config``.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from exporter.config.carbon import Carbon
from exporter.config.kubernetes import Kubernetes
from exporter.config.table import Section, Setting, sections_of, setting
from exporter.config.values import (
    address,
    boolean,
    duration,
    iana_zone,
    integer,
    number,
    one_of,
    path,
    pue_rules,
    word,
)
from exporter.core.errors import ConfigError
from exporter.core.model import GpuOrder, IdlePolicy, PlatformPolicy, UserLabel

ModelPolicy = Literal["auto", "off"]
MetricsLevel = Literal["node", "tenant", "job"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["logfmt", "json"]

_WATTS = number(0, 100_000)
_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Web:
    """Where metrics, page and API are served."""

    listen_address: str = setting(
        address(),
        "address and port to listen on",
        default="0.0.0.0:9878",
    )
    config_file: Path | None = setting(
        path(),
        "file that turns on TLS or basic auth, in the format of Prometheus' exporters",
        default=None,
        flag="--web.config.file",
    )


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the kernel's file systems are mounted."""

    procfs: Path = setting(path(), "mount point of procfs", default=Path("/proc"))
    sysfs: Path = setting(path(), "mount point of sysfs", default=Path("/sys"))
    cgroupfs: Path = setting(
        path(), "mount point of the cgroup file system", default=Path("/sys/fs/cgroup")
    )


@dataclass(frozen=True, slots=True)
class State:
    """Where state is kept."""

    run_dir: Path = setting(
        path(),
        "directory of the checkpoint and the socket; may be lost at reboot",
        default=Path("/run/jouled"),
        default_note="/run/jouled; without the right to write there, "
        "$XDG_RUNTIME_DIR/jouled or ~/.cache/jouled/run",
    )
    dir: Path = setting(
        path(),
        "directory of what outlives a reboot",
        default=Path("/var/lib/jouled"),
        default_note="/var/lib/jouled; without the right to write there, "
        "$XDG_STATE_HOME/jouled or ~/.local/state/jouled",
    )

    @property
    def archive_file(self) -> Path:
        """Where the records of jobs are."""
        return self.dir / "archive.db"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often everything is read."""

    interval_s: float = setting(
        duration(0.1, 60), "time between two samples", default=1.0, name="interval"
    )
    deadline_s: float | None = setting(
        duration(0.01, 60),
        "how long a tick waits for a source; not longer than the interval",
        default=None,
        name="deadline",
        default_note="half the interval",
    )

    def __post_init__(self) -> None:
        if self.deadline_s is not None and self.deadline_s > self.interval_s:
            msg = "sampling.deadline: must not be longer than sampling.interval"
            raise ConfigError(msg)

    @property
    def read_deadline_s(self) -> float:
        """How long a tick waits for a source, s, whether configured or not."""
        return self.interval_s / 2 if self.deadline_s is None else self.deadline_s


@dataclass(frozen=True, slots=True)
class Power:
    """Which sensors of power are used."""

    rapl: bool = setting(
        boolean(), "read CPU and DRAM energy from RAPL (powercap)", default=True
    )
    nvml: bool = setting(boolean(), "read NVIDIA GPUs through NVML", default=True)
    gpm: bool = setting(
        boolean(),
        "read from performance counters (GPM, Hopper and newer) how busy each MIG "
        "instance is",
        default=False,
    )
    model: ModelPolicy = setting(
        one_of(ModelPolicy),
        "estimate CPU power from utilisation where no sensor tells it",
        default="auto",
    )
    model_idle_w: float | None = setting(
        _WATTS,
        "CPU watts of the whole node with nothing to do, for the estimate",
        default=None,
        name="model_idle_watts",
        default_note="a figure typical of the CPU",
    )
    model_max_w: float | None = setting(
        number(0, 100_000, above=True),
        "CPU watts of the whole node with every CPU busy, for the estimate",
        default=None,
        name="model_max_watts",
        default_note="a figure typical of the CPU",
    )

    def __post_init__(self) -> None:
        idle_w, max_w = self.model_idle_w, self.model_max_w
        if idle_w is not None and max_w is not None and idle_w > max_w:
            msg = "power.model_idle_watts: must not exceed power.model_max_watts"
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class Idle:
    """What the hardware draws with nothing to do."""

    cpu_w: float | None = setting(
        _WATTS,
        "idle watts of all CPU packages together",
        default=None,
        name="cpu_watts",
        default_note="learned",
        reloadable=True,
    )
    dram_w: float | None = setting(
        _WATTS,
        "idle watts of all memory together",
        default=None,
        name="dram_watts",
        default_note="learned",
        reloadable=True,
    )
    gpu_w: float | None = setting(
        _WATTS,
        "idle watts of each GPU",
        default=None,
        name="gpu_watts",
        default_note="learned",
        reloadable=True,
    )


@dataclass(frozen=True, slots=True)
class Attribution:
    """How energy is divided among jobs."""

    idle: IdlePolicy = setting(
        one_of(IdlePolicy),
        "who is charged for idle power: jobs by what they reserved, jobs by what "
        "they used, or nobody",
        default="reserved",
        reloadable=True,
    )
    platform: PlatformPolicy = setting(
        one_of(PlatformPolicy),
        "who is charged for fans, network and power supply losses: jobs in "
        "proportion to their other energy, or nobody",
        default="proportional",
        reloadable=True,
    )


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


@dataclass(frozen=True, slots=True)
class Embodied:
    """What making the node emitted, counted apart from what it emits."""

    node_kg: float | None = setting(
        number(0, 1_000_000, above=True),
        "kgCO2e of making this node, with all that is in it",
        default=None,
        default_note="not counted",
        reloadable=True,
    )
    lifetime_s: float = setting(
        duration(30 * _DAY_S, 36500 * _DAY_S),
        "how long the node is expected to serve",
        default=5 * 365 * _DAY_S,
        name="lifetime",
        reloadable=True,
    )


@dataclass(frozen=True, slots=True)
class Metrics:
    """Which series are exported."""

    level: MetricsLevel = setting(
        one_of(MetricsLevel),
        "how fine the series are: the node, its tenants too, or its jobs too",
        default="job",
        reloadable=True,
    )
    max_jobs: int = setting(
        integer(0, 100_000),
        "most jobs exported at a time; the energy of others goes to tenants alone",
        default=2000,
        reloadable=True,
    )
    ended_jobs_s: float = setting(
        duration(1, 86400),
        "how long a job is exported after its end",
        default=600.0,
        name="ended_jobs_for",
        reloadable=True,
    )


@dataclass(frozen=True, slots=True)
class Archive:
    """What is kept of jobs after they ended."""

    enabled: bool = setting(
        boolean(),
        "keep a record of every job in archive.db, in the directory state.dir",
        default=True,
    )
    retention_s: float = setting(
        duration(_DAY_S, 36500 * _DAY_S),
        "how long the record of a job is kept after its end",
        default=400.0 * _DAY_S,
        name="retention",
    )


@dataclass(frozen=True, slots=True)
class Log:
    """What is logged to standard error."""

    level: LogLevel = setting(
        one_of(LogLevel), "least severe level logged", default="info", reloadable=True
    )
    format: LogFormat = setting(one_of(LogFormat), "shape of a line", default="logfmt")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; ``Config()`` is the default one."""

    config_file: Path | None = setting(
        path(),
        "YAML file with settings",
        default=None,
        flag="--config.file",
        in_file=False,
    )
    web: Web = field(default_factory=Web)
    path: Paths = field(default_factory=Paths)
    state: State = field(default_factory=State)
    sampling: Sampling = field(default_factory=Sampling)
    power: Power = field(default_factory=Power)
    idle: Idle = field(default_factory=Idle)
    attribution: Attribution = field(default_factory=Attribution)
    slurm: Slurm = field(default_factory=Slurm)
    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    gpu: Gpu = field(default_factory=Gpu)
    labels: Labels = field(default_factory=Labels)
    carbon: Carbon = field(default_factory=Carbon)
    pue: float = setting(
        number(1, 10),
        "power usage effectiveness of the site, which emissions are multiplied by",
        default=1.0,
        reloadable=True,
    )
    pue_schedule: str | None = setting(
        pue_rules(),
        "when the PUE is another, in local time; later rules win, and what none "
        "covers is `pue`",
        default=None,
        default_note="`pue` always",
        reloadable=True,
    )
    time_zone: str = setting(
        iana_zone(),
        "time zone of local times such as those of `pue_schedule`",
        default="UTC",
        reloadable=True,
    )
    embodied: Embodied = field(default_factory=Embodied)
    metrics: Metrics = field(default_factory=Metrics)
    archive: Archive = field(default_factory=Archive)
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        if self.slurm.ask_hub and self.carbon.hub_url is None:
            msg = "slurm.ask_hub: needs carbon.hub_url, the address of the hub"
            raise ConfigError(msg)


SECTIONS: tuple[Section, ...] = sections_of(Config)
SETTINGS: tuple[Setting, ...] = tuple(
    row for section in SECTIONS for row in section.settings
)


def diff(old: Config, new: Config) -> tuple[str, ...]:
    """Keys of the settings whose values differ, in the order of the table."""
    return tuple(row.key for row in SETTINGS if row.value_in(old) != row.value_in(new))


def needs_restart(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``keys`` that a running daemon cannot take on."""
    return tuple(row.key for row in SETTINGS if row.key in keys and not row.reloadable)
