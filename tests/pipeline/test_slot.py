import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.pipeline.slot import Saved, Slot, TornError
from tests.fakes.short_of_room import short_of_room

SHORT = b'{"a":1}'
LONG = b'{"a":[%b]}' % b",".join(b"%d" % n for n in range(90))


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    """Return a file that is not there yet."""
    with closing(Slot(tmp_path / "slot")) as one:
        yield one


def written(path: Path, saved: Saved) -> bytes:
    """Return the bytes of a file after a save."""
    with closing(Slot(path)) as slot:
        slot.write(saved)
    return path.read_bytes()


@given(contents=st.lists(st.binary(max_size=300), min_size=1, max_size=6))
def test_what_was_written_last_is_read(contents: list[bytes]) -> None:
    """However long the content before it was, and whatever is in it."""
    with TemporaryDirectory() as name, closing(Slot(Path(name) / "slot")) as slot:
        for serial, content in enumerate(contents):
            slot.write(Saved(serial, content))

            assert slot.read() == Saved(serial, content)


def test_the_first_line_tells_what_follows(slot: Slot) -> None:
    """Somebody looks at it with the tools of any machine."""
    slot.write(Saved(7, LONG))
    slot.write(Saved(8, SHORT))

    head, content, *_ = slot.path.read_bytes().split(b"\n")
    assert head.startswith(b"jouled checkpoint 3 crc32 ")
    assert head.endswith(b" save 0000000000000008 bytes 0000000008")
    assert content == SHORT


def test_a_file_of_other_rights_is_closed_to_others(slot: Slot) -> None:
    """It tells who runs what, also if somebody has put it there."""
    slot.path.touch()
    slot.path.chmod(0o644)

    slot.write(Saved(1, SHORT))

    assert slot.path.stat().st_mode & 0o777 == 0o600


# --- writes that were cut short ---------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", SHORT), (b"", LONG), (SHORT, LONG), (LONG, SHORT), (LONG, LONG[::-1])],
    ids=["short", "long", "longer", "shorter", "as long"],
)
def test_a_write_cut_anywhere_is_torn_or_was_not_begun(
    tmp_path: Path, before: bytes, after: bytes
) -> None:
    """It is never taken for the new content, nor for a mixture of both."""
    path = tmp_path / "slot"
    old = written(path, Saved(1, before)) if before else b""
    new = written(path, Saved(3, after))[
        : len(written(tmp_path / "x", Saved(3, after)))
    ]

    for cut in range(len(new)):
        left = new[:cut] + old[cut:]
        path.write_bytes(left)
        if left[: len(new)] == new:
            # What was missing is what has been there before.
            assert Slot(path).read() == Saved(3, after)
        elif left == old and old:
            assert Slot(path).read() == Saved(1, before)
        else:
            with pytest.raises(TornError):
                Slot(path).read()


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_flipped_byte_is_noticed_wherever_it_is(tmp_path: Path, flip: int) -> None:
    """Also in the number of the save, which decides which file is the last."""
    path = tmp_path / "slot"
    whole = written(path, Saved(3, LONG))

    for place in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= flip
        path.write_bytes(spoilt)
        with pytest.raises(ValueError, match=r"begin|line|bytes|checksum"):
            Slot(path).read()


def test_a_length_beyond_all_bounds_is_not_read(tmp_path: Path) -> None:
    """Every input has a bound."""
    path = tmp_path / "slot"
    whole = written(path, Saved(3, SHORT))
    path.write_bytes(whole.replace(b"bytes 0000000008", b"bytes 0067108865"))
    os.truncate(path, 2**27)

    with pytest.raises(TornError, match="larger than 67108864 bytes"):
        Slot(path).read()


def test_a_write_for_which_there_is_no_room_fails_and_is_torn(slot: Slot) -> None:
    """A part of it is never taken for the whole."""
    slot.write(Saved(1, SHORT))
    with short_of_room(100), pytest.raises(OSError, match="File too large"):
        slot.write(Saved(3, LONG))

    with pytest.raises(TornError, match="holds 26 of"):
        slot.read()

    slot.write(Saved(3, LONG))
    assert slot.read() == Saved(3, LONG)


# --- what else may have that name -------------------------------------------


def test_a_pipe_is_not_waited_for(slot: Slot) -> None:
    """Nor is anything written to whoever reads it."""
    os.mkfifo(slot.path)

    with pytest.raises(OSError, match="Illegal seek"):
        slot.read()
    with pytest.raises(OSError, match="Illegal seek"):
        slot.write(Saved(1, SHORT))


def test_a_link_is_not_followed(slot: Slot, tmp_path: Path) -> None:
    """Whatever it points to is somebody else's."""
    other = tmp_path / "other"
    whole = written(other, Saved(1, SHORT))
    slot.path.symlink_to(other)

    with pytest.raises(OSError, match="symbolic links"):
        slot.read()
    with pytest.raises(OSError, match="symbolic links"):
        slot.write(Saved(2, SHORT))
    assert other.read_bytes() == whole


# --- a file that is taken away ----------------------------------------------


def test_a_file_that_has_gone_or_been_replaced_is_lost(
    slot: Slot, tmp_path: Path
) -> None:
    """What is written to it would never be found."""
    lost = [slot.is_lost()]
    slot.write(Saved(1, SHORT))
    lost.append(slot.is_lost())
    slot.path.unlink()
    lost.append(slot.is_lost())
    written(slot.path, Saved(9, LONG))
    lost.append(slot.is_lost())
    slot.close()
    slot.write(Saved(2, SHORT))
    lost.append(slot.is_lost())

    assert lost == [False, False, True, True, False]
    assert slot.read() == Saved(2, SHORT)
    assert [path.name for path in tmp_path.iterdir()] == ["slot"]
