"""Moments as people write them: a date, a time, or how long ago."""

import contextlib
import re
from datetime import UTC, datetime

from exporter.config.texts import parse_duration_s, shorten

MOMENT_TEXT = "a time such as 7d (ago), 2026-11-01, 2026-11-01T12:30 (UTC) or now"

_UNIX_SECONDS = re.compile(r"\d{9,11}(\.\d{1,9})?", re.ASCII)
_MOST_CHARACTERS = 40


def parse_moment(text: str, now_unix_s: float) -> float:
    """Read a moment.

    Args:
        text: "7d" is seven days ago; a date or a time in ISO 8601 is in UTC unless
            it says otherwise; nine digits or more are Unix seconds.
        now_unix_s: the present, s.

    Returns:
        Unix seconds, >= 0.

    Raises:
        ValueError: it is no moment; the message names what is expected.
    """
    if text == "now":
        return now_unix_s
    if len(text) <= _MOST_CHARACTERS:
        if _UNIX_SECONDS.fullmatch(text):
            return float(text)
        with contextlib.suppress(ValueError):
            return max(0.0, now_unix_s - parse_duration_s(text))
        with contextlib.suppress(ValueError, OverflowError):
            return max(0.0, _iso_unix_s(text))
    msg = f"expected {MOMENT_TEXT}, got {shorten(text)}"
    raise ValueError(msg)


def _iso_unix_s(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
