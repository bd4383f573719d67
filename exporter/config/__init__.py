"""Settings of the daemon: defaults < YAML file < environment < flags."""

from exporter.config.carbon import Carbon, Embodied
from exporter.config.energy import Attribution, Idle, Power
from exporter.config.flags import add_flags
from exporter.config.jobs import Gpu, Labels, Slurm
from exporter.config.kubernetes import Kubernetes
from exporter.config.loading import hint, load
from exporter.config.manual import describe
from exporter.config.settings import (
    SETTINGS,
    Archive,
    Config,
    Log,
    LogFormat,
    LogLevel,
    Metrics,
    Paths,
    Sampling,
    State,
    Web,
    diff,
    needs_restart,
)
from exporter.config.table import Setting
from exporter.config.texts import parse_address, parse_duration_s

__all__ = [
    "SETTINGS",
    "Archive",
    "Attribution",
    "Carbon",
    "Config",
    "Embodied",
    "Gpu",
    "Idle",
    "Kubernetes",
    "Labels",
    "Log",
    "LogFormat",
    "LogLevel",
    "Metrics",
    "Paths",
    "Power",
    "Sampling",
    "Setting",
    "Slurm",
    "State",
    "Web",
    "add_flags",
    "describe",
    "diff",
    "hint",
    "load",
    "needs_restart",
    "parse_address",
    "parse_duration_s",
]
