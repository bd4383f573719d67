"""Every provider that the hub can ask, once, with the options it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args
from urllib.parse import quote

from exporter.carbon import (
    electricity_maps,
    energi_data_service,
    energy_charts,
    entsoe,
    file,
    http_json,
    neso,
    rte_eco2mix,
    simulated,
    watttime,
)
from exporter.carbon.electricity_maps import ElectricityMaps
from exporter.carbon.energi_data_service import EnergiDataService
from exporter.carbon.energy_charts import EnergyCharts
from exporter.carbon.entsoe import Entsoe
from exporter.carbon.file import FileIntensity
from exporter.carbon.http_json import HttpJson, HttpJsonSettings
from exporter.carbon.intensity_units import GRAMS_PER_KWH_OF
from exporter.carbon.json_path import parse_json_path
from exporter.carbon.neso import Neso
from exporter.carbon.observation import Factors
from exporter.carbon.provider import Provider
from exporter.carbon.rte_eco2mix import RteEco2mix
from exporter.carbon.secret import Secret
from exporter.carbon.simulated import SimulatedGrid
from exporter.carbon.watttime import WattTime
from exporter.config.texts import shorten
from exporter.core.units import Seconds
from exporter.hub.options import Options

_TOKEN = ("token_file", "token_env", "token")
_PASSWORD = ("password_file", "password_env", "password")

_AUTHORIZATION = "Authorization"
_CADENCE_S = (60.0, 86400.0)
_LIVE_FOR_S = (60.0, 7 * 86400.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of provider.

    Attributes:
        name: as in the key ``type``.
        options: keys of its section beside ``type``.
        build: makes one of a section.
        needs_options: it cannot be asked without a section of its own.
    """

    name: str
    options: tuple[str, ...]
    build: Callable[[Options], Provider]
    needs_options: bool = False


def _electricity_maps(options: Options) -> Provider:
    url = options.url(electricity_maps.BASE_URL)
    return ElectricityMaps(
        options.secret("token", url),
        url=url,
        version=options.choice("version", ("v3", "v4"), "v3"),
        factors=options.choice("factors", ("lifecycle", "direct"), "lifecycle"),
        granularity=options.choice(
            "granularity", get_args(electricity_maps.Granularity), "hourly"
        ),
        forecast=options.flag("forecast", otherwise=False),
    )


def _watttime(options: Options) -> Provider:
    url = options.url(watttime.BASE_URL)
    return WattTime(
        options.needed("user", "the name of the account"),
        options.secret("password", url),
        regions=options.names("regions"),
        url=url,
        version=options.word("version", "v3"),
    )


def _entsoe(options: Options) -> Provider:
    url = options.url(entsoe.BASE_URL)
    return Entsoe(options.secret("token", url), url=url, areas=options.names("areas"))


def _http_json(options: Options) -> Provider:
    url = options.url()
    headers: dict[str, Secret] = {}
    token = options.secret_or_none("token", url)
    if token is not None and "token_param" in options.section:
        name = options.word("token_param", "")
        joint = "&" if "?" in url else "?"
        url = f"{url}{joint}{quote(name)}={quote(token.reveal(), safe='')}"
    elif token is not None:
        header = options.word("token_header", _AUTHORIZATION)
        usual = "Bearer" if header.title() == _AUTHORIZATION else ""
        is_given = "token_prefix" in options.section
        prefix = options.word("token_prefix", "" if is_given else usual)
        headers[header] = Secret(f"{prefix} {token.reveal()}")
    value, time = options.needed("value", "data.0.intensity"), options.text("time", "")
    for key, path in (("value", value), ("time", time)):
        options.checked(key, partial(parse_json_path, path, key))
    settings = HttpJsonSettings(
        url,
        value,
        unit=options.choice("unit", GRAMS_PER_KWH_OF, "g/kWh"),
        time_path=time,
        cadence_s=options.duration("every", Seconds(300.0), *_CADENCE_S),
        live_for_s=options.duration("live_for", Seconds(3600.0), *_LIVE_FOR_S),
        factors=options.choice("factors", get_args(Factors), ""),
        headers=headers,
        name=options.name,
    )
    return HttpJson(settings)


def _file(options: Options) -> Provider:
    factors: tuple[Literal["lifecycle", "direct", ""], ...] = get_args(Factors)
    return FileIntensity(
        options.path("path"),
        live_for_s=options.duration("live_for", file.USUAL_LIVE_FOR_S, *_LIVE_FOR_S),
        factors=options.choice("factors", factors, ""),
        name=options.name,
    )


KINDS: tuple[Kind, ...] = (
    Kind(
        electricity_maps.NAME,
        (*_TOKEN, "url", "version", "factors", "granularity", "forecast"),
        _electricity_maps,
        needs_options=True,
    ),
    Kind(
        watttime.NAME,
        ("user", *_PASSWORD, "regions", "url", "version"),
        _watttime,
        needs_options=True,
    ),
    Kind(
        neso.NAME,
        ("url",),
        lambda options: Neso(url=options.url(neso.BASE_URL)),
    ),
    Kind(
        energi_data_service.NAME,
        ("url",),
        lambda options: EnergiDataService(
            url=options.url(energi_data_service.BASE_URL)
        ),
    ),
    Kind(
        energy_charts.NAME,
        ("url",),
        lambda options: EnergyCharts(url=options.url(energy_charts.BASE_URL)),
    ),
    Kind(
        rte_eco2mix.NAME,
        ("url",),
        lambda options: RteEco2mix(url=options.url(rte_eco2mix.BASE_URL)),
    ),
    Kind(
        entsoe.NAME,
        (*_TOKEN, "url", "areas"),
        _entsoe,
        needs_options=True,
    ),
    Kind(
        http_json.NAME,
        (
            *("url", "value", "time", "unit", "every", "live_for", "factors"),
            *_TOKEN,
            *("token_header", "token_prefix", "token_param"),
        ),
        _http_json,
        needs_options=True,
    ),
    Kind(file.NAME, ("path", "live_for", "factors"), _file, needs_options=True),
    Kind(simulated.NAME, (), lambda _: SimulatedGrid()),
)

KIND_OF: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


def build_provider(options: Options) -> Provider:
    """Make the provider of one section; its kind is ``type``, else its name.

    Raises:
        ConfigError: there is no such kind, or an option is impossible.
    """
    section = options.section
    name = options.text("type", options.name)
    kind = KIND_OF.get(name)
    if kind is None:
        complaint = f"{shorten(name)} is no kind of provider"
        known = ", ".join(KIND_OF)
        section.refuse("type", f"{complaint}; set it to one of {known}")
    if options.name in KIND_OF and name != options.name:
        section.refuse("type", f"call it something else than {options.name}")
    options.only("type", *kind.options)
    return kind.build(options)
