"""A clock for tasks that sleep: it goes only while somebody sleeps."""

import asyncio
from collections.abc import Callable

from exporter.carbon.poller import Time


class FakeTime:
    """Lets sleeps take no time, one after the other, up to an end.

    Attributes:
        unix_s: the wall clock.
        sleeps: how long each sleep was meant to be, s.
    """

    def __init__(self, unix_s: float, end_s: float) -> None:
        self.unix_s = unix_s
        self.sleeps: list[float] = []
        self._monotonic_s = 5000.0
        self._end_s = self._monotonic_s + end_s
        self._events: list[tuple[float, Callable[[], None]]] = []

    @property
    def clocks(self) -> Time:
        """What a poller takes for time."""
        return Time(lambda: self.unix_s, lambda: self._monotonic_s, self._sleep)

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        """Let something happen when the clock has gone so far."""
        self._events.append((self._monotonic_s + seconds, happens))
        self._events.sort(key=lambda event: event[0])

    def pass_s(self, seconds: float) -> None:
        """Let time pass, as a call does that takes long."""
        self._monotonic_s += seconds
        self.unix_s += seconds

    async def _sleep(self, stop: asyncio.Event, seconds: float) -> None:
        self.sleeps.append(seconds)
        until_s = self._monotonic_s + max(0.0, seconds)
        while self._events and self._events[0][0] <= until_s:
            at_s, happens = self._events.pop(0)
            self.pass_s(max(0.0, at_s - self._monotonic_s))
            happens()
        self.pass_s(max(0.0, until_s - self._monotonic_s))
        if self._monotonic_s >= self._end_s:
            stop.set()
        # Whatever else is ready gets its turn, as it would in a real sleep.
        await asyncio.sleep(0)
