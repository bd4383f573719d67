"""Reads what a server sent; every doubt is an error that names our field.

JSON may hold anything: numbers that are texts, ``NaN``, booleans that Python
takes for numbers, lists where an object belongs. None of the functions here
returns a number that was not one, and no message quotes the answer.
"""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NoReturn

from exporter.carbon.errors import NonsenseError
from exporter.core.units import Seconds

_LONGEST_TIME = 40


def parse_json(text: str) -> object:
    """Return the value of a JSON text.

    Raises:
        NonsenseError: it is none, or is ``NaN`` or ``Infinity`` somewhere.
    """
    try:
        data: object = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        msg = f"the answer is not JSON ({type(error).__name__})"
        raise NonsenseError(msg) from None
    return data


def member(data: object, *path: str | int) -> object:
    """Go down into objects by key and into lists by index.

    Raises:
        NonsenseError: there is nothing of that name.
    """
    for depth, step in enumerate(path):
        match data:
            case dict() if step in data:
                data = data[step]
            case list() if isinstance(step, int) and -len(data) <= step < len(data):
                data = data[step]
            case _:
                msg = f"the answer has no {_name(path[: depth + 1])}"
                raise NonsenseError(msg)
    return data


def optional(data: object, key: str) -> object:
    """Return a member of an object; ``None`` if it is null or missing."""
    return data.get(key) if isinstance(data, dict) else None


def number(data: object, *path: str | int) -> float:
    """Return a number.

    Raises:
        NonsenseError: there is none, or it is not finite.
    """
    value = number_or_none(data, *path)
    if value is None:
        msg = f"{_name(path)} is null"
        raise NonsenseError(msg)
    return value


def number_or_none(data: object, *path: str | int) -> float | None:
    """Return a number; ``None`` if it is null.

    Raises:
        NonsenseError: there is something else, or it is not finite.
    """
    value = member(data, *path)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{_name(path)} is not a number"
        raise NonsenseError(msg)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        msg = f"{_name(path)} is not a finite number"
        raise NonsenseError(msg)
    return result


def flag(data: object, key: str) -> bool:
    """Return a boolean; a missing one is false.

    Raises:
        NonsenseError: there is something else.
    """
    value = optional(data, key)
    if value is not None and not isinstance(value, bool):
        msg = f"{key} is neither true nor false"
        raise NonsenseError(msg)
    return value is True


def text(data: object, *path: str | int) -> str:
    """Return a text.

    Raises:
        NonsenseError: there is none.
    """
    value = member(data, *path)
    if not isinstance(value, str):
        msg = f"{_name(path)} is not a text"
        raise NonsenseError(msg)
    return value


def rows(data: object, *path: str | int) -> Sequence[object]:
    """Return a list.

    Raises:
        NonsenseError: there is none.
    """
    value = member(data, *path)
    if not isinstance(value, list):
        msg = f"{_name(path)} is not a list"
        raise NonsenseError(msg)
    return value


def moment(data: object, *path: str | int, naive_is_utc: bool = False) -> Seconds:
    """Return a moment that is written as in ISO 8601, Unix time, s.

    Args:
        data: the answer.
        path: where it is.
        naive_is_utc: what has no offset is UTC; else it is refused, because
            an hour of difference is another price of carbon.

    Raises:
        NonsenseError: there is none.
    """
    written = text(data, *path)
    try:
        when = datetime.fromisoformat(written[: _LONGEST_TIME + 1])
        if when.tzinfo is None and naive_is_utc:
            when = when.replace(tzinfo=UTC)
        if when.tzinfo is None:
            msg = f"{_name(path)} does not tell its time zone"
            raise NonsenseError(msg)
        return Seconds(when.timestamp())
    except (ValueError, OverflowError):
        msg = f"{_name(path)} is not a time"
        raise NonsenseError(msg) from None


def _name(path: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in path) or "the answer"


def _refuse_constant(_: str) -> NoReturn:
    msg = "not a number"
    raise ValueError(msg)
