import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from exporter.beside import Beside
from tests.fakes.waiting import wait_until

_LONG_S = 60.0


def _play(beside: Beside, story: Callable[[], Awaitable[object]]) -> None:
    """Let it work while a story is told, and stop it."""

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.ensure_future(beside.run(stop))
        async with asyncio.timeout(_LONG_S):
            await story()
            stop.set()
            await running

    asyncio.run(run())


class _Work:
    """Notes what becomes of it, and may crash."""

    def __init__(self, failures: int = 0) -> None:
        self.begun = 0
        self.ended = 0
        self.failures = failures
        self.crashed = asyncio.Event()
        self.again = asyncio.Event()

    async def __call__(self, stop: asyncio.Event) -> None:
        self.begun += 1
        if self.begun <= self.failures:
            self.crashed.set()
            msg = "t0ken"
            raise RuntimeError(msg)
        self.again.set()
        try:
            await stop.wait()
        finally:
            self.ended += 1


def test_work_goes_on_until_the_daemon_ends() -> None:
    """It is told, and given up if it does not listen."""
    work = _Work()

    _play(Beside(work), work.again.wait)

    assert (work.begun, work.ended) == (1, 1)


def test_work_that_is_exchanged_ends_before_the_next_begins() -> None:
    """Two that ask the same hub would ask it twice."""
    first, second = _Work(), _Work()
    beside = Beside(first)
    ended_first: list[int] = []

    async def story() -> None:
        await first.again.wait()
        beside.exchange(second)
        await second.again.wait()
        ended_first.append(first.ended)
        beside.exchange()

    _play(beside, story)

    assert ended_first == [1]
    assert (second.begun, second.ended) == (1, 1)


def test_a_crash_is_told_without_its_text_and_begun_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The text of an error may hold anything, and the daemon goes on."""
    work = _Work(failures=2)

    _play(Beside(work, again_after_s=0.01), work.again.wait)

    assert (work.begun, work.ended) == (3, 1)
    told = [record.__dict__ for record in caplog.records]
    assert [one["error"] for one in told] == ["RuntimeError", "RuntimeError"]
    assert all("test_beside.py:" in one["at"] for one in told)
    assert "t0ken" not in caplog.text


def test_other_work_begins_at_once_after_a_crash() -> None:
    """A configuration that was read again is tried at once."""
    crashing, good = _Work(failures=9), _Work()
    beside = Beside(crashing, again_after_s=_LONG_S)

    async def story() -> None:
        await crashing.crashed.wait()
        beside.exchange(good)
        await good.again.wait()

    _play(beside, story)

    assert good.begun == 1


def test_a_call_that_hangs_in_a_thread_is_not_waited_for() -> None:
    """A name server or a disk may hang for minutes; the end of the daemon not."""
    gate = threading.Event()
    called = asyncio.Event()

    async def work(stop: asyncio.Event) -> None:
        del stop
        hanging = asyncio.get_running_loop().run_in_executor(None, gate.wait, _LONG_S)
        called.set()
        await hanging

    beside = Beside(work)
    hung: list[bool] = []
    took_s: list[float] = []

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.ensure_future(beside.run(stop))
        await called.wait()
        begin_s = time.monotonic()
        stop.set()
        await running
        hung.append(beside.hangs(0.01))
        took_s.append(time.monotonic() - begin_s)
        gate.set()
        wait_until(lambda: not beside.hangs(0.01), "the call to end", _LONG_S)

    asyncio.run(run())

    assert hung == [True]
    assert took_s[0] < _LONG_S / 2


def test_without_work_there_are_no_threads() -> None:
    """Most daemons ask nobody."""
    beside = Beside()

    async def nothing() -> None:
        await asyncio.sleep(0)

    _play(beside, nothing)

    assert not beside.hangs(0.0)


def test_a_piece_of_work_that_crashes_ends_no_other() -> None:
    """A fault in one thing that is asked for leaves the rest alone."""
    crashing, good = _Work(failures=9), _Work()

    async def story() -> None:
        await crashing.crashed.wait()
        await good.again.wait()

    _play(Beside(crashing, good, again_after_s=_LONG_S), story)

    assert (crashing.begun, good.begun, good.ended) == (1, 1, 1)


def test_each_piece_of_work_is_begun_again_by_itself() -> None:
    """While the others go on as they were."""
    crashing, good = _Work(failures=2), _Work()

    _play(Beside(good, crashing, again_after_s=0.01), crashing.again.wait)

    assert (crashing.begun, good.begun) == (3, 1)
