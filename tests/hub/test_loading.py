import argparse
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.carbon.energy_charts import EnergyCharts
from exporter.carbon.http_json import HttpJson
from exporter.config import add_flags
from exporter.core.errors import ConfigError
from exporter.hub.config import HubConfig
from exporter.hub.loading import load
from exporter.hub.settings import SECTIONS, needs_restart

TOKEN = "pl4nted-t0ken"  # noqa: S105 - it opens nothing


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write the file of a hub."""
    path = folder / "hub.yml"
    path.write_text(text)
    path.chmod(mode)
    return path


def load_from(
    file: Path | None, *flags: str, environ: Mapping[str, str] | None = None
) -> HubConfig:
    """Load as the command does."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser, SECTIONS)
    named = () if file is None else ("--config.file", str(file))
    return load(parser.parse_args([*named, *flags]), environ or {})


def loaded(folder: Path, text: str, **environ: str) -> HubConfig:
    """Load a file with this text."""
    return load_from(write(folder, text), environ=environ)


def asked(config: HubConfig) -> dict[str, list[str]]:
    """Return who is asked for each zone."""
    return {
        plan.zone: [one.traits.name for one in plan.providers] for plan in config.zones
    }


def test_a_zone_alone_is_enough(tmp_path: Path) -> None:
    """Who needs no token is asked; an hour after the installation it works."""
    config = loaded(tmp_path, "zones:\n  DE:\n  GB-RG10:\n  DK-DK1: {}\n  NO:\n")

    assert asked(config) == {
        "DE": ["energy-charts"],
        "GB-RG10": ["neso"],
        "DK-DK1": ["energi-data-service"],
        "NO": ["energy-charts"],
    }
    assert {plan.max_age_s for plan in config.zones} == {6 * 3600.0}
    assert config.notices == ()


def test_a_zone_has_one_spelling_however_it_is_written(tmp_path: Path) -> None:
    """It becomes a label, and two spellings would be two series."""
    text = f"""
zones: {{de-x: {{providers: entsoe}}}}
providers: {{entsoe: {{token: {TOKEN}, areas: {{de-X: 10YXX}}}}}}
"""
    (plan,) = loaded(tmp_path, text).zones

    assert plan.zone == "DE-X"
    assert [provider.traits.name for provider in plan.providers] == ["entsoe"]


def test_providers_are_asked_in_the_order_of_the_file(tmp_path: Path) -> None:
    """The first whose value is live is in force."""
    text = f"""
zones:
  FR: {{providers: [electricity-maps, auto, energy-charts], max_age: 90m}}
  DE: {{providers: energy-charts}}
providers:
  electricity-maps: {{token: {TOKEN}}}
"""
    config = loaded(tmp_path, text)

    assert asked(config) == {
        "FR": ["electricity-maps", "rte-eco2mix", "energy-charts"],
        "DE": ["energy-charts"],
    }
    assert config.zones[0].max_age_s == 5400.0
    # One provider for both, so that it is asked as rarely as it can be.
    assert config.zones[0].providers[2] is config.zones[1].providers[0]


def test_automatic_means_the_provider_as_it_is_configured(tmp_path: Path) -> None:
    """A mirror or a proxy of a service counts for the zones that name none, too."""
    text = "zones: {DE: }\nproviders: {energy-charts: {url: 'http://[::1]:1/x'}}\n"
    config = loaded(tmp_path, text)

    (provider,) = config.zones[0].providers
    assert isinstance(provider, EnergyCharts)
    assert provider._url == "http://[::1]:1/x"


def test_a_zone_that_nobody_covers_keeps_its_yearly_figure(tmp_path: Path) -> None:
    """Which the operator is told, with the line."""
    config = loaded(tmp_path, "zones:\n  DE:\n  US-CAL-CISO:\n")

    assert asked(config)["US-CAL-CISO"] == []
    (notice,) = config.notices
    assert notice.startswith(f"{tmp_path}/hub.yml:3: US-CAL-CISO: no provider")


