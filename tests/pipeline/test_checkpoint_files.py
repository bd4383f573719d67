import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from exporter.pipeline.checkpoint import Checkpoint
from exporter.pipeline.state import EngineState
from tests.fakes.open_files import open_files
from tests.fakes.saves import BOOT, NAMES, contents, number_of, numbered, save, spoil
from tests.fakes.short_of_room import short_of_room

# --- two files that take turns ----------------------------------------------


def test_the_last_state_is_loaded_whatever_was_longer_before(tmp_path: Path) -> None:
    """A short content leaves the end of a long one behind it."""
    for number, length in enumerate((9, 3000, 2, 0, 5000, 4999, 1, 70, 69, 3000)):
        save(tmp_path, numbered(number, length))

        assert number_of(tmp_path) == number


def test_a_save_never_touches_the_file_of_the_save_before(tmp_path: Path) -> None:
    """Whatever happens to it, there is one to go on from; also after a restart."""
    with closing(Checkpoint(tmp_path, BOOT)) as checkpoint:
        checkpoint.save(numbered(0))
        checkpoint.save(numbered(1))

    for number in range(2, 9):
        before = contents(tmp_path)
        save(tmp_path, numbered(number))
        after = contents(tmp_path)

        assert [before[name] == after[name] for name in NAMES] == [
            number % 2 == 1,
            number % 2 == 0,
        ]
        assert b" save %016d " % (number + 1) in after[NAMES[number % 2]]


