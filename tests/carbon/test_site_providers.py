"""The two providers a site has of its own: a file and a feed."""

import asyncio
import os
from pathlib import Path

import pytest

from exporter.carbon.errors import ImplausibleError, NonsenseError, UnavailableError
from exporter.carbon.fetching import open_web
from exporter.carbon.file import FileIntensity
from exporter.carbon.http_json import HttpJson, HttpJsonSettings
from exporter.carbon.json_path import parse_json_path
from exporter.carbon.observation import Observation
from exporter.carbon.provider import base_url
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW


def _read(path: Path) -> Observation:
    async def run() -> Observation:
        async with open_web() as web:
            report = await FileIntensity(path).fetch(web, ("DE",), NOW)
            return report.observations["DE"]

    return asyncio.run(run())


def _feed(**settings: object) -> HttpJson:
    known: dict[str, object] = {"url": "http://localhost/", "value_path": "v"}
    return HttpJson(HttpJsonSettings(**{**known, **settings}))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("content", "value", "estimated"),
    [
        ("123.5", 123.5, False),
        (" 42\n", 42.0, False),
        ('{"value": 99}', 99.0, False),
        ('{"value": 99, "estimated": true, "more": []}', 99.0, True),
    ],
)
def test_a_file_holds_a_number_or_an_object(
    tmp_path: Path, content: str, value: float, *, estimated: bool
) -> None:
    """And speaks of the moment it was written."""
    path = tmp_path / "intensity"
    path.write_text(content)
    os.utime(path, (NOW - 60, NOW - 60))

    told = _read(path)

    assert (told.value, told.estimated) == (value, estimated)
    assert (told.zone, told.provider) == ("DE", "file")
    assert told.observed_unix_s == NOW - 60


@pytest.mark.parametrize(
    "content",
    ["", "many", "12 g", "NaN", "true", "[1]", "{}", '{"value": "1"}', "1\n2"],
)
def test_a_file_that_holds_something_else_is_nonsense(
    tmp_path: Path, content: str
) -> None:
    """Half a number is a number, so it is written by renaming."""
    path = tmp_path / "intensity"
    path.write_text(content)

    with pytest.raises(NonsenseError):
        _read(path)


def test_a_file_that_is_large_binary_or_zero_is_refused(tmp_path: Path) -> None:
    """Each by its name."""
    path = tmp_path / "intensity"
    for content, error in (
        (b" " * (2**16 + 1), NonsenseError),
        (b"\xff\xfe", NonsenseError),
        (b"0", ImplausibleError),
    ):
        path.write_bytes(content)

        with pytest.raises(error):
            _read(path)


def test_what_is_no_file_is_unavailable_at_once(tmp_path: Path) -> None:
    """A pipe nobody writes to would be waited for, for ever."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(UnavailableError):
            _read(path)


@pytest.mark.parametrize(
    ("unit", "told", "grams"),
    [
        ("g/kWh", 300, 300.0),
        ("kg/kWh", 0.3, 300.0),
        ("kg/MWh", 300, 300.0),
        ("lb/MWh", 1000, 453.59237),
        ("g/MJ", 100, 360.0),
        ("t/GWh", 300, 300.0),
    ],
)
def test_a_feed_is_converted_from_its_unit(
    unit: str, told: float, grams: float
) -> None:
    """Nothing guesses a unit from the size of a number."""
    value = _feed(unit=unit).read({"v": told}, "DE", NOW).value

    assert value == pytest.approx(grams)


def test_a_feed_in_another_unit_than_configured_is_not_believed() -> None:
    """Grams taken for kilograms are a thousandfold."""
    with pytest.raises(ImplausibleError):
        _feed(unit="kg/kWh").read({"v": 300}, "DE", NOW)


@pytest.mark.parametrize(
    ("written", "unix_s"),
    [
        (NOW - 60, NOW - 60),
        ((NOW - 60) * 1000, NOW - 60),
        ("2026-11-22T10:39:00Z", NOW - 60),
    ],
)
def test_a_feed_tells_its_time_in_one_of_three_ways(
    written: object, unix_s: float
) -> None:
    """Seconds, milliseconds, or ISO 8601 with an offset."""
    told = _feed(time_path="at").read({"v": "35.5", "at": written}, "DE", NOW)

    assert (told.value, told.observed_unix_s) == (35.5, unix_s)


def test_a_feed_without_a_time_speaks_of_now() -> None:
    """There is nothing else to go by."""
    assert _feed().read({"v": 1}, "DE", NOW).observed_unix_s == NOW


@pytest.mark.parametrize("value", ["1e3", "1,5", "unavailable", "", "0x10", " 1"])
def test_a_feed_with_a_text_that_is_no_number_is_nonsense(value: str) -> None:
    """Home automation says "unavailable"."""
    with pytest.raises(NonsenseError, match="v is not a number"):
        _feed().read({"v": value}, "DE", NOW)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "ftp://localhost/"},
        {"url": "localhost"},
        {"url": "http://ada:t0ken@localhost/"},
        {"url": "http://localhost/ t0ken"},
        {"url": "http://localhost/?key=%00t0ken"},
        {"unit": "percent"},
        {"value_path": "a..b"},
        {"time_path": "["},
    ],
)
def test_a_feed_that_cannot_be_asked_is_refused_unquoted(
    settings: dict[str, object],
) -> None:
    """The message names the setting; the address may have a token in it."""
    with pytest.raises(ConfigError) as refusal:
        _feed(**settings)

    assert "t0ken" not in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("", ()),
        ("$", ()),
        ("a", ("a",)),
        ("data.0.intensity", ("data", 0, "intensity")),
        ("$.data[-1].value", ("data", -1, "value")),
        ('$["a.b"][0]', ("a.b", 0)),
        ("g per kWh.x-y", ("g per kWh", "x-y")),
    ],
)
def test_a_path_is_names_and_indexes(written: str, path: tuple[str | int, ...]) -> None:
    """In either of the two usual ways of writing."""
    assert parse_json_path(written, "path") == path


@pytest.mark.parametrize("written", ["a.", ".", "a[", "a]", "[x]", '[""]', "a" * 600])
def test_what_is_no_path_is_refused(written: str) -> None:
    """When the configuration is read, not when the first answer comes."""
    with pytest.raises(ConfigError, match="path"):
        parse_json_path(written, "path")


def test_an_address_is_used_without_the_slash_at_its_end() -> None:
    """Two slashes are another page to some servers."""
    assert base_url("https://api.example.org/v3/", "x") == "https://api.example.org/v3"


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.org", "https://", "https:///x", "https://e.org:0", "https://["),
        *("https://e.org/?a=b", "https://e.org/#a", "https://u@e.org", "https://é.org"),
        *("https://e.org/a b", "https://e.org\n", "file:///etc/passwd"),
    ],
)
def test_what_is_no_address_of_a_service_is_refused(text: str) -> None:
    """User, query and fragment would be seen in messages."""
    with pytest.raises(ConfigError, match=r"carbon\.url"):
        base_url(text, "carbon.url")


def test_a_file_is_believed_for_as_long_as_is_configured() -> None:
    """A contract that is settled daily is written daily."""
    provider = FileIntensity(Path("x"), live_for_s=Seconds(86_400.0))

    assert provider.traits.live_for_s == 86_400.0
    assert provider.covers("DE")
