import select
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.workloads.inotify import Event, Inotify

_GENEROUS_MS = 30_000


@pytest.fixture
def inotify() -> Iterator[Inotify]:
    """Return a new instance."""
    with closing(Inotify()) as new:
        yield new


def _wait(inotify: Inotify) -> list[Event]:
    """Wait until there are events, and return them."""
    poll = select.poll()
    poll.register(inotify.fileno(), select.POLLIN)
    assert poll.poll(_GENEROUS_MS), "nothing happened"
    return inotify.read()


def test_what_is_made_and_removed_is_told_in_order(
    inotify: Inotify, tmp_path: Path
) -> None:
    """A job that comes and goes within a tick is seen by this alone."""
    watch = inotify.watch(tmp_path)
    (tmp_path / "job_1").mkdir()
    (tmp_path / "job_1").rmdir()

    events = _wait(inotify)

    assert events == [
        Event(watch, "job_1", is_there=True, is_over=False),
        Event(watch, "job_1", is_there=False, is_over=False),
    ]


def test_a_file_that_is_moved_in_is_told_as_made(
    inotify: Inotify, tmp_path: Path
) -> None:
    """A Prolog writes by rename."""
    inside = tmp_path / "inside"
    inside.mkdir()
    new = tmp_path / "new"
    new.write_text("x")
    inotify.watch(inside)
    new.rename(inside / "42")

    (event,) = _wait(inotify)

    assert event.name == "42"
    assert event.is_there


def test_to_watch_again_is_the_same_watch(inotify: Inotify, tmp_path: Path) -> None:
    """Whoever looks at everything now and then need not remember what is watched."""
    assert inotify.watch(tmp_path) == inotify.watch(tmp_path)


def test_a_directory_that_goes_ends_its_watch(inotify: Inotify, tmp_path: Path) -> None:
    """So nothing is kept of directories that are gone."""
    directory = tmp_path / "uid_1"
    directory.mkdir()
    watch = inotify.watch(directory)
    directory.rmdir()

    events = _wait(inotify)

    assert events[-1] == Event(watch, "", is_there=False, is_over=True)


def test_a_directory_that_is_gone_cannot_be_watched(
    inotify: Inotify, tmp_path: Path
) -> None:
    """It may go between being listed and being watched."""
    with pytest.raises(FileNotFoundError):
        inotify.watch(tmp_path / "gone")


def test_reading_never_waits(inotify: Inotify) -> None:
    """A tick has a deadline."""
    assert inotify.read() == []


def test_thousands_of_events_are_all_read(inotify: Inotify, tmp_path: Path) -> None:
    """More than fit into one read."""
    inotify.watch(tmp_path)
    names = [f"job_{number:05}" for number in range(4000)]
    for name in names:
        (tmp_path / name).mkdir()

    told: list[str] = []
    while len(told) < len(names):
        told += [event.name for event in _wait(inotify)]

    assert told == names
