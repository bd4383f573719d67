"""A hub with providers that a test makes up, on a clock of its own."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exporter.carbon.last_good import LastGood
from exporter.core.units import Seconds
from exporter.hub.budgets.status import NOTHING_STANDS
from exporter.hub.config import ZonePlan
from exporter.hub.desk import Desk
from exporter.hub.http import HubApp, create_app
from exporter.hub.overview.keeper import OverviewStanding
from exporter.hub.site import Site
from exporter.hub.slurm.keeper import SlurmStanding
from tests.fakes.asgi import Asker
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import no_web
from tests.fakes.fake_time import FakeTime

_NEVER_S = 1e9


class PlayedOverview:
    """How it stands with the overview, and how often somebody looked."""

    def __init__(self) -> None:
        self.standing: OverviewStanding | None = None
        self.looks = 0

    def look(self) -> None:
        """Count it."""
        self.looks += 1


class HubWorld:
    """The parts of a hub below its process; nobody sleeps.

    Args:
        folder: where the last good values are kept.
        zones: each with its providers, in order of preference.

    Attributes:
        standing: how the budgets stand.
        slurm: how it stands with the jobs of Slurm; ``None``: nobody is asked.
        overview: of the cluster; it stands at nothing: there is no Prometheus.
    """

    def __init__(self, folder: Path, **zones: tuple[FakeProvider, ...]) -> None:
        self.time = FakeTime(NOW, _NEVER_S)
        self._store = LastGood(folder)
        self.standing = NOTHING_STANDS
        self.slurm: SlurmStanding | None = None
        self.overview = PlayedOverview()
        self.desk = Desk(
            self._build(None, zones),
            self.time.clocks,
            lambda: self.standing,
            lambda: self.slurm,
            self.overview,
        )
        self.app: HubApp = create_app(self.desk, version="1.2.3")
        self.asker = Asker(self.app)

    def replace(self, **zones: tuple[FakeProvider, ...]) -> None:
        """Put another configuration in force, as a reload does."""
        self.desk.site = self._build(self.desk.site, zones)

    def poll(self) -> None:
        """Make every call that is due."""

        async def ask() -> None:
            async with no_web() as web:
                await self.desk.site.poller.ask_who_is_due(web)

        # A browser that is driven from this thread has a loop of its own here.
        with ThreadPoolExecutor(1) as threads:
            threads.submit(lambda: asyncio.run(ask())).result()

    def pass_s(self, seconds: float) -> None:
        """Let time pass, without a call."""
        self.time.pass_s(seconds)

    def _build(
        self, former: Site | None, zones: Mapping[str, tuple[FakeProvider, ...]]
    ) -> Site:
        plans = [
            ZonePlan(zone, providers, Seconds(6 * 3600.0))
            for zone, providers in zones.items()
        ]
        return Site(plans, no_web, self._store, self.time.clocks, former)
