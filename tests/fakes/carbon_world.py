"""A poller with providers that a test makes up, on a clock of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from exporter.carbon.chain import Chain
from exporter.carbon.feed import Feed
from exporter.carbon.last_good import LastGood
from exporter.carbon.live import LiveIntensity
from exporter.carbon.poller import Poller
from exporter.carbon.provider import Call, Traits, Web
from exporter.carbon.yearly import YearlyIntensity
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.fake_time import FakeTime


class NoWeb:
    """The way to providers that need none."""

    async def json(self, call: Call) -> object:
        """Nobody asks."""
        raise AssertionError(call)

    async def text(self, call: Call) -> str:
        """Nobody asks."""
        raise AssertionError(call)

    def max_age_s(self, call: Call) -> Seconds | None:
        """Nobody answered."""
        raise AssertionError(call)


@contextlib.asynccontextmanager
async def no_web() -> AsyncIterator[Web]:
    """Open the way to providers that need none."""
    yield NoWeb()


def traits(name: str = "one", **changes: object) -> Traits:
    """Return traits of a provider of five minutes, with changes by name."""
    known: dict[str, object] = {"cadence_s": 300.0, "live_for_s": 900.0}
    return Traits(name, **{**known, **changes})  # type: ignore[arg-type]  # by name


class World:
    """A poller with providers, on a clock.

    Args:
        providers: in order of preference.
        lasts_s: how long it runs, s.
        zones: what is asked for.
    """

    def __init__(
        self,
        *providers: FakeProvider,
        lasts_s: float,
        zones: tuple[str, ...] = ("DE",),
        store: LastGood | None = None,
        chance: float = 0.5,
        start_within_s: float = 0.0,
        counts: dict[tuple[str, str], int] | None = None,
    ) -> None:
        self.time = FakeTime(NOW, lasts_s)
        self.sinks = {
            zone: LiveIntensity(zone, tuple(one.traits for one in providers))
            for zone in zones
        }
        self.poller = Poller(
            [Feed(one, zones) for one in providers],
            self.sinks.values(),
            no_web,
            store=store,
            counts=counts,
            clocks=self.time.clocks,
            chance=lambda: chance,
            start_within_s=start_within_s,
        )
        self.chain = Chain(self.sinks[zones[0]], YearlyIntensity("DE"))

    def run(self) -> None:
        """Let it run to the end."""
        asyncio.run(self.poller.run(asyncio.Event()))

    def level(self) -> int:
        """Fallback level at this moment."""
        return self.chain.current(Seconds(self.time.unix_s)).fallback_level

    def count(self, outcome: str, provider: str = "one") -> int:
        """How often a provider was asked with an outcome."""
        return {(c.provider, c.outcome): c.fetches for c in self.poller.counts}[
            provider, outcome
        ]
