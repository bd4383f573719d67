"""Settings of carbon: who tells the intensity, what making the node emitted."""

from dataclasses import dataclass
from pathlib import Path

from exporter.config.table import setting
from exporter.config.values import boolean, duration, grid_zone, number, path, url, user
from exporter.core.errors import ConfigError

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Carbon:
    """How dirty a kilowatt-hour is."""

    zone: str | None = setting(
        grid_zone(),
        "grid zone whose carbon intensity applies, such as DE or FR",
        default=None,
        default_note="the mean of the world",
        reloadable=True,
    )
    intensity_g_per_kwh: float | None = setting(
        number(0, 2000, above=True),
        "fixed carbon intensity, gCO2e per kWh, instead of the zone's",
        default=None,
        name="intensity",
        default_note="that of the zone",
        reloadable=True,
    )
    market_g_per_kwh: float | None = setting(
        number(0, 2000),
        "what the electricity that the site has contracted emits, gCO2e per kWh; "
        "counted apart",
        default=None,
        name="market_intensity",
        default_note="not counted",
        reloadable=True,
    )
    hub_url: str | None = setting(
        url(),
        "address of the site's hub, which is asked for the live figure of the zone",
        default=None,
        reloadable=True,
    )
    hub_ca_file: Path | None = setting(
        path(),
        "file with the certificates that the hub's has to be signed by, PEM",
        default=None,
        default_note="those the system trusts",
        reloadable=True,
    )
    hub_user: str | None = setting(
        user(), "user the hub knows this node as", default=None, reloadable=True
    )
    hub_password_file: Path | None = setting(
        path(), "file with the password of that user", default=None, reloadable=True
    )
    hub_cert_file: Path | None = setting(
        path(),
        "file with the certificate this node shows to the hub, PEM",
        default=None,
        reloadable=True,
    )
    hub_key_file: Path | None = setting(
        path(), "file with the key of that certificate", default=None, reloadable=True
    )
    file: Path | None = setting(
        path(),
        "file in which another program keeps the figure of now, g/kWh",
        default=None,
        reloadable=True,
    )
    direct: bool = setting(
        boolean(),
        "ask the public service of the zone from this machine; for single machines, "
        "not for nodes of a cluster",
        default=False,
        reloadable=True,
    )
    max_age_s: float = setting(
        duration(1, 30 * _DAY_S),
        "how old a live figure may become before the yearly one is used",
        default=6 * 3600.0,
        name="max_age",
        reloadable=True,
    )

    def __post_init__(self) -> None:
        sources = [
            name
            for name, is_set in (
                ("carbon.hub_url", self.hub_url is not None),
                ("carbon.file", self.file is not None),
                ("carbon.direct", self.direct),
            )
            if is_set
        ]
        if len(sources) > 1:
            msg = f"{sources[1]}: {sources[0]} is set as well; keep one of them"
            raise ConfigError(msg)
        for name in sources:
            if self.intensity_g_per_kwh is not None:
                msg = f"{name}: carbon.intensity fixes the figure; remove one of them"
                raise ConfigError(msg)
            if self.zone is None:
                msg = f"{name}: needs carbon.zone, such as DE, to know what to ask for"
                raise ConfigError(msg)
        self._check_hub()

    @property
    def is_live(self) -> bool:
        """Whether somebody is asked for the figure of now."""
        return self.hub_url is not None or self.file is not None or self.direct

    def _check_hub(self) -> None:
        of_tls = {
            "carbon.hub_ca_file": self.hub_ca_file,
            "carbon.hub_cert_file": self.hub_cert_file,
            "carbon.hub_key_file": self.hub_key_file,
        }
        of_user = {
            "carbon.hub_user": self.hub_user,
            "carbon.hub_password_file": self.hub_password_file,
        }
        for name, value in {**of_tls, **of_user}.items():
            if value is not None and self.hub_url is None:
                msg = f"{name}: needs carbon.hub_url, the address of the hub"
                raise ConfigError(msg)
        for name, value in of_tls.items():
            if value is not None and not (self.hub_url or "").lower().startswith(
                "https:"
            ):
                msg = f"{name}: carbon.hub_url has to begin with https for it"
                raise ConfigError(msg)
        del of_tls["carbon.hub_ca_file"]
        for pair in (of_tls, of_user):
            given = [name for name, value in pair.items() if value is not None]
            missing = [name for name, value in pair.items() if value is None]
            if given and missing:
                msg = f"{given[0]}: needs {missing[0]} as well"
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
