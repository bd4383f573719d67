import asyncio
import json
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.carbon.last_good import LastGood
from exporter.carbon.standing import Kept
from tests.fakes.carbon import NOW, observation

_FILE = "carbon-intensity.json"
_VALUES = (
    Kept("one", observation(100.5, NOW - 300, estimated=True), NOW),
    Kept(
        "relay",
        observation(200.0, NOW, zone="FR", provider="two", live_for_s=60.0),
        NOW,
    ),
    Kept("one", observation(300.0, NOW, signal="marginal", provider="three"), NOW),
)


def test_what_was_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    """With zone, provider and time: another zone is another series."""
    LastGood(tmp_path).save(_VALUES)

    assert LastGood(tmp_path).load() == _VALUES


def test_without_a_file_there_is_nothing_and_nothing_to_say(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every daemon starts for the first time once."""
    values = LastGood(tmp_path).load()

    assert values == ()
    assert not caplog.records


def test_two_programs_in_one_directory_keep_files_of_their_own(tmp_path: Path) -> None:
    """A hub may run beside a daemon."""
    LastGood(tmp_path, "hub-intensity.json").save(_VALUES)

    assert LastGood(tmp_path).load() == ()
    assert LastGood(tmp_path, "hub-intensity.json").load() == _VALUES


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "\xff",
        "[" * 100_000,
        '{"version": 1}',
        '{"version": 1, "values": {}}',
        '{"version": 1, "values": [{}]}',
        '{"version": 1, "values": [null]}',
        " " * (2**20 + 1),
    ],
    ids=[
        *("empty", "half", "list", "null", "bytes", "deep", "no-values"),
        *("no-list", "no-value", "null-value", "gigantic"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_left(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is fetched anew in a moment; the daemon starts."""
    (tmp_path / _FILE).write_text(content, encoding="latin-1")

    values = LastGood(tmp_path).load()

    assert values == ()
    (record,) = caplog.records
    assert "cannot be used" in record.getMessage()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("g_per_kwh", 0),
        ("g_per_kwh", 1e6),
        ("g_per_kwh", "100"),
        ("observed_unix_s", -1),
        ("observed_unix_s", 1e300),
        ("slot_s", 0),
        ("signal", "total"),
        ("factors", "some"),
        ("estimated", 1),
        ("zone", None),
    ],
)
def test_a_value_that_cannot_be_is_not_taken_from_disk(
    tmp_path: Path, field: str, value: object
) -> None:
    """A file is as little to be trusted as a network."""
    LastGood(tmp_path).save(_VALUES)
    path = tmp_path / _FILE
    data = json.loads(path.read_text())
    data["values"][0][field] = value
    path.write_text(json.dumps(data))

    assert LastGood(tmp_path).load() == ()


def test_a_file_of_another_version_is_passed_over(tmp_path: Path) -> None:
    """After a downgrade, say."""
    (tmp_path / _FILE).write_text('{"version": 2, "values": "?"}')

    assert LastGood(tmp_path).load() == ()


def test_the_number_of_values_is_bounded(tmp_path: Path) -> None:
    """Nobody has that many zones."""
    many = tuple(Kept("one", observation(zone=f"Z{i}"), NOW) for i in range(600))

    LastGood(tmp_path).save(many)

    assert LastGood(tmp_path).load() == many[:512]


def test_a_directory_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk is no reason to write a line every five minutes."""
    store = LastGood(tmp_path / "missing")

    store.save(_VALUES)
    store.save(_VALUES)
    (tmp_path / "missing").mkdir()
    store.save(_VALUES)

    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
    assert store.load() == _VALUES


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    """Who reads it while it is written reads the old one."""
    store = LastGood(tmp_path)
    store.save(_VALUES)
    with (tmp_path / _FILE).open() as old:
        store.save(_VALUES[:1])

        assert len(json.load(old)["values"]) == 3
    assert store.load() == _VALUES[:1]
    assert [path.name for path in tmp_path.iterdir()] == [_FILE]


@given(content=st.binary(max_size=300))
def test_any_content_is_survived(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Disks fail in many ways."""
    directory = tmp_path_factory.mktemp("state")
    (directory / _FILE).write_bytes(content)

    assert LastGood(directory).load() == ()


def test_a_disk_that_hangs_is_told_and_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Values go on coming; nothing else is written until it answers."""
    pipe = tmp_path / f"{_FILE}.new"
    # To open it takes until somebody reads from it, as with a disk that hangs.
    os.mkfifo(pipe)
    store = LastGood(tmp_path, patience_s=0.01)

    async def run() -> tuple[list[bool], int]:
        kept = [await store.keep(_VALUES), await store.keep(_VALUES)]
        return kept, os.open(pipe, os.O_RDWR | os.O_NONBLOCK)

    kept, reader = asyncio.run(run())
    os.close(reader)

    assert kept == [False, False]
    (record,) = caplog.records
    assert "the disk does not answer" in record.getMessage()


def test_what_is_kept_from_a_loop_is_saved(tmp_path: Path) -> None:
    """And whoever asked knows it."""
    kept = asyncio.run(LastGood(tmp_path).keep(_VALUES))

    assert kept
    assert LastGood(tmp_path).load() == _VALUES
