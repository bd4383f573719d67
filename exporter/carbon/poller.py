"""Asks the providers, each at its time, and hands on what they tell.

One task sleeps until the next call is due, on one timer; nothing else wakes it.
Providers are asked side by side, the zones of one provider one after the other,
and nobody is asked again while an answer is outstanding. What goes wrong is said
once when it begins and once when it ends, and is counted each time.

A configuration that is read again takes a new poller: with it a provider that
refused us is asked at once.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from exporter.carbon.errors import ImplausibleError, ProviderError
from exporter.carbon.feed import (
    FAILED,
    OK,
    OUTCOMES,
    STALE,
    Feed,
    FeedStatus,
    Line,
    lines_of,
)
from exporter.carbon.last_good import LastGood
from exporter.carbon.live import LiveIntensity
from exporter.carbon.observation import Report
from exporter.carbon.provider import Web
from exporter.carbon.standing import Kept
from exporter.core.model import FetchCount
from exporter.core.units import Seconds


async def sleep_until_told(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not longer than until ``stop`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()


@dataclass(frozen=True, slots=True)
class Time:
    """The clocks, and how to wait for them.

    Attributes:
        unix: the wall clock, s: slots of data, and what is shown.
        monotonic: the clock that nobody sets, s: when a call is due.
        sleep: sleeps for so many seconds, but not after the event is set.
    """

    unix: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[asyncio.Event, float], Awaitable[None]] = sleep_until_told


_REAL_TIME = Time()


class Poller:
    """Keeps the values of some grid zones up to date.

    Args:
        feeds: who is asked, and what for.
        sinks: where values go, one for each zone and signal that is asked for.
        open_web: opens the way to the providers, for as long as it runs.
        store: where the last good values are kept; ``None``: nowhere. What it
            holds is in the sinks as soon as this is built.
        counts: fetches so far by provider and outcome, counted in place. Other
            threads may copy it, and do nothing else with it.
        clocks: what time it is.
        chance: draws a number 0..1. A node that is one of many returns a number
            made of its name instead, so that they spread evenly and always.
        start_within_s: the first calls are spread over this time, s.

    Raises:
        ValueError: there is no sink for something that is asked for.
    """

    def __init__(  # noqa: PLR0913 - the last three are the world, given by tests
        self,
        feeds: Sequence[Feed],
        sinks: Iterable[LiveIntensity],
        open_web: Callable[[], AbstractAsyncContextManager[Web]],
        *,
        store: LastGood | None = None,
        counts: dict[tuple[str, str], int] | None = None,
        clocks: Time = _REAL_TIME,
        chance: Callable[[], float] = random.random,
        start_within_s: float = 0.0,
    ) -> None:
        self._sinks: Mapping[tuple[str, str], LiveIntensity] = {
            (sink.zone, sink.signal): sink for sink in sinks
        }
        self._open_web = open_web
        self._store = store
        self._stored: tuple[Kept, ...] = ()
        self._clocks = clocks
        self._chance = chance
        self._lines = [line for feed in feeds for line in lines_of(feed)]
        self._counts = {} if counts is None else counts
        for line in self._lines:
            for outcome in OUTCOMES:
                self._counts.setdefault((line.traits.name, outcome), 0)
        self._by_zone: dict[str, list[Line]] = {}
        for line in self._lines:
            for zone in line.zones if not line.is_forecast else ():
                self._by_zone.setdefault(zone, []).append(line)
        self._check_sinks()
        self._restore()
        for line in self._lines:
            self._begin(line, start_within_s)

    @property
    def counts(self) -> tuple[FetchCount, ...]:
        """Fetches by provider and outcome; all outcomes are there from the start."""
        return tuple(
            FetchCount(provider, outcome, fetches)
            for (provider, outcome), fetches in self._counts.items()
        )

    @property
    def statuses(self) -> tuple[FeedStatus, ...]:
        """How each thing that is asked for is doing."""
        return tuple(line.status for line in self._lines)

    @property
    def overdue_s(self) -> float:
        """For how long a call has been due that was not made, s; 0 if none is.

        A call that is under way counts as not made.
        """
        now_s = self._clocks.monotonic()
        first_s = min((line.due_s for line in self._lines), default=now_s)
        return max(0.0, now_s - first_s)

    def next_unix_s(self, zone: str) -> Seconds | None:
        """When a value of a zone is asked for next; ``None``: never."""
        lines = self._by_zone.get(zone, ())
        return min((line.next_unix_s for line in lines), default=None)

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until told to stop; what is outstanding then is given up."""
        if not self._lines:
            return
        async with self._open_web() as web:
            while not stop.is_set():
                due_s = min(line.due_s for line in self._lines)
                await self._clocks.sleep(stop, due_s - self._clocks.monotonic())
                if not stop.is_set():
                    await _unless_told(stop, self.ask_who_is_due(web))

    async def ask_who_is_due(self, web: Web) -> None:
        """Make every call that is due, and keep what was told."""
        now_s = self._clocks.monotonic()
        due: dict[str, list[Line]] = {}
        for line in self._lines:
            if line.due_s <= now_s:
                due.setdefault(line.traits.name, []).append(line)
        if not due:
            return
        await asyncio.gather(*(self._ask_in_turn(web, one) for one in due.values()))
        values = tuple(kept for sink in self._sinks.values() for kept in sink.kept())
        store = self._store
        if store is not None and values != self._stored and await store.keep(values):
            self._stored = values

    async def _ask_in_turn(self, web: Web, lines: Sequence[Line]) -> None:
        for line in lines:
            await self._ask(web, line)

    async def _ask(self, web: Web, line: Line) -> None:
        unix_s = Seconds(self._clocks.unix())
        try:
            report = await line.ask(web, line.zones, unix_s)
            outcome = self._take(line, report)
            unix_s = Seconds(self._clocks.unix())
            wait_s = line.succeeded(outcome, unix_s, self._chance(), report.fresh_for_s)
        except ProviderError as error:
            outcome = error.outcome
            wait_s = line.failed(error, self._chance())
        except Exception as error:  # noqa: BLE001 - a fault in one must not end them all
            outcome = FAILED
            wait_s = line.failed(error, self._chance())
        self._counts[line.traits.name, outcome] += 1
        self._wait(line, wait_s)

    def _take(self, line: Line, report: Report) -> str:
        """Hand on what was told; the first zone without a value is the error."""
        unix_s = Seconds(self._clocks.unix())
        problem: ProviderError | None = None
        is_live = True
        for zone in line.zones:
            sink = self._sinks[zone, line.traits.signal]
            forecast = report.forecasts.get(zone)
            if forecast is not None:
                sink.offer_forecast(line.traits.name, forecast)
            observation = report.observations.get(zone)
            if observation is None:
                problem = problem or report.problems.get(zone)
                continue
            try:
                is_live = sink.offer(line.traits.name, observation, unix_s) and is_live
            except ImplausibleError as error:
                problem = problem or error
        if problem is not None:
            raise problem
        return OK if is_live else STALE

    def _check_sinks(self) -> None:
        for line in self._lines:
            for zone in line.zones:
                if (zone, line.traits.signal) not in self._sinks:
                    msg = f"nobody takes the {line.traits.signal} intensity of {zone}"
                    raise ValueError(msg)

    def _restore(self) -> None:
        if self._store is None:
            return
        for kept in self._store.load():
            observation = kept.observation
            sink = self._sinks.get((observation.zone, observation.signal))
            if sink is not None:
                sink.restore(kept)

    def _begin(self, line: Line, within_s: float) -> None:
        """Be due at once; but who starts again and again asks no more often."""
        unix_s = self._clocks.unix()
        wait_s = self._chance() * within_s
        for zone in line.zones:
            sink = self._sinks[zone, line.traits.signal]
            fetched_s = sink.fetched_unix_s(line.traits.name)
            if fetched_s is not None and fetched_s <= unix_s:
                again_s = fetched_s + line.traits.least_interval_s - unix_s
                wait_s = max(wait_s, again_s)
        self._wait(line, wait_s)

    def _wait(self, line: Line, wait_s: float) -> None:
        line.wait(wait_s, Seconds(self._clocks.unix()), self._clocks.monotonic())


async def _unless_told(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Do some work, but give it up as soon as ``stop`` is set."""
    working = asyncio.ensure_future(work)
    told = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, told), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, told):
            task.cancel()
        await asyncio.gather(working, told, return_exceptions=True)
