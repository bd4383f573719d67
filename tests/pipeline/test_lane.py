import time
from dataclasses import dataclass

import pytest

from exporter.core.errors import SourceAbsentError, SourceDeniedError, SourceFaultyError
from exporter.core.model import SourceInfo
from exporter.pipeline.lane import Lane


@dataclass
class Counting:
    """A source that counts its readings, or fails."""

    failure: BaseException | None = None
    calls: int = 0
    closes: int = 0

    @property
    def info(self) -> SourceInfo:
        """Nothing in particular."""
        return SourceInfo("counting", "", "none", "none", "node")

    def read(self) -> int:
        """Return how often it was read."""
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        return self.calls

    def close(self) -> None:
        """Count it."""
        self.closes += 1


@dataclass
class Doubting(Counting):
    """A source that answers, and doubts what it says."""

    doubt: str = ""
    doubts: tuple[tuple[str, int], ...] = ()


def lane_of(source: Counting, errors: dict[str, int] | None = None) -> Lane[int]:
    """Return a lane by the real clock."""
    return Lane(source, time.monotonic, {} if errors is None else errors)


def read(lane: Lane[int]) -> int | None:
    """Let a lane do a whole turn."""
    assert lane.ask()
    lane.perform()
    return lane.collect()[0]


# --- reading ----------------------------------------------------------------


def test_a_reading_is_what_the_source_returned() -> None:
    """And the status says so."""
    lane = lane_of(Counting())
    lane.ask()
    lane.perform()

    value, status = lane.collect()

    assert value == 1
    assert status.up
    assert (status.reason, status.message) == ("", "")
    assert status.info.name == "counting"
    assert status.read_duration_s >= 0
    assert status.errors == ()


def test_a_reading_takes_as_long_as_the_clock_says() -> None:
    """It is a metric, to find the slow ones."""
    times = iter([5.0, 5.25])
    lane = Lane(Counting(), lambda: next(times), {})
    lane.ask()
    lane.perform()

    _, status = lane.collect()

    assert status.read_duration_s == 0.25


@pytest.mark.parametrize(
    ("failure", "reason", "message"),
    [
        (SourceFaultyError("no number in x"), "faulty", "no number in x"),
        (SourceDeniedError("may not read x"), "denied", "may not read x"),
        (ZeroDivisionError("oops"), "faulty", "ZeroDivisionError: oops"),
        (MemoryError(), "faulty", "MemoryError: "),
    ],
)
def test_a_failure_is_a_status_and_is_counted(
    failure: Exception, reason: str, message: str
) -> None:
    """Rule 5: whatever a source raises, it is missing and nothing else happens."""
    lane = lane_of(Counting(failure))
    read(lane)
    lane.ask()
    lane.perform()

    value, status = lane.collect()

    assert value is None
    assert not status.up
    assert (status.reason, status.message) == (reason, message)
    assert status.errors == ((reason, 2),)


def test_a_source_that_works_again_is_up_and_keeps_its_count() -> None:
    """Rule 7: an error counter never falls either."""
    source = Counting(SourceFaultyError("once"))
    lane = lane_of(source)
    read(lane)
    source.failure = None
    lane.ask()
    lane.perform()

    value, status = lane.collect()

    assert value == 2
    assert status.up
    assert status.errors == (("faulty", 1),)


def test_errors_go_on_from_those_that_were_counted_before() -> None:
    """A restart of the daemon forgets none."""
    errors = {"faulty": 41}

    read(lane_of(Counting(SourceFaultyError("again")), errors))

    assert errors == {"faulty": 42}


def test_absence_is_no_error() -> None:
    """A machine without a GPU is in order."""
    lane = lane_of(Counting(SourceAbsentError("no x")))
    lane.ask()
    lane.perform()

    _, status = lane.collect()

    assert not status.up
    assert status.reason == "absent"
    assert status.errors == ()


# --- sources that hang ------------------------------------------------------


def test_a_source_that_has_not_answered_is_late_and_is_not_asked_again() -> None:
    """Rule 5: one call at a time, however long it takes."""
    lane = lane_of(Counting())
    lane.ask()
    first = lane.collect()[1]

    asked_again = lane.ask()
    value, second = lane.collect()

    assert not asked_again
    assert value is None
    assert (first.reason, second.reason) == ("timeout", "timeout")
    assert second.errors == (("timeout", 2),)


def test_what_a_source_says_late_is_dropped() -> None:
    """The next reading is fresher."""
    lane = lane_of(Counting())
    lane.ask()
    lane.collect()
    lane.perform()

    lane.ask()
    before, _ = lane.collect()
    lane.perform()
    after, status = lane.collect()

    assert before is None
    assert after == 2
    assert status.up


def test_a_reading_is_told_once() -> None:
    """A lane that nobody had the time for has no reading; not the last one again."""
    lane = lane_of(Counting())
    read(lane)
    lane.ask()
    lane.withdraw()

    value, status = lane.collect()

    assert value is None
    assert status.reason == "timeout"
    assert read(lane) == 2


# --- sources that doubt -----------------------------------------------------


def test_a_doubt_is_told_and_counted_of_a_source_that_is_up() -> None:
    """Two of one kind, then one more and one of another."""
    source = Doubting(doubt="two jobs claim one GPU", doubts=(("conflict", 2),))
    lane = lane_of(source)
    lane.ask()
    lane.perform()
    _, first = lane.collect()

    source.doubts = (("conflict", 3), ("stale", 1))
    lane.ask()
    lane.perform()
    _, second = lane.collect()
    _, again = lane.collect()

    assert first.up
    assert first.message == "two jobs claim one GPU"
    assert first.errors == (("conflict", 2),)
    assert second.errors == again.errors == (("conflict", 3), ("stale", 1))


# --- the end ----------------------------------------------------------------


def test_closing_a_lane_closes_its_source_once() -> None:
    """However often it is told to."""
    source = Counting()
    lane = lane_of(source)

    lane.close()
    lane.close()

    assert source.closes == 1


def test_a_source_that_hangs_is_closed_when_it_returns() -> None:
    """Not under its hands: the call may be using what would be closed."""
    source = Counting()
    lane = lane_of(source)
    lane.ask()

    lane.close()
    closed_early = source.closes
    lane.perform()

    assert closed_early == 0
    assert source.closes == 1
