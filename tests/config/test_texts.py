import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import parse_address, parse_duration_s
from exporter.config.texts import show_duration


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
