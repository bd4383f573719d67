import math
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import SETTINGS, Setting
from exporter.config.values import (
    Kind,
    address,
    boolean,
    duration,
    grid_zone,
    integer,
    number,
    one_of,
    path,
    word,
)


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
        (word(), "ada", "ada"),
        (grid_zone(), "us-Cal-CISO", "US-CAL-CISO"),
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
        *((grid_zone(), text) for text in ("", "-a", "d e")),
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
