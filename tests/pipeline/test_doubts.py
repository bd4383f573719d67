from dataclasses import dataclass, field

from exporter.core.errors import SourceFaultyError
from exporter.core.model import SourceInfo
from exporter.pipeline.lane import Lane


@dataclass
class _Doubtful:
    """A source that can be read, and doubts what it reads."""

    doubt: str = ""
    doubts: tuple[tuple[str, int], ...] = ()
    fails: bool = False
    info: SourceInfo = field(
        default_factory=lambda: SourceInfo("x", "workloads", "none", "none", "node")
    )

    def read(self) -> int:
        if self.fails:
            msg = "not now"
            raise SourceFaultyError(msg)
        return 1

    def close(self) -> None:
        """Hold nothing."""


def _read(lane: Lane[int]) -> tuple[int | None, dict[str, int], str]:
    lane.ask()
    lane.perform()
    value, status = lane.collect()
    return value, dict(status.errors), status.message


def test_doubts_are_counted_among_the_errors_of_a_source_that_is_up() -> None:
    """Conflicting evidence is no failure, and must not go unseen."""
    source = _Doubtful()
    errors: dict[str, int] = {}
    lane: Lane[int] = Lane(source, lambda: 0.0, errors)
    fine = _read(lane)
    source.doubt, source.doubts = "two jobs, one GPU", (("conflict", 2),)

    first = _read(lane)
    again = _read(lane)

    assert fine == (1, {}, "")
    assert first == again == (1, {"conflict": 2}, "two jobs, one GPU")


def test_doubts_add_up_with_what_was_counted_before() -> None:
    """Errors are counted since boot, over restarts of the daemon."""
    errors = {"conflict": 5, "faulty": 1}
    source = _Doubtful(doubts=(("conflict", 1),))
    lane: Lane[int] = Lane(source, lambda: 0.0, errors)
    _read(lane)
    source.doubts = (("conflict", 3), ("denied", 1))

    _, counted, _ = _read(lane)

    assert counted == {"conflict": 8, "faulty": 1, "denied": 1}


def test_a_failure_is_told_rather_than_a_doubt() -> None:
    """First things first."""
    source = _Doubtful(doubt="two jobs, one GPU", fails=True)
    lane: Lane[int] = Lane(source, lambda: 0.0, {})

    value, counted, message = _read(lane)

    assert (value, counted, message) == (None, {"faulty": 1}, "not now")
