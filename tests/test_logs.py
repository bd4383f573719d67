import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import JsonFormatter, LogfmtFormatter, fields

TEXT = st.text(
    st.characters() | st.sampled_from('\n\r\t "=\\\x00\x1b\x7f\x85\u2028\u202e\udc80'),
    max_size=60,
)
KEYS = st.text("abcxyz_", min_size=1, max_size=8)
VALUES = TEXT | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False)


def record(
    message: str,
    extra: Mapping[str, object] | None = None,
    exc_info: Any = None,  # noqa: ANN401 - whatever logging takes
) -> logging.LogRecord:
    """Build a record as a logger would."""
    made = logging.makeLogRecord(
        {
            "name": "exporter.power.rapl",
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": message,
            "created": 1_700_000_000.1234,
            "exc_info": exc_info,
        }
    )
    made.__dict__.update(fields(**(extra or {})))
    return made


def parse_logfmt(line: str) -> dict[str, object]:
    """Read pairs back: a value is bare up to a space, or a JSON string."""
    pairs: dict[str, object] = {}
    rest = line
    while rest:
        key, _, rest = rest.partition("=")
        if rest.startswith('"'):
            value, end = json.JSONDecoder().raw_decode(rest)
            rest = rest[end:].removeprefix(" ")
        else:
            value, _, rest = rest.partition(" ")
        assert key not in pairs
        pairs[key] = value
    return pairs


@given(message=TEXT, extra=st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_json_line_parses_back_whatever_is_logged(
    message: str, extra: dict[str, object]
) -> None:
    """A job's name or a driver's message cannot forge a line or a field."""
    line = JsonFormatter().format(record(message, extra))

    parsed = json.loads(line)
    assert line.isprintable()
    assert parsed.pop("msg") == message
    assert parsed.pop("ts") == "2023-11-14T22:13:20.123Z"
    assert parsed.pop("level") == "warning"
    assert parsed.pop("logger") == "exporter.power.rapl"
    assert parsed == {
        key: value if value not in {float("inf"), float("-inf")} else str(value)
        for key, value in extra.items()
    }


@given(message=TEXT, extra=st.dictionaries(KEYS, TEXT, max_size=4))
def test_a_logfmt_line_parses_back_whatever_is_logged(
    message: str, extra: dict[str, object]
) -> None:
    """One record stays one line with exactly the pairs that were logged."""
    line = LogfmtFormatter().format(record(message, extra))

    parsed = parse_logfmt(line)
    assert line.isprintable()
    assert parsed.pop("msg") == message
    assert list(parsed)[:3] == ["ts", "level", "logger"]
    assert {key: parsed[key] for key in extra} == extra


def test_plain_extra_is_shown_too() -> None:
    """Most callers use nothing but the standard library's own way."""
    made = record("x", {"name": "a"})
    made.__dict__.update({"source": "nvml", "color_message": "\x1b[1mx"})

    line = LogfmtFormatter().format(made)

    assert line.endswith(" msg=x source=nvml name=a")


def test_logfmt_is_what_people_read() -> None:
    """Plain values go bare; units are in the keys."""
    extra = {"source": "rapl", "devices": 2, "read_s": 0.5, "zone": None, "up": True}

    line = LogfmtFormatter().format(record("source up", extra))

    assert line == (
        "ts=2023-11-14T22:13:20.123Z level=warning logger=exporter.power.rapl"
        ' msg="source up" source=rapl devices=2 read_s=0.5 zone=null up=true'
    )


def test_letters_of_any_language_stay_readable() -> None:
    """Only what is not printable is escaped."""
    line = LogfmtFormatter().format(record("Zürich", {"user": "Łukasz 山"}))

    assert 'msg="Zürich" user="Łukasz 山"' in line


@pytest.mark.parametrize("formatter", [LogfmtFormatter(), JsonFormatter()])
def test_an_exception_is_one_field_of_the_line(formatter: logging.Formatter) -> None:
    """A traceback of forty lines is still one record for the collector."""
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")
    error = caught.value

    line = formatter.format(
        record("failed", exc_info=(type(error), error, error.__traceback__))
    )

    assert len(line.splitlines()) == 1
    assert "Traceback" in line
    assert r"\nValueError: invalid literal" in line


def test_a_field_cannot_take_the_name_of_a_base_field_or_break_its_key() -> None:
    """The level of a line is the logger's, not the message's."""
    extra = {"level": "debug", "a b=c\n": 1, "": 2}

    parsed = json.loads(JsonFormatter().format(record("x", extra)))

    assert parsed["level"] == "warning"
    assert parsed["level_"] == "debug"
    assert parsed["a_b_c_"] == 1
    assert parsed["_"] == 2


def test_an_endless_value_keeps_its_head_and_its_end() -> None:
    """A driver's message of a megabyte does not fill the disk of the collector."""
    line = LogfmtFormatter().format(record("a" * 10**6 + "z", {"end": "b" * 10**6}))

    assert len(line) < 20_000
    assert 'aaz" end="b' in line


@pytest.mark.parametrize(
    ("log_format", "expected"),
    [("logfmt", ' msg="hello world" n=1'), ("json", '"msg":"hello world","n":1')],
)
def test_configure_sends_one_line_per_record_to_standard_error(
    log_format: str, expected: str
) -> None:
    """Standard output belongs to what a command prints."""
    program = (
        "import logging; from exporter import logs\n"
        f"logs.configure('debug', {log_format!r})\n"
        f"logs.configure('info', {log_format!r})\n"
        "log = logging.getLogger('exporter.x')\n"
        "log.debug('unseen'); log.info('hello %s', 'world', extra=logs.fields(n=1))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
    )

    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert expected in done.stderr
