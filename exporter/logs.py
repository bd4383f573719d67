"""Log lines on standard error, in logfmt or JSON: one record, one line.

What is logged often comes from elsewhere (a job's name, a driver's message).
Whatever is in it, it cannot start a line of its own, nor a pair, nor move the
cursor: everything that is not printable is escaped.
"""

import json
import logging
import math
import re
import sys
from datetime import UTC, datetime

from exporter.config.settings import LogFormat, LogLevel

# What every record has; the rest is what ``extra`` added to it.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
# uvicorn's copy of its message with terminal colours.
_UNWANTED = frozenset({"color_message"})
_FIELDS = "jouled_fields"

_UNSAFE_IN_KEY = re.compile(r"[^A-Za-z0-9_.]")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,\[\]-]+")
_BASE_KEYS = frozenset({"ts", "level", "logger", "msg", "exception", "stack"})

# The journal cuts a line at 48 KiB; two halves keep the head of a message and
# the end of a traceback, which are what a reader needs.
_HALF_OF_LONGEST = 4096

_Value = str | int | float | bool | None


def fields(**values: object) -> dict[str, object]:
    """Build the ``extra`` of a log call, for keys that logging would refuse.

    ``extra={"source": "rapl"}`` does as well, but not with ``name``, ``args`` or
    any other attribute of a record. Keys carry units (``interval_s=1.0``); values
    are shown with ``str`` unless they are numbers, booleans or ``None``.
    """
    return {_FIELDS: values}


def configure(level: LogLevel, log_format: LogFormat) -> None:
    """Log to standard error; call again to change level or format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else LogfmtFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def configure_for_command(level: LogLevel) -> None:
    """Log what a command does only on demand: what it found is what it prints."""
    configure("debug" if level == "debug" else "error", "logfmt")


class LogfmtFormatter(logging.Formatter):
    """Format a record as ``key=value`` pairs; odd values are JSON strings."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without its end."""
        return " ".join(
            f"{key}={_logfmt_value(value)}" for key, value in _pairs(record).items()
        )


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without its end."""
        return _printable(
            json.dumps(_pairs(record), ensure_ascii=False, separators=(",", ":"))
        )


def _pairs(record: logging.LogRecord) -> dict[str, _Value]:
    time = datetime.fromtimestamp(record.created, UTC)
    pairs: dict[str, _Value] = {
        "ts": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "msg": _bounded(record.getMessage()),
    }
    for key, value in _extra(record).items():
        safe_key = _UNSAFE_IN_KEY.sub("_", key) or "_"
        pairs[f"{safe_key}_" if safe_key in _BASE_KEYS else safe_key] = _value(value)
    if record.exc_info:
        traceback = logging.Formatter().formatException(record.exc_info)
        pairs["exception"] = _bounded(traceback)
    if record.stack_info:
        pairs["stack"] = _bounded(record.stack_info)
    return pairs


def _extra(record: logging.LogRecord) -> dict[str, object]:
    extra = {
        key: value
        for key, value in vars(record).items()
        if key not in _STANDARD and key not in _UNWANTED
    }
    own: dict[str, object] = extra.pop(_FIELDS, {})
    return {**extra, **own}


def _value(value: object) -> _Value:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _bounded(str(value))


def _bounded(text: str) -> str:
    if len(text) <= 2 * _HALF_OF_LONGEST:
        return text
    return f"{text[:_HALF_OF_LONGEST]}…{text[-_HALF_OF_LONGEST:]}"


def _logfmt_value(value: _Value) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    # JSON leaves DEL, C1 controls, line separators and text direction marks alone.
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1]
        for character in text
    )