@pytest.mark.parametrize(
    "way",
    [
        f"token: {TOKEN}",
        "token_env: SECRET_OF_SITE",
        "token_file: {folder}/token",
    ],
)
def test_a_token_may_be_given_in_three_ways(tmp_path: Path, way: str) -> None:
    """In the file, in the environment, or in a file of its own."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "token").chmod(0o600)
    given = way.format(folder=tmp_path)
    text = f"zones: {{DE: {{providers: entsoe}}}}\nproviders: {{entsoe: {{{given}}}}}\n"

    config = loaded(tmp_path, text, SECRET_OF_SITE=TOKEN)

    assert asked(config) == {"DE": ["entsoe"]}
    assert config.notices == ()
    assert TOKEN not in repr(config)


def test_what_others_can_read_or_overhear_is_told(tmp_path: Path) -> None:
    """A secret is one only as long as nobody else has it."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o644)
    text = f"""
zones: {{DE: {{providers: entsoe}}}}
providers:
  entsoe:
    token_file: {tmp_path}/token
    url: http://entsoe.example.org/api
"""
    public, in_clear = sorted(loaded(tmp_path, text).notices)

    assert public == (
        f"{tmp_path}/hub.yml:5: token_file: every user of this machine can read that "
        "file; chmod o-r it"
    )
    assert in_clear.startswith(f"{tmp_path}/hub.yml:6: entsoe: its token travels over")


def test_a_query_that_others_can_read_is_told(tmp_path: Path) -> None:
    """There may be a token in it, or not: the operator knows."""
    text = """
zones: {DE: {providers: site}}
providers:
  site: {type: http-json, url: 'https://x.example/now?area=1', value: a}
"""
    private = load_from(write(tmp_path, text)).notices
    (public,) = load_from(write(tmp_path, text, mode=0o644)).notices

    assert private == ()
    assert public.startswith(f"{tmp_path}/hub.yml:4: url: every user")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ("token: s3cret", ("Authorization", "Bearer s3cret")),
        ("{t}, token_prefix: Token", ("Authorization", "Token s3cret")),
        ("{t}, token_header: X-Key", ("X-Key", "s3cret")),
        ("{t}, token_prefix: ''", ("Authorization", "s3cret")),
    ],
)
def test_a_feed_of_the_site_gets_its_token_where_it_wants_it(
    tmp_path: Path, options: str, where: tuple[str, str]
) -> None:
    """Each service has its own idea of that."""
    given = options.replace("{t}", "token: s3cret")
    text = f"""
zones: {{DE: {{providers: site}}}}
providers:
  site: {{type: http-json, url: 'https://x.example', value: a.b, {given}}}
"""
    (provider,) = loaded(tmp_path, text).zones[0].providers

    assert isinstance(provider, HttpJson)
    sent = provider._call.secret_headers
    assert {name: secret.reveal() for name, secret in sent.items()} == dict([where])


def test_a_feed_of_the_site_may_take_its_token_in_the_query(tmp_path: Path) -> None:
    """What is odd in it is quoted; other parts of the query stay."""
    text = """
zones: {DE: {providers: site}}
providers:
  site:
    type: http-json
    url: https://x.example/now?area=1
    value: a
    token: s3&ret=1
    token_param: key
"""
    (provider,) = loaded(tmp_path, text).zones[0].providers

    assert isinstance(provider, HttpJson)
    sent = provider._call.secret_params
    assert {n: s.reveal() for n, s in sent} == {"area": "1", "key": "s3&ret=1"}


def test_every_option_of_every_provider_can_be_given(tmp_path: Path) -> None:
    """The example in docs/hub.md names them."""
    text = f"""
zones:
  DE: {{providers: [electricity-maps, entsoe, site, roof, watttime]}}
  GB: {{providers: neso}}
  FR: {{providers: [rte-eco2mix]}}
  DK-DK1: {{providers: [energi-data-service]}}
providers:
  electricity-maps: {{token: {TOKEN}, version: v4, factors: direct,
    granularity: 5_minutes, forecast: true, url: 'https://a.example'}}
  entsoe: {{token: {TOKEN}, areas: {{DE-X: 10YXX}}, url: 'https://a.example'}}
  watttime: {{user: ada, password: {TOKEN}, regions: {{DE: DE}}, version: v3,
    url: 'https://a.example'}}
  site: {{type: http-json, url: 'https://a.example/x', value: a, time: b, unit: t/MWh,
    every: 5m, live_for: 1h, factors: direct}}
  roof: {{type: file, path: /nowhere/yet, live_for: 10m, factors: lifecycle}}
  neso: {{url: 'https://a.example'}}
  rte-eco2mix: {{url: 'https://a.example'}}
  energi-data-service: {{url: 'https://a.example'}}
"""
    config = loaded(tmp_path, text)

    traits = [one.traits for one in config.zones[0].providers]
    assert [one.name for one in traits] == [
        *("electricity-maps", "entsoe", "site", "roof", "watttime")
    ]
    assert traits[0].forecast_every_s is not None
    assert (traits[2].cadence_s, traits[2].live_for_s) == (300.0, 3600.0)
    assert traits[3].live_for_s == 600.0
    assert traits[4].signal == "marginal"


