import math
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import SETTINGS, Setting, parse_address, parse_duration_s
from exporter.config.values import (
    Kind,
    address,
    boolean,
    duration,
    integer,
    number,
    one_of,
    path,
    show_duration,
    word,
)


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("500ms", 0.5),
        ("1s", 1.0),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("10d", 864000.0),
        ("5y", 157680000.0),
        ("1y35d", 34560000.0),
        ("1d2h3m4s5ms", 93784.005),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_with_its_units(text: str, duration_s: float) -> None:
    """Operators write durations as they do for Prometheus."""
    assert parse_duration_s(text) == pytest.approx(duration_s)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "s", "1 s", "-1s", "1S", "1s1s", "1s1h", "1e3s", "nan", "²s"),
        *("1.s", "1x", "1" * 400 + "d"),
    ],
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    """A bare number has no unit, and guessing one is a factor of a thousand."""
    with pytest.raises(ValueError, match="not a duration such as 500ms"):
        parse_duration_s(text)


@given(st.integers(0, 10**9).map(lambda ms: ms / 1000))
def test_a_shown_duration_reads_back(duration_s: float) -> None:
    """The defaults in the manual can be copied into a file."""
    shown = show_duration(duration_s)

    assert parse_duration_s(shown) == pytest.approx(duration_s, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("127.0.0.1:9878", ("127.0.0.1", 9878)),
        (":9878", ("", 9878)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
    ],
)
def test_an_address_is_host_and_port(text: str, split: tuple[str, int]) -> None:
    """The same spellings as for Prometheus' own exporters."""
    assert parse_address(text) == split


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "9878", "localhost", "host:", "host:65536", "host:-1", "::1:80"),
        *("a b:1", "http://host:80", "host:1e3", "host:²"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A typing error ends the start, not the search for an open port."""
    with pytest.raises(ValueError, match=r".*"):
        parse_address(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (number(1, 10), "1", 1.0),
        (number(1, 10), "1.25e0", 1.25),
        (number(0, 10, above=True), ".5", 0.5),
        (integer(0, 10), "10", 10),
        (boolean(), "true", True),
        (boolean(), "False", False),
        (one_of(Literal["a", "b"]), "b", "b"),
        (word(), "US-CAL-CISO", "US-CAL-CISO"),
        (path(), "/a b", Path("/a b")),
        (duration(1, 60), "1m", 60.0),
        (address(), "[::1]:1", "[::1]:1"),
    ],
)
def test_a_kind_reads_what_it_expects(
    kind: Kind[Any], text: str, value: object
) -> None:
    """One parser serves file, environment and flags."""
    parsed = kind.parse(text)

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((number(1, 10), text) for text in ("0.9", "11", "nan", "inf", "1e400", "")),
        *((number(1, 10), text) for text in ("0x2", "1_0", "٢", "2 ", "1" * 100)),
        (number(0, 10, above=True), "0"),
        (number(0, 10, above=True), "-0.0"),
        *((integer(0, 10), text) for text in ("-1", "11", "1.0", "", "9" * 9999)),
        *((boolean(), text) for text in ("yes", "1", "on", "")),
        *((one_of(Literal["a", "b"]), text) for text in ("", "A", "c", "a,b")),
        *((word(), text) for text in ("", "-a", "a b", "a\n", "ä", "a" * 65)),
        *((path(), text) for text in ("", "a\0b")),
        *((duration(1, 60), text) for text in ("999ms", "61s", "1")),
    ],
)
def test_a_kind_refuses_everything_else(kind: Kind[Any], text: str) -> None:
    """Nothing out of bounds gets as far as the arithmetic."""
    with pytest.raises(ValueError, match=r".*"):
        kind.parse(text)


@given(st.text(), st.sampled_from(SETTINGS))
def test_no_text_makes_a_parser_fail_otherwise(text: str, setting: Setting) -> None:
    """Whatever is typed, the answer is a value or one line."""
    try:
        value = setting.kind.parse(text)
    except ValueError:
        return

    assert not isinstance(value, float) or math.isfinite(value)
