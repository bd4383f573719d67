"""Every setting of the daemon, once: ``Config`` is the table.

Flags, environment variables, YAML keys, help texts and the manual are derived
from it. To add a section, write a frozen dataclass of ``setting`` fields with a
one-line docstring (its title) and add it to ``Config``. What belongs together
has a file of its own: ``energy.py``, ``jobs.py``, ``kubernetes.py``, ``carbon.py``.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from exporter.config.carbon import Carbon, Embodied
from exporter.config.energy import Attribution, Idle, Power
from exporter.config.jobs import Gpu, Labels, Slurm
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
)
from exporter.core.errors import ConfigError

MetricsLevel = Literal["node", "tenant", "job"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["logfmt", "json"]

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
        "most jobs exported at a time; others wait for a place, and their energy goes "
        "to tenants alone meanwhile",
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
