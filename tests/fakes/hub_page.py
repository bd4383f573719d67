"""The page of a hub, open in a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import sin
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser

from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Ratio, Seconds
from exporter.hub.budgets.amount import parse_amount
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.period import CalendarPeriod, RollingPeriod
from exporter.hub.budgets.status import BudgetStatus, Standing
from tests.fakes import page_checks
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import traits
from tests.fakes.hub import HubWorld
from tests.fakes.overview_figures import busy_overview, standing
from tests.fakes.page_checks import LAPTOP, Look, Visit
from tests.fakes.serving import serving

_SLOT_S = 900.0
_MONTH = CalendarPeriod("month", ZoneInfo("UTC"))
_YEAR = CalendarPeriod("year", ZoneInfo("UTC"))
_ROLLING = RollingPeriod(30 * 86400.0, "30d")


@contextmanager
def serving_hub(world: HubWorld) -> Iterator[str]:
    """Serve a hub; return the address of its page."""
    with serving(world.app) as port:
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def visiting(browser: Browser, world: HubWorld, look: Look = LAPTOP) -> Iterator[Visit]:
    """Serve a hub, open its page, and wait until it is live."""
    with serving_hub(world) as url, page_checks.visiting(browser, url, look) as visit:
        yield visit


def quiet_world(folder: Path) -> HubWorld:
    """Return a hub of one zone that knows of no Prometheus and keeps no budgets."""
    advice = FakeProvider(traits("advice", signal="marginal"), value=612.0)
    live = FakeProvider(traits("energy-charts"), value=383.0, outlook=_outlook())
    world = HubWorld(folder, DE=(live, advice))
    world.poll()
    return world


def busy_world(folder: Path) -> HubWorld:
    """Return a hub of a cluster at work, some of it broken, with four budgets."""
    world = quiet_world(folder)
    world.overview.standing = standing(busy_overview(NOW - 12.0))
    world.standing = Standing(
        (
            _status("physics", "20t", "Physics", 0.62, 0.91),
            _status("climate", "12t", "Climate group", 0.81, 1.14, live=0.8),
            _status("ml-research", "8MWh", "ML research", 0.34, 0.5, period=_ROLLING),
            _status("site", "1500t", "Site", 0.71, 0.98, period=_YEAR, complete=0.97),
        )
    )
    return world


def _outlook() -> tuple[ForecastPoint, ...]:
    return tuple(
        ForecastPoint(
            Seconds(NOW + slot * _SLOT_S),
            Seconds(_SLOT_S),
            GramsPerKwh(320.0 + 130.0 * sin(slot / 15 + 0.6) + 20.0 * sin(slot / 3)),
        )
        for slot in range(120)
    )


def _status(
    name: str,
    amount: str,
    team: str,
    spent: float,
    projected: float,
    *,
    period: CalendarPeriod | RollingPeriod = _MONTH,
    live: float = 1.0,
    complete: float = 1.0,
) -> BudgetStatus:
    budget = Budget(name, parse_amount(amount, None), period, team=team)
    return BudgetStatus(
        budget,
        at_s=NOW,
        period=period.around(NOW),
        spent=spent * budget.amount.value,
        projected=projected * budget.amount.value,
        live=Ratio(live),
        complete=Ratio(complete),
    )
