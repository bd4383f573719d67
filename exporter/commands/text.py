"""Texts of strangers on a terminal: harmless, and as wide as there is room."""

import sys
import unicodedata

_WIDE = {"W", "F"}


def harmless(text: str) -> str:
    r"""Write what a terminal would obey, or not show, as escapes such as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def width(text: str) -> int:
    """How many columns a harmless text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def cut(text: str, columns: int) -> str:
    """Shorten a harmless text to so many columns, visibly; at least to one."""
    taken = kept = 0
    for end, char in enumerate(text, 1):
        taken += _columns(char)
        if taken < columns:
            kept = end
    return text if taken <= columns else f"{text[:kept]}…"


def write(text: str) -> None:
    """Write to standard output; what its encoding lacks is escaped."""
    encoding = sys.stdout.encoding
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1