# Text, line of the complaint, and words of it.
BAD: Mapping[str, tuple[str, int, str]] = {
    "nothing": ("", 1, "zones: needs 1 to"),
    "no zones": ("zones:\n", 1, "zones: needs 1 to"),
    "unknown top": ("zones: {DE: }\nzone: {}\n", 2, "zone: no such key; did you mean"),
    "unknown country": ("zones:\n  DE:\n  XX:\n", 3, "XX: no country"),
    "odd zone": ("zones:\n  D/E:\n", 2, "expected a name"),
    "twin": ("zones:\n  DE:\n  de:\n", 3, "de: is the same as DE"),
    "double": ("zones:\n  DE:\n  DE:\n", 2, "DE: is there again in line 3"),
    "zone option": (
        "zones:\n  DE:\n    provider: neso\n",
        3,
        "mean providers?",
    ),
    "age": ("zones:\n  DE:\n    max_age: 3\n", 3, "max_age: expected a duration"),
    "short age": ("zones: {DE: {max_age: 1s}}\n", 1, "from 5m to 7d"),
    "text zone": ("zones:\n  DE: neso\n", 2, "has to hold further keys"),
    "typo": ("zones:\n  DE:\n    providers: [nesso]\n", 3, "did you mean neso?"),
    "not covered": ("zones:\n  DE:\n    providers: [neso]\n", 3, "does not cover DE"),
    "twice": ("zones:\n  DE:\n    providers: [auto, auto]\n", 3, "is there twice"),
    "bare entsoe": ("zones: {DE: {providers: entsoe}}\n", 1, "entsoe needs options"),
    "kind": ("zones: {DE: }\nproviders:\n  x: {}\n", 3, "'x' is no kind of provider"),
    "other kind": ("providers:\n  neso:\n    type: file\n", 3, "something else than"),
    "name": ("providers:\n  Site X: {}\n", 2, "expected small letters"),
    "option": ("providers:\n  neso:\n    token: x\n", 3, "token: no such option"),
    "no token": ("providers:\n  entsoe:\n    url:\n", 2, "needs one of token_file"),
    "two tokens": (
        "providers:\n  entsoe:\n    token: x\n    token_env: Y\n",
        4,
        "token is given as well",
    ),
    "no file": ("providers:\n  entsoe:\n    token_file: /nope\n", 3, "no such file"),
    "no variable": ("providers:\n  entsoe:\n    token_env: NOPE\n", 3, "environment"),
    "no user": ("providers:\n  watttime:\n    password: x\n", 2, "needs user"),
    "url": ("providers:\n  neso:\n    url: neso.org\n", 3, "url: not an address"),
    "url with user": ("providers:\n  neso: {url: 'http://a:b@c'}\n", 2, "without user"),
    "version": (
        "providers:\n  electricity-maps:\n    token: x\n    version: v9\n",
        4,
        "version: has to be one of v3, v4",
    ),
    "flag": (
        "providers:\n  electricity-maps:\n    token: x\n    forecast: yes\n",
        4,
        "forecast: has to be true or false",
    ),
    "no value": ("providers:\n  x: {type: http-json, url: 'http://a'}\n", 2, "value"),
    "value": (
        "providers:\n  x:\n    type: http-json\n    url: http://a\n    value: '[['\n",
        5,
        "value: not a path",
    ),
    "unit": (
        "providers:\n  x: {type: http-json, url: 'http://a', value: a, unit: lbs}\n",
        2,
        "unit: has to be one of",
    ),
    "no path": ("providers:\n  roof: {type: file}\n", 2, "roof: needs path"),
    "web": ("web:\n  listen: x\n", 2, "listen: no such key; did you mean"),
    "address": ("web:\n  listen_address: nope\n", 2, "web.listen_address: expected"),
    "level": ("log:\n  level: loud\n", 2, "log.level: expected one of"),
    "yaml": ("zones: [\n", 2, "not valid YAML"),
}


