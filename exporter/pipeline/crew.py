"""Worker threads, as many as it takes: one, and one more per call that hangs.

Waking a thread costs more than most readings, so one worker reads the sources
in turn. If it gets nowhere for a moment, the source it is at hangs: the worker
is left with it, and another takes the rest of the turn over. So a hung call
delays the others by that moment in its first tick, and by nothing later, since
its lane is not asked again before it answers.

Two bare locks hand the work over: an event or a queue would cost more.
"""

import _thread
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from exporter.pipeline.lane import Lane

_LONGEST_PATIENCE_S = 0.05
_PATIENCE_PER_DEADLINE = 0.2


class _Worker:
    """A thread that works off a queue each time it is told to."""

    def __init__(self, name: str) -> None:
        self.taken = 0
        self._go = _thread.allocate_lock()
        self._go.acquire()
        self._done = _thread.allocate_lock()
        self._done.acquire()
        self._queue: deque[Lane[Any]] | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def start(self, queue: deque[Lane[Any]]) -> None:
        """Work the queue off; only when the last one is finished."""
        self._queue = queue
        self._go.release()

    def finished(self, timeout_s: float) -> bool:
        """Whether it has found its queue empty, or does within ``timeout_s``."""
        return self._done.acquire(timeout=max(0.0, timeout_s))

    def dismiss(self) -> None:
        """Let the thread end; only when the last queue is finished."""
        self._queue = None
        self._go.release()

    def _work(self) -> None:
        while True:
            self._go.acquire()
            queue = self._queue
            if queue is None:
                return
            while queue:
                try:
                    lane = queue.popleft()
                except IndexError:
                    # Another worker took the last one.
                    break
                self.taken += 1
                lane.perform()
            self._done.release()


class Crew:
    """Has lanes read, by a deadline; one caller at a time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._idle: list[_Worker] = []
        self._away: list[_Worker] = []
        self._hired = 0

    def perform(self, lanes: Iterable[Lane[Any]], until_s: float) -> None:
        """Read the lanes that can be asked; return when all are, or at a time.

        Args:
            lanes: in the order in which they are to be read.
            until_s: monotonic time, s.
        """
        queue = deque([lane for lane in lanes if lane.ask()])
        if not queue:
            return
        begin_s = self._monotonic()
        patience_s = min(
            _LONGEST_PATIENCE_S, (until_s - begin_s) * _PATIENCE_PER_DEADLINE
        )
        engaged = [self._engage(queue)]
        while (left_s := until_s - self._monotonic()) > 0:
            taken = engaged[-1].taken
            if engaged[-1].finished(min(patience_s, left_s)):
                self._idle.append(engaged.pop())
                break
            if queue and engaged[-1].taken == taken:
                engaged.append(self._engage(queue))
        for worker in engaged:
            done = worker.finished(until_s - self._monotonic())
            (self._idle if done else self._away).append(worker)
        _withdraw(queue)

    def dismiss(self) -> None:
        """Let the threads end; those that hang end with the process."""
        self._take_back()
        for worker in self._idle:
            worker.dismiss()
        self._idle.clear()

    def _engage(self, queue: deque[Lane[Any]]) -> _Worker:
        self._take_back()
        if self._idle:
            worker = self._idle.pop()
        else:
            self._hired += 1
            worker = _Worker(f"reader-{self._hired}")
        worker.start(queue)
        return worker

    def _take_back(self) -> None:
        back = [worker for worker in self._away if worker.finished(0)]
        self._away = [worker for worker in self._away if worker not in back]
        self._idle += back


def _withdraw(queue: deque[Lane[Any]]) -> None:
    """Take back what nobody has begun, racing with workers that come late."""
    while queue:
        try:
            queue.popleft().withdraw()
        except IndexError:
            return
