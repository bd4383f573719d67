"""The tick: sample, fold, checkpoint, publish; once per interval, without drift."""

import _thread
import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter.core.model import SourceInfo, SourceStatus
from exporter.core.ports import IntensitySource, PueSource
from exporter.core.snapshot import HistoryPoint, Snapshot
from exporter.core.units import Seconds
from exporter.pipeline.checkpoint import Checkpoint
from exporter.pipeline.engine import Engine
from exporter.pipeline.idle_store import IdleStore
from exporter.pipeline.recorder import JobRecorder
from exporter.pipeline.sampler import Sampler
from exporter.pipeline.state import EngineSettings

_log = logging.getLogger(__name__)

_HISTORY_S = 600
_KEEP_IDLE_EVERY_S = 300.0
# The daemon waits longer than this for the tick to end.
_CLOSE_ARCHIVE_S = 1.0
_CHECKPOINT = SourceInfo("checkpoint", "", "none", "none", "node")


@dataclass(frozen=True, slots=True)
class Live:
    """What a reload may exchange while the daemon runs.

    Attributes:
        settings: what the operator decides.
        intensity: the carbon intensity in force.
        pue: the power usage effectiveness in force.
        beside: what goes on in an event loop until the event is set, such as
            keeping the intensity up to date.
    """

    settings: EngineSettings
    intensity: IntensitySource
    pue: PueSource
    beside: tuple[Callable[[asyncio.Event], Awaitable[None]], ...] = ()


class Publisher:
    """Holds the last snapshot and the recent past for any number of readers.

    Args:
        interval_s: time between two snapshots, s.
        on_publish: called after each one, by the thread that publishes.
    """

    def __init__(
        self, interval_s: float, on_publish: Callable[[], None] = lambda: None
    ) -> None:
        self._latest: Snapshot | None = None
        self._on_publish = on_publish
        length = max(2, int(_HISTORY_S / interval_s))
        self._history: deque[HistoryPoint] = deque(maxlen=length)

    def publish(self, snapshot: Snapshot) -> None:
        """Exchange the snapshot in one step."""
        self._history.append(
            HistoryPoint(
                snapshot.unix_s,
                snapshot.node_power_w,
                tuple(
                    (c.component, c.power_w)
                    for c in snapshot.components
                    if c.power_w is not None
                ),
                snapshot.intensity.value,
            )
        )
        self._latest = snapshot
        self._on_publish()

    def latest(self) -> Snapshot | None:
        """Return the last snapshot; ``None`` before the first tick is done."""
        return self._latest

    def history(self) -> tuple[HistoryPoint, ...]:
        """Return the last ten minutes, oldest first."""
        return tuple(self._history)


class Runner:
    """Runs the ticks in the thread that calls ``run``."""

    def __init__(  # noqa: PLR0913 - one argument per part it ties together
        self,
        sampler: Sampler,
        engine: Engine,
        publisher: Publisher,
        *,
        checkpoint: Checkpoint | None = None,
        idle_store: IdleStore | None = None,
        recorder: JobRecorder | None = None,
        give_up: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sampler = sampler
        self._engine = engine
        self._publisher = publisher
        self._checkpoint = checkpoint
        self._idle_store = idle_store
        self._recorder = recorder
        self._give_up = give_up
        self._monotonic = monotonic
        self._live: Live | None = None
        self._applied: Live | None = None
        # A bare lock: waiting on it with a timeout is one system call a tick.
        self._running = _thread.allocate_lock()
        self._running.acquire()

    def apply(self, live: Live) -> None:
        """Use other settings from the next tick on; any thread may call it."""
        self._live = live

    def stop(self) -> None:
        """Let ``run`` return after the tick it is in; any thread may call it."""
        # Unlocked already: it has been told.
        with contextlib.suppress(RuntimeError):
            self._running.release()

    def run(self) -> None:
        """Tick until stopped, or until ``give_up`` says so; close the sources."""
        interval_s = self._sampler.interval_s
        next_s = self._monotonic()
        keep_idle_s = next_s + _KEEP_IDLE_EVERY_S
        try:
            while True:
                self.tick()
                next_s += interval_s
                now_s = self._monotonic()
                if now_s > next_s:
                    missed = int((now_s - next_s) / interval_s) + 1
                    self._engine.state.missed_ticks += missed
                    next_s += missed * interval_s
                if now_s >= keep_idle_s:
                    keep_idle_s = now_s + _KEEP_IDLE_EVERY_S
                    self._keep_idle()
                if self._give_up():
                    break
                if self._running.acquire(timeout=max(0.0, next_s - now_s)):
                    break
        finally:
            self._keep_idle()
            if self._checkpoint is not None:
                self._checkpoint.close()
            self._sampler.close()
            if self._recorder is not None:
                self._recorder.close(self._engine.state.ledger, _CLOSE_ARCHIVE_S)

    def tick(self) -> Snapshot:
        """Do one tick and return what was published."""
        begin_s = self._monotonic()
        self._take_live()
        sample = self._sampler.sample(self._engine.state.missed_ticks)
        snapshot = self._engine.fold(sample)
        sources = snapshot.sources
        if self._checkpoint is not None:
            self._checkpoint.save(self._engine.state)
            sources = (*sources, _status(self._checkpoint.error))
        if self._recorder is not None:
            engine = self._engine
            self._recorder.after_tick(
                engine.state.ledger, engine.ended, sample.time_s, sample.unix_s
            )
            sources = (*sources, self._recorder.status)
        duration_s = Seconds(self._monotonic() - begin_s)
        snapshot = snapshot._replace(sources=sources, tick_duration_s=duration_s)
        self._publisher.publish(snapshot)
        return snapshot

    def _take_live(self) -> None:
        live = self._live
        if live is self._applied or live is None:
            return
        self._applied = live
        self._engine.settings = live.settings
        self._sampler.intensity = live.intensity
        self._sampler.pue = live.pue

    def _keep_idle(self) -> None:
        if self._idle_store is not None:
            self._idle_store.save(self._engine.state.learners)


def _status(error: str) -> SourceStatus:
    return SourceStatus(
        _CHECKPOINT, up=not error, reason="faulty" if error else "", message=error
    )
