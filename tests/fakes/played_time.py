"""A clock of another speed, the same in every process that knows its begin.

So a program can live through an hour in a minute, with providers that are played by
another process; or nearly stand still, while a test looks at it.
"""

import asyncio
import time
from dataclasses import dataclass

from exporter.carbon.poller import Time, sleep_until_told


@dataclass(frozen=True)
class PlayedTime:
    """Where the clock stands now follows from the clock of the machine.

    Attributes:
        factor: how much faster than time it goes; below 1, slower.
        begin_unix_s: where it began.
        begin_machine_s: the monotonic clock of the machine at that moment.
    """

    factor: float
    begin_unix_s: float
    begin_machine_s: float

    @classmethod
    def begin(cls, factor: float) -> "PlayedTime":
        """Return a clock that begins now."""
        return cls(factor, time.time(), time.monotonic())

    def unix(self) -> float:
        """Return the moment that it shows, Unix time, s."""
        return self.begin_unix_s + self.elapsed()

    def elapsed(self) -> float:
        """Return how far it has gone, s."""
        return (time.monotonic() - self.begin_machine_s) * self.factor

    async def sleep(self, stop: asyncio.Event, seconds: float) -> None:
        """Sleep for so many of its seconds, or until told."""
        await sleep_until_told(stop, seconds / self.factor)

    @property
    def clocks(self) -> Time:
        """What a poller takes for time."""
        return Time(self.unix, self.elapsed, self.sleep)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What another process makes the same clock of."""
        begins = (self.factor, self.begin_unix_s, self.begin_machine_s)
        return tuple(map(repr, begins))
