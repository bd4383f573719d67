"""Which format and encoding a client wants, from its headers (RFC 9110, 12.5).

A client that accepts nothing we can write gets the text format rather than an
error: that is what every Prometheus exporter does.
"""

from functools import lru_cache
from typing import NamedTuple

from exporter.exposition.render import Format

_OPENMETRICS_VERSIONS = frozenset({"", "1.0.0"})
_TEXT_VERSIONS = frozenset({"", "0.0.4"})
# Few programs scrape one node; whoever sends ever new headers gets no more.
_REMEMBERED = 32


class _Accepted(NamedTuple):
    name: str
    version: str
    quality: float


@lru_cache(maxsize=_REMEMBERED)
def choose_format(accept: str) -> Format:
    """Choose between OpenMetrics 1.0.0 and the text format 0.0.4.

    OpenMetrics has to be asked for by name and wins a draw, because it can tell
    when a counter started.
    """
    openmetrics = text = anything = 0.0
    named_text = False
    for media in _parsed(accept):
        if media.name == "application/openmetrics-text":
            if media.version in _OPENMETRICS_VERSIONS:
                openmetrics = max(openmetrics, media.quality)
        elif media.name == "text/plain":
            if media.version in _TEXT_VERSIONS:
                named_text = True
                text = max(text, media.quality)
        elif media.name in {"text/*", "*/*"}:
            anything = max(anything, media.quality)
    # The more specific range counts, even if it says no.
    text = text if named_text else anything
    return "openmetrics" if openmetrics > 0 and openmetrics >= text else "text"


@lru_cache(maxsize=_REMEMBERED)
def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether the client can read gzip."""
    named = anything = 0.0
    is_named = False
    for coding in _parsed(accept_encoding):
        if coding.name in {"gzip", "x-gzip"}:
            is_named = True
            named = max(named, coding.quality)
        elif coding.name == "*":
            anything = coding.quality
    return (named if is_named else anything) > 0


def _parsed(header: str) -> list[_Accepted]:
    """Split a header into its ranges; a range with a broken q counts for nothing."""
    ranges = []
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        version, quality = "", 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key == "version":
                version = value.strip('"')
            elif key == "q":
                quality = _quality(value)
        ranges.append(_Accepted(name, version, quality))
    return ranges


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
