"""What the surfaces of the hub read: the site in force, and what was counted."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from exporter.carbon.poller import Time
from exporter.core.forecast import Forecast
from exporter.core.units import Seconds
from exporter.hub.budgets.status import NOTHING_STANDS, Standing
from exporter.hub.overview.keeper import OverviewStanding
from exporter.hub.site import Site
from exporter.hub.slurm.keeper import SlurmStanding


class OverviewSource(Protocol):
    """What keeps the overview of the cluster up to date while somebody looks."""

    @property
    def standing(self) -> OverviewStanding | None:
        """How it stands; ``None`` if there is no Prometheus to ask."""

    def look(self) -> None:
        """Say that somebody looks."""


class NoOverview:
    """There is no Prometheus to ask."""

    standing = None

    def look(self) -> None:
        """Nobody needs to know."""


# There from the start, so that the first of each is an increase.
_CODES = (200, 304, 400, 404)

# Nobody waits longer for a provider before the hub says that it is ready.
_READY_WITHIN_S = 30.0
# A call takes 20 s at most, and those of one provider follow each other.
_HUNG_S = 120.0
_CALL_S = 25.0


class Desk:
    """The site in force; another one takes its place when it is read again.

    Args:
        site: the first one.
        clocks: what time it is.
        budgets: how the budgets stand, at any time.
        slurm: how it stands with the jobs of Slurm; ``None`` if nobody is asked.
        overview: of the cluster, as Prometheus knows it.
    """

    def __init__(
        self,
        site: Site,
        clocks: Time,
        budgets: Callable[[], Standing] = lambda: NOTHING_STANDS,
        slurm: Callable[[], SlurmStanding | None] = lambda: None,
        overview: OverviewSource | None = None,
    ) -> None:
        self.site = site
        self._budgets = budgets
        self._slurm = slurm
        self.overview: OverviewSource = NoOverview() if overview is None else overview
        self.reload_refused = False
        self.requests: Counter[int] = Counter(dict.fromkeys(_CODES, 0))
        self._clocks = clocks
        self._begin_s = clocks.monotonic()
        self.started_unix_s = Seconds(clocks.unix())

    @property
    def unix_s(self) -> Seconds:
        """Now."""
        return Seconds(self._clocks.unix())

    @property
    def forecasts(self) -> Mapping[str, Forecast]:
        """What is expected of each grid zone from now on."""
        unix_s = self.unix_s
        boards = self.site.boards.values()
        return {board.zone: board.view(unix_s).forecast for board in boards}

    @property
    def budgets(self) -> Standing:
        """How the budgets stand."""
        return self._budgets()

    @property
    def slurm(self) -> SlurmStanding | None:
        """How it stands with the jobs of Slurm; ``None`` if nobody is asked."""
        return self._slurm()

    @property
    def is_ready(self) -> bool:
        """Whether every zone has a value, or its providers have had their time."""
        if self._clocks.monotonic() - self._begin_s > _READY_WITHIN_S:
            return True
        unix_s = self.unix_s
        boards = self.site.boards
        return all(
            status.outcome or boards[zone].view(unix_s).standing is not None
            for status in self.site.poller.statuses
            for zone in status.zones
            if not status.is_forecast
        )

    @property
    def hangs_s(self) -> float | None:
        """For how long nobody was asked that is due, s; ``None`` if all is well."""
        overdue_s = self.site.poller.overdue_s
        most_s = _HUNG_S + _CALL_S * len(self.site.poller.statuses)
        return overdue_s if overdue_s > most_s else None
