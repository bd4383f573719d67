import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from exporter.core.model import SourceInfo
from exporter.pipeline.crew import Crew
from exporter.pipeline.lane import Lane
from tests.fakes.waiting import wait_until

# Longer than any machine sleeps; nothing waits for so long unless it is broken.
LONG_S = 60.0


@dataclass
class Gated:
    """A source whose reading does not return before its gate is open.

    It may open the gate of another.
    """

    name: str
    gate: threading.Event = field(default_factory=threading.Event)
    opens: threading.Event | None = None
    calls: int = 0
    read_by: int = 0

    @property
    def info(self) -> SourceInfo:
        """Nothing in particular."""
        return SourceInfo(self.name, "", "none", "none", "node")

    def read(self) -> str:
        """Wait for its gate."""
        self.calls += 1
        self.read_by = threading.get_ident()
        if self.opens is not None:
            self.opens.set()
        self.gate.wait(LONG_S)
        return self.name

    def close(self) -> None:
        """Hold nothing."""


@contextmanager
def hired() -> Iterator[tuple[Crew, list[Gated], list[Lane[str]]]]:
    """Return a crew and five sources with their gates open; end all threads."""
    before = set(threading.enumerate())
    crew = Crew(time.monotonic)
    sources = [Gated(name) for name in "abcde"]
    for source in sources:
        source.gate.set()
    try:
        yield crew, sources, [Lane(one, time.monotonic, {}) for one in sources]
    finally:
        for source in sources:
            source.gate.set()

        def all_ended() -> bool:
            crew.dismiss()
            return set(threading.enumerate()) <= before

        wait_until(all_ended, "no thread is left", LONG_S)


def work(crew: Crew, lanes: list[Lane[str]], wait_s: float = LONG_S) -> list[str]:
    """Have lanes read, and return what came, "-" for what did not."""
    crew.perform(lanes, time.monotonic() + wait_s)
    return [lane.collect()[0] or "-" for lane in lanes]


def work_until_asked(crew: Crew, lanes: list[Lane[str]], hanging: Gated) -> list[str]:
    """Have lanes read until somebody has begun to read one that hangs."""
    said = work(crew, lanes, wait_s=1.0)
    while not hanging.calls:
        said = work(crew, lanes, wait_s=1.0)
    return said


def test_one_worker_reads_all_sources() -> None:
    """Waking a thread for each would cost more than the readings.

    In one of many ticks at least: a worker that the machine does not let run
    for a while looks as if its source hung.
    """
    with hired() as (crew, sources, lanes):
        work(crew, lanes)

        def one_reads_all() -> bool:
            return work(crew, lanes) == list("abcde") and (
                len({source.read_by for source in sources}) == 1
            )

        wait_until(one_reads_all, "one worker reads all", LONG_S)


def test_nothing_to_read_needs_no_worker() -> None:
    """As on the first tick of a machine without anything."""
    with hired() as (crew, _, _lanes):
        threads = threading.active_count()

        assert work(crew, []) == []
        assert threading.active_count() == threads


def test_a_source_that_hangs_holds_up_nobody() -> None:
    """Rule 5: the first can go on only because the last has been read."""
    with hired() as (crew, sources, lanes):
        sources[0].gate.clear()
        sources[4].opens = sources[0].gate

        assert work(crew, lanes) == list("abcde")


def test_sources_that_hang_together_hold_up_nobody_either() -> None:
    """A worker for each of them, and one that goes on."""
    with hired() as (crew, sources, lanes):
        gate = threading.Event()
        for one in (0, 1, 3):
            sources[one].gate = gate
        sources[4].opens = gate
        threads = threading.active_count()

        said = work(crew, lanes)

        assert said == list("abcde")
        assert threads < threading.active_count() <= threads + len(sources)


def test_a_source_that_hangs_is_missing_and_is_left_alone() -> None:
    """It is asked once, and later ticks do not wait for it."""
    with hired() as (crew, sources, lanes):
        sources[2].gate.clear()
        threads = threading.active_count()
        first = work_until_asked(crew, lanes, sources[2])

        later = [work(crew, lanes) for _ in range(3)]

        assert first[2] == "-"
        assert later == [["a", "b", "-", "d", "e"]] * 3
        assert sources[2].calls == 1
        assert threading.active_count() <= threads + len(sources)


def test_a_source_that_hung_comes_back_with_its_worker() -> None:
    """Threads are used again, not piled up."""
    with hired() as (crew, sources, lanes):
        threads = threading.active_count()
        sources[0].gate.clear()
        work_until_asked(crew, lanes, sources[0])
        sources[0].gate.set()
        wait_until(lambda: work(crew, lanes) == list("abcde"), "it is back", LONG_S)

        said = [work(crew, lanes) for _ in range(20)]

        assert said == [list("abcde")] * 20
        assert threading.active_count() <= threads + len(sources)


def test_what_nobody_had_the_time_for_is_asked_again() -> None:
    """A deadline that has passed leaves no source asked for ever."""
    with hired() as (crew, sources, lanes):
        sources[0].gate.clear()

        hurried = work(crew, lanes, wait_s=-1.0)
        sources[0].gate.set()

        assert hurried[0] == "-"
        wait_until(lambda: work(crew, lanes) == list("abcde"), "all answer", LONG_S)


def test_a_crew_that_is_dismissed_leaves_only_those_that_hang() -> None:
    """They end when their call does, or with the process."""
    with hired() as (crew, sources, lanes):
        before = set(threading.enumerate())
        sources[0].gate.clear()
        work_until_asked(crew, lanes, sources[0])

        crew.dismiss()
        crew.dismiss()

        wait_until(
            lambda: len(set(threading.enumerate()) - before) == 1,
            "only the one that hangs is left",
            LONG_S,
        )
        assert all(one.daemon for one in set(threading.enumerate()) - before)
