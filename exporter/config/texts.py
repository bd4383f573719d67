"""Durations, addresses and numbers as people write them, and texts in messages.

``values.py`` makes kinds of settings of them.
"""

import math
import re

_UNITS_S = {
    "y": 365 * 86400.0,
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
_DURATION = re.compile(
    "".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit})?" for unit in _UNITS_S),
    re.ASCII,
)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]")

# No number, duration or word of ours is longer; int() of a long text is slow.
MAX_CHARACTERS = 64
_MAX_URL_CHARACTERS = 1024
_MAX_PORT = 65535


class RefusedValueError(ValueError):
    """A value whose fault is told by the message, in one line."""


def parse_duration_s(text: str) -> float:
    """Read a duration such as ``500ms``, ``1s``, ``1h30m`` or ``10d``.

    Args:
        text: numbers with units (y for 365 days, d, h, m, s, ms), larger units first.

    Returns:
        The duration, s, finite, >= 0.

    Raises:
        ValueError: it is no such duration; the message says how to write one.
    """
    match = _DURATION.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if not text or match is None:
        msg = f"{shorten(text)} is not a duration such as 500ms, 1s, 1h30m or 10d"
        raise ValueError(msg)
    return math.fsum(
        float(amount) * _UNITS_S[unit]
        for unit, amount in match.groupdict().items()
        if amount is not None
    )


def show_duration(duration_s: float) -> str:
    """Write a duration in the largest unit that makes it whole, for a person.

    Args:
        duration_s: s, finite, >= 0.
    """
    if 0 < duration_s < 1:
        return f"{show_number(duration_s * 1000)}ms"
    for unit in ("y", "d", "h", "m"):
        if duration_s > 0 and duration_s % _UNITS_S[unit] == 0:
            return f"{show_number(duration_s / _UNITS_S[unit])}{unit}"
    return f"{show_number(duration_s)}s"


def parse_address(text: str) -> tuple[str, int]:
    """Split ``host:port``, ``[ipv6]:port`` or ``:port``.

    Args:
        text: as given; port 0 lets the kernel choose a free one.

    Returns:
        Host without brackets, "" for every address of the machine, and port.

    Raises:
        ValueError: it is no such address.
    """
    host, separator, port_text = text.rpartition(":")
    if not separator or (host and not _HOST.fullmatch(host)):
        msg = f"{shorten(text)} is not an address such as 0.0.0.0:9878"
        raise ValueError(msg)
    port = whole_number(port_text, 0, _MAX_PORT)
    return host.strip("[]"), port


def parse_url(text: str) -> str:
    """Read the address of a service, and take the slash from its end.

    Raises:
        RefusedValueError: it is none, or has a user, a password, a query or a
            fragment in it, where they would be seen. The message does not quote it.
    """
    # Few settings need it.
    from urllib.parse import urlsplit  # noqa: PLC0415 - see above

    try:
        parts = urlsplit(text)
        usable = (
            parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
            and text.isascii()
            and text.isprintable()
            and len(text) <= _MAX_URL_CHARACTERS
        )
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or " " in text:
        msg = "not an address such as https://api.example.org"
        raise RefusedValueError(msg)
    if "@" in parts.netloc or "?" in text or "#" in text:
        msg = "an address without user, query and fragment is needed"
        raise RefusedValueError(msg)
    return text.rstrip("/")


def shorten(text: str) -> str:
    """Quote a text for a message of one line, whatever is in it."""
    return ascii(text if len(text) <= MAX_CHARACTERS else f"{text[:60]}...")


def one_line(text: str) -> str:
    """Shorten a name for a message of one line, without quotes."""
    return shorten(text)[1:-1]


def whole_number(text: str, least: int, most: int) -> int:
    """Read a whole number within bounds; ``ValueError`` if it is none."""
    if len(text) > MAX_CHARACTERS or not _INTEGER.fullmatch(text):
        raise ValueError(text)
    value = int(text)
    if not least <= value <= most:
        raise ValueError(text)
    return value


def show_number(value: float) -> str:
    """Write a number with six decimals at most, and none that say nothing."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
