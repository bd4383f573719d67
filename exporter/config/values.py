"""Kinds of values a setting can have: what text they are read from and shown as.

Every layer (YAML, environment, flags) hands over text, so each kind has one
parser. A YAML scalar also has a type, and a kind names the types it takes:
``pue: "1.2"`` is a text and therefore refused.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, get_args

from exporter.config.texts import (
    MAX_CHARACTERS,
    RefusedValueError,
    parse_address,
    parse_duration_s,
    parse_url,
    show_duration,
    show_number,
    whole_number,
)

T = TypeVar("T")
YamlType = Literal["str", "int", "float", "bool"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TIME_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_USER = re.compile(r"[^\s:\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How one kind of value is read from text and shown.

    Attributes:
        expected: completes the sentence "expected …" for a person.
        metavar: the placeholder in ``--help``.
        yaml_types: types of a YAML scalar it is read from.
        parse: value of a text; ``ValueError`` if it is not one. The message of a
            ``RefusedValueError`` is shown in place of ``expected``.
        show: text of a value for a person, which ``parse`` can read.
        words: all there are, where it is one of a few words.
        least: smallest number there is, where it is a number.
        most: largest number there is, where it is a number.
        above: ``least`` itself is too small.
    """

    expected: str
    metavar: str
    yaml_types: tuple[YamlType, ...]
    parse: Callable[[str], T]
    show: Callable[[T], str] = str
    words: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    above: bool = False


def duration(shortest_s: float, longest_s: float) -> Kind[float]:
    """Take a duration, in s, within bounds."""

    def parse(text: str) -> float:
        return _within(parse_duration_s(text), shortest_s, longest_s)

    return Kind(
        f"a duration from {show_duration(shortest_s)} to {show_duration(longest_s)}"
        ", such as 1s",
        "DURATION",
        ("str",),
        parse,
        show_duration,
    )


def number(least: float, most: float, *, above: bool = False) -> Kind[float]:
    """Take a finite number within bounds; ``above``: and not ``least`` itself."""

    def parse(text: str) -> float:
        if len(text) > MAX_CHARACTERS or not _NUMBER.fullmatch(text):
            raise ValueError(text)
        value = _within(float(text), least, most)
        if above and value == least:
            raise ValueError(text)
        return value

    start = f"above {least:g} and up to" if above else f"from {least:g} to"
    return Kind(
        f"a number {start} {most:g}",
        "NUMBER",
        ("int", "float"),
        parse,
        show_number,
        least=least,
        most=most,
        above=above,
    )


def integer(least: int, most: int) -> Kind[int]:
    """Take a whole number within bounds."""
    return Kind(
        f"a whole number from {least} to {most}",
        "NUMBER",
        ("int",),
        lambda text: whole_number(text, least, most),
        least=least,
        most=most,
    )


def boolean() -> Kind[bool]:
    """Take ``true`` or ``false``."""

    def parse(text: str) -> bool:
        try:
            return {"true": True, "false": False}[text.lower()]
        except KeyError:
            raise ValueError(text) from None

    return Kind(
        "true or false", "BOOL", ("bool",), parse, lambda value: str(value).lower()
    )


def one_of(literal: object) -> Kind[Any]:
    """Take one of the words of a ``Literal[...]``, which stays the only list."""
    words: tuple[str, ...] = get_args(literal)

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Kind(
        f"one of {', '.join(words)}",
        f"{{{','.join(words)}}}",
        ("str",),
        parse,
        words=words,
    )


def word() -> Kind[str]:
    """Take a name of letters, digits, ``_`` and ``-``."""

    def parse(text: str) -> str:
        if len(text) > MAX_CHARACTERS or not _WORD.fullmatch(text):
            raise ValueError(text)
        return text

    return Kind("a name of letters, digits, _ and -", "NAME", ("str",), parse)


def grid_zone() -> Kind[str]:
    """Take the name of a grid zone, in capital letters: ``de`` is ``DE``."""
    name = word()
    return replace(name, parse=lambda text: name.parse(text).upper())


def pue_rules() -> Kind[str]:
    """Take a schedule of PUE; the value stays text, see ``parse_pue_rules``."""

    def parse(text: str) -> str:
        # Few sites have one.
        from exporter.config.pue_rules import parse_pue_rules  # noqa: PLC0415 - above

        parse_pue_rules(text)
        return text

    return Kind(
        "rules such as Jun-Sep Mon-Fri 10:00-20:00 = 1.35; Nov-Feb = 1.1",
        "RULES",
        ("str",),
        parse,
    )


def iana_zone() -> Kind[str]:
    """Take the IANA name of a time zone that this machine knows."""

    def parse(text: str) -> str:
        if text == "UTC":
            return text
        if len(text) > MAX_CHARACTERS or not _TIME_ZONE.fullmatch(text):
            raise ValueError(text)
        # Few settings need it.
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - see above

        try:
            ZoneInfo(text)
        # A part of a name is a directory; a name that is not known is a key error.
        except (KeyError, OSError, ValueError):
            msg = (
                f"no time zone {text} is known here; names are such as Europe/Berlin; "
                "if that is one, install tzdata"
            )
            raise RefusedValueError(msg) from None
        return text

    return Kind(
        "the name of a time zone, such as Europe/Berlin or UTC", "ZONE", ("str",), parse
    )


def url() -> Kind[str]:
    """Take the address of a service, see ``parse_url``."""
    expected = "an address such as https://hub.example.org:9879"

    def parse(text: str) -> str:
        try:
            return parse_url(text)
        except RefusedValueError:
            # Unquoted: whoever writes a password into it does so here.
            msg = f"expected {expected}, without user, query and fragment"
            raise RefusedValueError(msg) from None

    return Kind(expected, "URL", ("str",), parse)


def user() -> Kind[str]:
    """Take the name of a user, as basic authentication has it."""

    def parse(text: str) -> str:
        if len(text) > MAX_CHARACTERS or not _USER.fullmatch(text):
            raise ValueError(text)
        return text

    return Kind("a name without colon and spaces", "NAME", ("str",), parse)


def path() -> Kind[Path]:
    """Take the path of a file or directory; a relative one starts where we run."""

    def parse(text: str) -> Path:
        if not text or "\0" in text:
            raise ValueError(text)
        return Path(text)

    return Kind("a path", "PATH", ("str",), parse)


def address() -> Kind[str]:
    """Take ``host:port``; the value stays text, see ``parse_address``."""

    def parse(text: str) -> str:
        parse_address(text)
        return text

    return Kind(
        "host:port, such as 0.0.0.0:9878 or [::1]:9878", "HOST:PORT", ("str",), parse
    )


def _within(value: float, least: float, most: float) -> float:
    if not (math.isfinite(value) and least <= value <= most):
        raise ValueError(value)
    return value