@pytest.mark.parametrize(("text", "line", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    """An operator has one terminal and no time."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)

    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/hub.yml:{line}: ")
    assert words in message
    assert "\n" not in message


def test_a_token_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    """Nothing is said of what it is."""
    text = f"zones: {{DE: }}\nproviders:\n  entsoe:\n    token: {TOKEN}\n"

    with pytest.raises(ConfigError, match=r"hub\.yml:4: token: every user") as caught:
        load_from(write(tmp_path, text, mode=0o644))

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"providers: {{entsoe: {TOKEN}}}",
        f"providers: {{entsoe: [{TOKEN}]}}",
        f"providers: {{entsoe: {{token: [{TOKEN}]}}}}",
        f"providers: {{entsoe: {{token: *{TOKEN}}}}}",
        f"providers: {{entsoe: {{token: '{TOKEN}}}}}",
        f"providers: {{entsoe: {{token: &{TOKEN} &{TOKEN} x}}}}",
        f"providers: {{entsoe: {{token: !{TOKEN}! x}}}}",
        f'providers: {{entsoe: {{token: "a\\n{TOKEN}"}}}}',
        f"providers: {{entsoe: {{token_file: /etc/{TOKEN}}}}}",
        f"providers: {{entsoe: {{token_env: {TOKEN}}}}}",
        f"providers: {{neso: {{url: 'https://{TOKEN}@x'}}}}",
        f"providers: {{neso: {{url: 'https://x?key={TOKEN}', url: ''}}}}",
    ],
)
def test_no_complaint_repeats_what_may_be_a_token(tmp_path: Path, text: str) -> None:
    """They get written down in the wrong place, and complaints go to logs."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"zones: {{DE: }}\n{text}\n")

    assert TOKEN not in str(caught.value)


def test_a_file_is_needed(tmp_path: Path) -> None:
    """It is where the zones are."""
    with pytest.raises(ConfigError, match=r"--config\.file: the hub needs a file"):
        load_from(None)
    with pytest.raises(ConfigError, match="no such file; name a file of a hub"):
        load_from(tmp_path / "nope.yml")


def test_flags_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path,
) -> None:
    """As in the daemon."""
    text = "zones: {DE: }\nweb: {listen_address: ':1'}\nlog: {level: error}\n"
    file = write(tmp_path, text + f"state: {{dir: {tmp_path}/a}}\n")
    environ = {
        "JOULED_HUB__WEB__LISTEN_ADDRESS": ":2",
        "JOULED_HUB__LOG__LEVEL": "debug",
        "JOULED_HUB__STATE__DIR": "",
        "JOULED_CARBON__ZONE": "of the daemon",
    }

    config = load_from(file, "--web.listen-address", ":3", environ=environ)

    assert config.web.listen_address == ":3"
    assert config.log.level == "debug"
    assert config.state.dir == tmp_path / "a"


def test_a_misspelt_variable_is_refused(tmp_path: Path) -> None:
    """Else it would be a default that somebody thinks they changed."""
    file = write(tmp_path, "zones: {DE: }\n")

    with pytest.raises(ConfigError, match="did you mean JOULED_HUB__LOG__LEVEL"):
        load_from(file, environ={"JOULED_HUB__LOG__LEVL": "debug"})


def test_what_a_running_hub_cannot_take_on_is_named(tmp_path: Path) -> None:
    """A port is opened once."""
    file = write(tmp_path, "zones: {DE: }\n")

    old = load_from(file, "--log.level", "info")
    new = load_from(file, "--log.level", "debug", "--web.listen-address", ":1")

    assert needs_restart(old, new) == ("web.listen_address",)


def test_a_provider_that_no_zone_uses_is_told(tmp_path: Path) -> None:
    """It was meant for one."""
    config = loaded(tmp_path, "zones: {DE: }\nproviders:\n  neso: {}\n")

    assert config.notices == (
        f"{tmp_path}/hub.yml:3: neso: no zone uses this provider",
    )
