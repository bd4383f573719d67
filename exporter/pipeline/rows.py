"""Checks of what comes out of a checkpoint, field by field.

A file that this program wrote is not taken at its word: a field of the wrong
kind would fail a tick later, at every start anew.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from exporter.core.model import (
    COMPONENTS,
    REASONS,
    Component,
    DeviceId,
    Reason,
)

# What JSON can hold: nested lists of numbers, texts and nothing.
Row = list[Any]

# Far beyond every energy, time or size, and far within what a float can hold.
_TOO_LARGE = 1e30


def fields(row: object, kinds: str) -> Row:
    """Return a row if it has one field of each kind.

    Args:
        row: anything that JSON can hold.
        kinds: a letter per field. n: number >= 0; p: number > 0; t: text; b: yes
            or no; l: list; m: mapping of texts to texts. A capital letter: the
            same, or nothing.

    Raises:
        ValueError: it is another row.
    """
    if not isinstance(row, list) or len(row) != len(kinds):
        msg = f"{row!r:.80} is no row of {len(kinds)} fields"
        raise ValueError(msg)
    for value, kind in zip(row, kinds, strict=True):
        if value is None and kind.isupper():
            continue
        if not _CHECKS[kind.lower()](value):
            msg = f"{value!r:.80} in a row is not of kind {kind!r}"
            raise ValueError(msg)
    return row


def device_id(component: object, name: object) -> DeviceId:
    """Return the identity, if it can be one; else raise ``ValueError``."""
    (checked,) = fields([name], "t")
    return DeviceId(known_component(component), checked)


def known_component(component: object) -> Component:
    """Return the component, if it is one; else raise ``ValueError``."""
    for known in COMPONENTS:
        if known == component:
            return known
    msg = f"unknown component {component!r:.80}"
    raise ValueError(msg)


def known_reason(reason: object) -> Reason:
    """Return the reason, if it is one; else raise ``ValueError``."""
    for known in REASONS:
        if known == reason:
            return known
    msg = f"unknown reason {reason!r:.80}"
    raise ValueError(msg)


def _is_number(value: object) -> TypeGuard[float]:
    # A boolean is an int to Python, and NaN is in no range.
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value < _TOO_LARGE
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "n": _is_number,
    "p": lambda value: _is_number(value) and value > 0,
    "t": lambda value: isinstance(value, str),
    "b": lambda value: isinstance(value, bool),
    "l": lambda value: isinstance(value, list),
    "m": _is_texts,
}
