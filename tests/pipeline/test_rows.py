import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.model import COMPONENTS, REASONS, DeviceId
from exporter.pipeline.rows import device_id, fields, known_component, known_reason


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ([0, 1.5, "a", True, [], {"k": "v"}], "nntblm"),
        ([None] * 6, "NPTBLM"),
        ([1.0, 2**64], "pp"),
        ([], ""),
    ],
)
def test_a_row_of_the_right_kinds_is_returned(row: list[Any], kinds: str) -> None:
    """As it was written."""
    assert fields(row, kinds) is row


def one_each(kind: str, values: list[object]) -> list[tuple[list[object], str]]:
    """Return a row for each value, of one field of a kind."""
    return [([value], kind) for value in values]


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        *one_each("n", [-1, "1", None, True, float("nan"), float("inf"), 1e30, []]),
        *one_each("n", [10**400]),
        *one_each("p", [0, -1, False, "x"]),
        *one_each("t", [1, None, ["a"]]),
        *one_each("b", [0, 1, None, "true"]),
        *one_each("l", [{}, "ab", None]),
        *one_each("m", [[], {"k": 1}, None]),
        ([1], "nn"),
        ([1, 2], "n"),
        ({"a": 1}, "n"),
        ("a", "t"),
        (None, ""),
    ],
)
def test_another_row_is_refused(row: object, kinds: str) -> None:
    """It would fail in some later tick, and at every start again."""
    with pytest.raises(ValueError, match="row"):
        fields(row, kinds)


def test_only_known_components_and_reasons_are_known() -> None:
    """A total of an unknown name would never be shown."""
    assert [known_component(one) for one in COMPONENTS] == list(COMPONENTS)
    assert [known_reason(one) for one in REASONS] == list(REASONS)
    with pytest.raises(ValueError, match="unknown component 'fan'"):
        known_component("fan")
    with pytest.raises(ValueError, match="unknown reason 'bad luck'"):
        known_reason("bad luck")


def test_a_device_has_a_known_component_and_a_name() -> None:
    """These are its labels."""
    assert device_id("gpu", "GPU-0") == DeviceId("gpu", "GPU-0")
    with pytest.raises(ValueError, match="not of kind 't'"):
        device_id("gpu", 0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.text("nptblmNPTBLM", max_size=4),
)
def test_nothing_else_is_raised(row: object, kinds: str) -> None:
    """Whatever JSON can hold, the caller knows what to expect."""
    with contextlib.suppress(ValueError):
        assert fields(row, kinds) is row