@pytest.mark.parametrize(
    ("older", "last", "new"),
    [(0, 0, 0), (0, 90, 90), (90, 0, 90), (90, 0, 0), (0, 90, 0), (None, 0, 90)],
)
def test_a_save_that_is_cut_anywhere_costs_nothing_but_itself(
    tmp_path: Path,
    older: int | None,
    last: int,
    new: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It had not been published; the state before it is loaded, and no error told."""
    if older is not None:
        save(tmp_path, numbered(1, older))
    save(tmp_path, numbered(2, last))
    path = tmp_path / NAMES[0 if older is not None else 1]
    before = path.read_bytes() if older is not None else b""
    save(tmp_path, numbered(3, new))
    after = path.read_bytes()
    head, content, *_ = after.split(b"\n")
    length = len(head) + len(content) + 2

    for cut in range(length):
        # As in a file that had an end there, and over what was there before.
        for left in (after[:cut], after[:cut] + before[cut:]):
            path.write_bytes(left)
            # What was cut off may be just what has been there before.
            whole = left[:length] == after[:length]
            assert number_of(tmp_path) == (3 if whole else 2)
    assert {record.levelname for record in caplog.records} <= {"INFO"}
    assert contents(tmp_path).keys() == set(NAMES)


@pytest.mark.parametrize("flip", [0x01, 0x20, 0xFF])
def test_a_flipped_byte_is_never_gone_on_from(tmp_path: Path, flip: int) -> None:
    """The state of the save before is loaded, wherever the byte is."""
    save(tmp_path, numbered(1), numbered(2))
    path = tmp_path / NAMES[1]
    whole = path.read_bytes()

    for place in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= flip
        path.write_bytes(spoilt)

        assert number_of(tmp_path) == 1


def test_a_torn_file_is_told_and_written_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After ``kill -9`` that is how it has to be."""
    caplog.set_level("INFO")
    save(tmp_path, numbered(1), numbered(2))
    os.truncate(tmp_path / NAMES[1], 100)

    save(tmp_path, numbered(3))

    assert number_of(tmp_path) == 3
    assert contents(tmp_path).keys() == set(NAMES)
    (told,) = caplog.records
    assert told.levelname == "INFO"
    assert "going on from the one before: checkpoint.1: holds " in told.message


def test_a_file_that_is_something_else_is_set_aside_beside_a_good_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A daemon that was killed does not leave that; somebody may want to look."""
    save(tmp_path, numbered(1), numbered(2))
    (tmp_path / NAMES[1]).write_bytes(b"mine")

    save(tmp_path, numbered(3))

    assert (tmp_path / "checkpoint.1.unusable").read_bytes() == b"mine"
    assert number_of(tmp_path) == 3
    (told,) = caplog.records
    assert told.levelname == "WARNING"
    assert "going on from the other: checkpoint.1: does not begin" in told.message


def test_a_whole_file_that_makes_no_sense_gives_way_to_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was written so, and yet no engine could go on from it."""
    save(tmp_path, numbered(1))
    spoil(tmp_path / NAMES[1], b"[]", serial=2)

    save(tmp_path, numbered(3))

    assert number_of(tmp_path) == 3
    assert "TypeError: not a JSON object" in caplog.text
    assert (tmp_path / "checkpoint.1.unusable").exists()


def test_the_single_file_of_before_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is neither read nor written, and nobody stumbles over it."""
    old = {"checkpoint": b'{"version": 2}', "checkpoint.new": b"{"}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)

    first = number_of(tmp_path)
    save(tmp_path, numbered(1))

    assert first is None
    assert number_of(tmp_path) == 1
    assert contents(tmp_path).items() >= old.items()
    assert not caplog.records


# --- files that cannot be used ----------------------------------------------


def test_without_a_file_everything_starts_from_zero(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first start after a boot is nothing to report."""
    assert Checkpoint(tmp_path, BOOT).load() is None
    assert not caplog.records


UNUSABLE = [
    b"",
    b"jouled checkpoint",
    b"jouled checkpoint 2 crc32 00000000 save 0000000000000001 bytes 0000000002\n{}",
    b"jouled checkpoint 3 crc32 00000000 save 0000000000000001 bytes 0000000003\n{}\n",
    b"jouled checkpoint 3 crc32 00000000 save 0000000000000001 bytes 9999999999\n{}\n",
    b"{",
    b"\xff\xfe",
    b'{"boot_id": "4b0c7f5e-boot", "version": 2}',
]


@pytest.mark.parametrize("content", UNUSABLE, ids=range(len(UNUSABLE)))
@pytest.mark.parametrize("names", [NAMES, NAMES[:1], NAMES[1:]], ids="+".join)
def test_an_unusable_file_is_set_aside_and_never_deleted(
    tmp_path: Path,
    content: bytes,
    names: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody may want to know what happened; the daemon starts all the same."""
    for name in names:
        (tmp_path / name).write_bytes(content)

    assert Checkpoint(tmp_path, BOOT).load() is None

    assert contents(tmp_path) == {f"{name}.unusable": content for name in names}
    (told,) = caplog.records
    assert told.levelname == "ERROR"
    assert "counters start from 0: " in told.message
    assert all(f"{name}: " in told.message for name in names)


NONSENSE = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b"[" * 100_000,
    b"{}",
    b'{"boot_id": "4b0c7f5e-boot"}',
]


@pytest.mark.parametrize("content", NONSENSE, ids=range(len(NONSENSE)))
def test_a_whole_file_without_sense_is_set_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Its checksum says only that it was written so."""
    spoil(tmp_path / NAMES[0], content)

    assert Checkpoint(tmp_path, BOOT).load() is None

    assert contents(tmp_path).keys() == {"checkpoint.0.unusable"}
    assert caplog.text.count("counters start from 0") == 1


def test_a_file_of_absurd_size_is_not_read_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every input has a bound."""
    spoil(tmp_path / NAMES[0], b"{}")
    whole = (tmp_path / NAMES[0]).read_bytes()
    huge = whole.replace(b"bytes 0000000003", b"bytes 0067108865")
    (tmp_path / NAMES[0]).write_bytes(huge)
    os.truncate(tmp_path / NAMES[0], 2**27)

    assert Checkpoint(tmp_path, BOOT).load() is None
    assert (tmp_path / "checkpoint.0.unusable").exists()
    assert "larger than 67108864 bytes" in caplog.text


def test_a_directory_in_its_place_is_set_aside(tmp_path: Path) -> None:
    """An unreadable file, in a form that root cannot read either."""
    for name in NAMES:
        (tmp_path / name).mkdir()

    assert Checkpoint(tmp_path, BOOT).load() is None
    assert all((tmp_path / f"{name}.unusable").is_dir() for name in NAMES)


def test_what_cannot_be_set_aside_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The next saves replace it."""
    for name in NAMES:
        (tmp_path / name).write_bytes(b"{")
        (tmp_path / f"{name}.unusable").mkdir()

    save(tmp_path, numbered(1), numbered(2))

    assert caplog.text.count("cannot set the checkpoint aside") == 2
    assert number_of(tmp_path) == 2


# --- files that cannot be written -------------------------------------------


def test_a_failure_to_write_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full tmpfs costs the memory of a crash, not the daemon."""
    caplog.set_level("INFO")
    run_dir = tmp_path / "run"
    with closing(Checkpoint(run_dir, BOOT)) as checkpoint:
        checkpoint.save(EngineState())
        told_at_once = caplog.text.count("cannot write checkpoint")
        checkpoint.save(EngineState())
        failed = checkpoint.error
        run_dir.mkdir()
        checkpoint.save(EngineState())

    assert "No such file" in failed
    assert checkpoint.error == ""
    assert told_at_once == caplog.text.count("cannot write checkpoint") == 1
    assert caplog.text.count("written again") == 1
    assert Checkpoint(run_dir, BOOT).load() is not None


def test_on_a_full_disk_the_last_whole_save_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is tried again: never in the file that is still good."""
    with closing(Checkpoint(tmp_path, BOOT)) as checkpoint:
        checkpoint.save(numbered(1))
        with short_of_room(400):
            for number in range(2, 9):
                checkpoint.save(numbered(number, 1000))
                told = checkpoint.error
                on_disk = number_of(tmp_path)
                assert ("File too large" in told, on_disk) == (True, 1)
        checkpoint.save(numbered(9, 1000))

    assert checkpoint.error == ""
    assert number_of(tmp_path) == 9
    assert caplog.text.count("cannot write checkpoint") == 1


@pytest.mark.parametrize("lost", [NAMES, NAMES[:1], NAMES[1:]], ids="+".join)
@pytest.mark.parametrize("saved", range(1, 11))
def test_a_file_that_was_removed_is_written_anew(
    tmp_path: Path, lost: tuple[str, ...], saved: int
) -> None:
    """Within ten saves, whenever that happens."""
    with closing(Checkpoint(tmp_path, BOOT)) as checkpoint:
        for number in range(saved):
            checkpoint.save(numbered(number))
        for name in lost:
            (tmp_path / name).unlink(missing_ok=True)
        for number in range(100, 111):
            checkpoint.save(numbered(number))

    assert checkpoint.error == ""
    assert contents(tmp_path).keys() == set(NAMES)
    assert number_of(tmp_path) == 110


@pytest.mark.parametrize("away", ["removed", "renamed"])
def test_a_run_directory_that_has_gone_is_told_until_it_is_there_again(
    tmp_path: Path, away: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody cleans up under a daemon that runs."""
    caplog.set_level("INFO")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    with closing(Checkpoint(run_dir, BOOT)) as checkpoint:
        for number in range(7):
            checkpoint.save(numbered(number))
        if away == "removed":
            shutil.rmtree(run_dir)
        else:
            run_dir.rename(tmp_path / "elsewhere")
        for number in range(10):
            checkpoint.save(numbered(number))
        failed = checkpoint.error
        run_dir.mkdir()
        checkpoint.save(numbered(99))

    assert "No such file" in failed
    assert checkpoint.error == ""
    assert number_of(run_dir) == 99
    assert caplog.text.count("cannot write checkpoint") == 1
    assert caplog.text.count("written again") == 1


def test_a_directory_in_the_way_is_told_until_it_has_gone(tmp_path: Path) -> None:
    """The other file is not taken for it: it holds the last whole save."""
    with closing(Checkpoint(tmp_path, BOOT)) as checkpoint:
        checkpoint.save(numbered(1))
        (tmp_path / NAMES[1]).mkdir()
        checkpoint.save(numbered(2))
        checkpoint.save(numbered(3))
        failed = checkpoint.error
        (tmp_path / NAMES[1]).rmdir()
        kept = number_of(tmp_path)
        checkpoint.save(numbered(4))

    assert "Is a directory" in failed
    assert checkpoint.error == ""
    assert (kept, number_of(tmp_path)) == (1, 4)


def test_closed_it_holds_no_file_open(tmp_path: Path) -> None:
    """Nor does reading leave one behind."""
    checkpoint = Checkpoint(tmp_path, BOOT)
    for number in range(20):
        checkpoint.save(numbered(number))
    in_use = open_files(tmp_path)
    number_of(tmp_path)
    read = open_files(tmp_path)
    checkpoint.close()

    assert in_use == read == [tmp_path / name for name in NAMES]
    assert open_files(tmp_path) == []
