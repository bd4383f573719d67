"""Every setting of the hub that is one value: what the command line knows of it.

Every sub-command of ``jouled`` reads this, so it imports nothing of the hub itself.
"""

from dataclasses import dataclass, field
from pathlib import Path

from exporter.config.settings import Log
from exporter.config.table import (
    HUB_ENVIRONMENT_PREFIX,
    Section,
    Setting,
    sections_of,
    setting,
)
from exporter.config.values import address, path


@dataclass(frozen=True, slots=True)
class Web:
    """Where intensity, metrics, page and API are served."""

    listen_address: str = setting(
        address(), "address and port to listen on", default="0.0.0.0:9879"
    )
    config_file: Path | None = setting(
        path(),
        "file that turns on TLS or basic auth, in the format of Prometheus' exporters",
        default=None,
        flag="--web.config.file",
    )


@dataclass(frozen=True, slots=True)
class State:
    """Where state is kept."""

    dir: Path = setting(
        path(),
        "directory of what outlives a restart",
        default=Path("/var/lib/jouled-hub"),
        default_note="/var/lib/jouled-hub; without the right to write there, "
        "$XDG_STATE_HOME/jouled-hub or ~/.local/state/jouled-hub",
    )


@dataclass(frozen=True, slots=True)
class HubSettings:
    """All of them; what the hub's file says beside them is in config.py."""

    config_file: Path | None = setting(
        path(),
        "YAML file with the zones, the providers and settings",
        default=None,
        flag="--config.file",
        in_file=False,
    )
    web: Web = field(default_factory=Web)
    state: State = field(default_factory=State)
    log: Log = field(default_factory=Log)


SECTIONS: tuple[Section, ...] = sections_of(HubSettings, HUB_ENVIRONMENT_PREFIX)
SETTINGS: tuple[Setting, ...] = tuple(
    row for section in SECTIONS for row in section.settings
)


def needs_restart(old: HubSettings, new: HubSettings) -> tuple[str, ...]:
    """Keys of settings that differ and that a running hub cannot take on."""
    return tuple(
        row.key
        for row in SETTINGS
        if not row.reloadable and row.value_in(old) != row.value_in(new)
    )
