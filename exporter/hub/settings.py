"""Every setting of the hub that is one value, and what its file says beside them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.config.settings import LogFormat, LogLevel
from exporter.config.table import (
    HUB_ENVIRONMENT_PREFIX,
    Section,
    Setting,
    sections_of,
    setting,
)
from exporter.config.values import address, one_of, path
from exporter.core.units import Seconds
from exporter.hub.budgets.plan import NO_BUDGETS, BudgetPlan

if TYPE_CHECKING:
    # The command line knows these settings too, and needs no providers for it.
    from exporter.carbon.provider import Provider


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
class Log:
    """What is logged to standard error."""

    level: LogLevel = setting(
        one_of(LogLevel), "least severe level logged", default="info", reloadable=True
    )
    format: LogFormat = setting(one_of(LogFormat), "shape of a line", default="logfmt")


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """One grid zone, and who is asked for it.

    Attributes:
        zone: the grid zone, as it is configured.
        providers: in order of preference; empty: the yearly figure is all there is.
        max_age_s: a value older than this is not used, s.
    """

    zone: str
    providers: "tuple[Provider, ...]"
    max_age_s: Seconds


@dataclass(frozen=True, slots=True)
class HubConfig:
    """The whole configuration of a hub.

    Attributes:
        config_file: the file that says the rest.
        zones: what is asked for, in the order of the file.
        notices: what the operator should know of it, a line each.
        budgets: the carbon budgets, and where they are read.
    """

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
    zones: tuple[ZonePlan, ...] = ()
    notices: tuple[str, ...] = ()
    budgets: BudgetPlan = NO_BUDGETS

    @property
    def only_zone(self) -> str:
        """The grid zone, if there is just one; else ""."""
        return self.zones[0].zone if len(self.zones) == 1 else ""


SECTIONS: tuple[Section, ...] = sections_of(HubConfig, HUB_ENVIRONMENT_PREFIX)
SETTINGS: tuple[Setting, ...] = tuple(
    row for section in SECTIONS for row in section.settings
)


def needs_restart(old: HubConfig, new: HubConfig) -> tuple[str, ...]:
    """Keys of settings that differ and that a running hub cannot take on."""
    return tuple(
        row.key
        for row in SETTINGS
        if not row.reloadable and row.value_in(old) != row.value_in(new)
    )
