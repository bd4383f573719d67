import json
import logging
import threading
from pathlib import Path

import pytest

from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds
from exporter.hub.budgets.budget import EMISSIONS
from exporter.hub.budgets.keeper import GRID
from exporter.hub.budgets.period import CalendarPeriod
from exporter.hub.prometheus.series import (
    StoreAwayError,
    StoreDeniedError,
    StoreNonsenseError,
    StoreOverloadError,
    key_of,
)
from tests.fakes.budget_world import (
    DAYS_30,
    MONTH,
    MONTH_BEGIN_S,
    BudgetWorld,
    budget,
)

DAY_MINUTES = 24 * 60


def test_what_was_emitted_since_the_month_began_is_spent(tmp_path: Path) -> None:
    """The hub starts in the midst of a month and reads its past from the store."""
    world = BudgetWorld(tmp_path, budget("all"), begin_s=MONTH_BEGIN_S - 86400)
    world.live(DAY_MINUTES, grams=5.0)
    world.live(DAY_MINUTES, grams=2.0)

    world.refresh()

    status = world.status("all")
    # The last half minute is left to arrive.
    assert status.spent == pytest.approx(2.0 * DAY_MINUTES, abs=2.0)
    assert status.at_s == world.now_s - 30
    assert status.complete == pytest.approx(1.0, abs=0.01)


def test_nothing_is_told_until_all_of_the_past_is_read(tmp_path: Path) -> None:
    """A part of a month would look like a thrifty one."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(DAY_MINUTES, grams=5.0)
    over = threading.Event()
    over.set()

    more = world.keeper.refresh(world.store, over)

    assert more
    assert world.keeper.standing.catching_up
    assert world.status("all").spent is None
    assert world.status("all").data_quality == 0.0


def test_budgets_overlap_and_lie_within_each_other(tmp_path: Path) -> None:
    """A gram counts for everybody who has a claim on it."""
    world = BudgetWorld(
        tmp_path, budget("all"), budget("adas", tenant="ada"), budget("rolling")
    )
    world.live(60, grams=2.0, tenant="ada")
    world.live(60, grams=3.0, tenant="bob")
    world.live(1)

    world.refresh()

    assert world.status("all").spent == pytest.approx(300.0)
    assert world.status("adas").spent == pytest.approx(120.0)
    assert world.status("rolling").spent == pytest.approx(300.0)


def test_a_new_period_begins_at_0(tmp_path: Path) -> None:
    """And only then does what is spent go down."""
    days = 86400
    world = BudgetWorld(
        tmp_path,
        budget("all"),
        budget("rolling", period=DAYS_30),
        begin_s=MONTH.around(MONTH_BEGIN_S + 15 * days).end_s.__int__() - days,
    )
    world.live(DAY_MINUTES, grams=1.0)
    world.refresh()
    assert world.status("all").spent == pytest.approx(DAY_MINUTES, abs=2.0)

    world.live(60, grams=1.0)
    world.refresh()

    assert world.status("all").spent == pytest.approx(60.0, abs=2.0)
    assert world.status("rolling").spent == pytest.approx(DAY_MINUTES + 60, abs=2.0)


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (StoreAwayError("it is away"), "unavailable"),
        (StoreOverloadError("it is slow"), "overload"),
        (StoreDeniedError("it refuses"), "denied"),
        (StoreNonsenseError("it talks nonsense"), "nonsense"),
    ],
)
def test_a_failure_never_lowers_a_budget(
    tmp_path: Path,
    failure: Exception,
    outcome: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every number stays, its age is told, and the quality falls."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(DAY_MINUTES, grams=2.0)
    world.refresh()
    before = world.status("all")
    assert isinstance(
        failure,
        StoreAwayError | StoreOverloadError | StoreDeniedError | StoreNonsenseError,
    )

    world.store.failure = failure
    for _ in range(3):
        world.live(120, grams=2.0)
        world.refresh()

    after = world.status("all")
    assert (after.spent, after.at_s) == (before.spent, before.at_s)
    assert after.data_quality < before.data_quality
    assert world.keeper.standing.error == str(failure)
    assert world.keeper.standing.refreshes[outcome] == 3
    assert [r for r in caplog.records if r.levelno == logging.WARNING] != []
    assert len([r for r in caplog.records if str(failure) in r.getMessage()]) == 1

    world.store.failure = None
    world.refresh()

    assert world.status("all").spent == pytest.approx(2.0 * 1800, abs=3.0)
    assert world.keeper.standing.error == ""


def test_an_empty_answer_lowers_nothing(tmp_path: Path) -> None:
    """A Prometheus that lost its targets answers, and knows nothing."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(DAY_MINUTES, grams=2.0)
    world.refresh()
    before = world.status("all")

    series, world.store.series = world.store.series, {}
    world.now_s += 7200.0
    world.refresh()

    assert world.status("all").spent == before.spent
    assert world.status("all").data_quality < before.data_quality

    world.store.series = series
    world.live(5, grams=2.0)
    world.refresh()
    assert world.status("all").spent == pytest.approx(2.0 * (DAY_MINUTES + 5), abs=3.0)


def test_a_partial_answer_counts_and_lowers_the_quality(tmp_path: Path) -> None:
    """What is there is right; what is missing comes later."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(DAY_MINUTES, grams=2.0)
    world.refresh()
    before = world.status("all")

    world.store.complete = False
    world.live(DAY_MINUTES, grams=2.0)
    world.refresh()

    after = world.status("all")
    assert after.spent == pytest.approx(2.0 * 2 * DAY_MINUTES, abs=3.0)
    assert before.data_quality == pytest.approx(1.0, abs=0.01)
    assert after.data_quality == pytest.approx(0.5, abs=0.02)


def test_a_restarted_hub_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Not even the store has to remember what was counted."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(DAY_MINUTES, grams=2.0)
    world.refresh()
    world.end()

    # Most of the past is gone from the store, as if its retention were short.
    world.live(120, grams=2.0)
    for series in world.store.series.values():
        for key, samples in series.items():
            series[key] = samples[-130:]
    world.start(budget("all"))
    world.refresh()

    expected = 2.0 * (DAY_MINUTES + 120)
    assert world.status("all").spent == pytest.approx(expected, abs=3.0)


def test_a_hub_that_starts_while_the_store_is_away_tells_what_it_kept(
    tmp_path: Path,
) -> None:
    """Old numbers with their age are better than none."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(120, grams=2.0)
    world.refresh()
    before = world.status("all")
    world.end()

    world.store.failure = StoreAwayError("it is away")
    world.start(budget("all"))
    world.now_s += 7200.0
    world.refresh()

    after = world.status("all")
    assert (after.spent, after.at_s) == (before.spent, before.at_s)
    assert world.keeper.standing.error == "it is away"


def test_a_budget_that_is_new_is_read_from_the_past(tmp_path: Path) -> None:
    """Those that were there go on meanwhile, and keep their numbers."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(60, grams=2.0, tenant="ada")
    world.live(60, grams=3.0, tenant="bob")
    world.refresh()
    world.end()
    world.start(budget("all"), budget("bobs", tenant="bob"))
    over = threading.Event()
    over.set()
    world.live(1)

    world.keeper.refresh(world.store, over)

    assert world.status("all").spent == pytest.approx(300.0)
    assert world.status("bobs").spent is None

    world.refresh()

    assert world.status("all").spent == pytest.approx(300.0)
    assert world.status("bobs").spent == pytest.approx(180.0)


def test_a_longer_period_is_read_from_the_past(tmp_path: Path) -> None:
    """What was counted for a week is not enough for a year."""
    week = CalendarPeriod("week", MONTH.zone)
    # From a Saturday to a Monday.
    world = BudgetWorld(
        tmp_path, budget("all", period=week), begin_s=MONTH_BEGIN_S - 8 * 86400
    )
    world.live(3 * DAY_MINUTES, grams=1.0)
    world.refresh()
    assert world.status("all").spent == pytest.approx(DAY_MINUTES, abs=3.0)
    world.end()

    world.start(budget("all", period=MONTH))
    world.refresh()

    assert world.status("all").spent == pytest.approx(3 * DAY_MINUTES, abs=3.0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: "[" * 100_000,
        lambda text: text.replace('"version":1', '"version":99'),
        lambda text: text.replace('"at_s":', '"at_s":1'),
        lambda text: text.replace('"value"', '"values"').replace("[[", "[["),
        lambda text: json.dumps(
            {**json.loads(text), "metrics": {"m": [{"tenants": None}, None]}}
        ),
    ],
)
def test_a_damaged_state_is_set_aside_and_counted_anew(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A number from a broken disk would stay in a budget for months."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(120, grams=2.0)
    world.refresh()
    world.end()
    path = tmp_path / "budgets.json"
    assert callable(damage)
    damaged = damage(path.read_text())
    is_damaged = damaged != path.read_text()
    path.write_text(damaged)

    world.start(budget("all"))
    world.live(1)
    world.refresh()

    assert world.status("all").spent == pytest.approx(240.0)
    assert (tmp_path / "budgets.unusable").exists() is is_damaged
    assert ("read from Prometheus again" in caplog.text) is is_damaged


def test_a_state_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once; after a restart the store is read again."""
    folder = tmp_path / "gone"
    world = BudgetWorld(folder, budget("all"))
    world.live(120, grams=2.0)
    world.refresh()
    world.end()

    assert world.status("all").spent == pytest.approx(240.0, abs=3.0)
    assert caplog.text.count("cannot keep what was counted") == 1


def test_a_node_that_was_unseen_makes_no_burst(tmp_path: Path) -> None:
    """What it used meanwhile is spread over that time, and belongs to its period."""
    world = BudgetWorld(tmp_path, budget("all", amount="720kg"))
    world.live(3 * DAY_MINUTES, grams=1000.0 / 60)
    world.refresh()
    assert world.status("all").burn_rates["1h"] == pytest.approx(1.0, rel=0.1)

    # Nobody scrapes it for half a day, and it works on.
    for _ in range(DAY_MINUTES // 2):
        world.now_s += 60
        world.node.emit("ada", 1000.0 / 60, world.now_s - 30)
        world.refresh()
    world.live(2, grams=1000.0 / 60)
    world.refresh()

    rates = world.status("all").burn_rates
    assert rates["1h"] == pytest.approx(1.0, rel=0.2)
    assert rates["1d"] == pytest.approx(1.0, rel=0.1)
    spent = 1000.0 * (3.5 * 24 + 2 / 60)
    assert world.status("all").spent == pytest.approx(spent, rel=0.001)


def test_grams_on_fallback_data_lower_the_quality(tmp_path: Path) -> None:
    """In proportion to what each node computed so, and to who was there."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(60, grams=2.0)
    for _ in range(60):
        world.now_s += 60
        world.node.emit("ada", 2.0, world.now_s - 30, fallback=True)
        world.node.scrape(world.now_s)
    world.live(1)

    world.refresh()

    assert world.status("all").live == pytest.approx(0.5, abs=0.02)


def test_a_series_that_vanishes_while_it_rises_is_missed(tmp_path: Path) -> None:
    """Its node crashed, or Prometheus lost it; one at rest is only gone."""
    world = BudgetWorld(tmp_path, budget("all"))
    other = type(world.node)("node2", world.store)
    for minute in range(600):
        world.now_s += 60
        world.node.emit("ada", 1.0, world.now_s - 30)
        world.node.scrape(world.now_s)
        if minute < 300:
            other.emit("ada", 1.0, world.now_s - 30)
            other.scrape(world.now_s)
        if minute > 290:
            world.refresh()

    # Half of all series was missed for an hour.
    status = world.status("all")
    assert status.complete < 1.0
    assert status.spent == pytest.approx(900.0, abs=3.0)


def test_a_forecast_scales_what_is_to_come(tmp_path: Path) -> None:
    """It is compared with the grid of the days that the rate is from."""
    world = BudgetWorld(tmp_path, budget("all"))
    grid = key_of({"zone": "DE"})
    for hour in range(50):
        world.store.write(GRID, grid, MONTH_BEGIN_S + hour * 3600.0 - 30, 200.0)
    world.live(2 * DAY_MINUTES, grams=1.0)
    ahead = ForecastPoint(Seconds(world.now_s), Seconds(86400.0), GramsPerKwh(400.0))
    world.refresh()
    plain = world.status("all").projected
    assert plain is not None

    world.keeper.forecasts = {"DE": (ahead,)}
    world.live(60, grams=1.0)
    world.refresh()

    scaled = world.status("all").projected
    assert scaled == pytest.approx(plain + DAY_MINUTES, rel=0.01)


def test_a_clock_that_was_ahead_does_not_stop_the_counting(tmp_path: Path) -> None:
    """What was made of a time that had not come is thrown away."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(120, grams=2.0)
    world.refresh()
    world.now_s += 10 * 86400.0
    world.refresh()

    world.now_s -= 10 * 86400.0
    world.live(60, grams=2.0)
    world.refresh()

    assert world.status("all").spent == pytest.approx(360.0, abs=3.0)


def test_a_store_that_is_overloaded_is_asked_for_less(tmp_path: Path) -> None:
    """Long looks into the past are the first that a busy server gives up on."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(DAY_MINUTES, grams=2.0)
    world.store.longest_s = 5000

    world.refresh()

    assert world.keeper.standing.error == ""
    assert world.status("all").spent == pytest.approx(2.0 * DAY_MINUTES, abs=3.0)


def test_a_store_that_bears_nothing_is_said_to_be_overloaded(tmp_path: Path) -> None:
    """Then nothing is asked in ever smaller pieces, for ever."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(60, grams=2.0)
    world.refresh()
    before = world.status("all").spent

    world.store.longest_s = 60
    world.live(60, grams=2.0)
    world.refresh()

    assert world.keeper.standing.refreshes["overload"] == 1
    assert world.status("all").spent == before


def test_a_fault_of_ours_ends_no_budget(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted and logged, and the next refresh is tried as always."""
    world = BudgetWorld(tmp_path, budget("all"))
    world.live(60, grams=2.0)
    world.refresh()
    broken, world.store.series = world.store.series, {EMISSIONS: None}  # type: ignore[dict-item]

    world.now_s += 60.0
    world.refresh()

    assert world.keeper.standing.refreshes["failed"] == 1
    assert "see the log" in world.keeper.standing.error
    assert "a refresh of the budgets failed" in caplog.text

    world.store.series = broken
    world.live(60, grams=2.0)
    world.refresh()
    assert world.status("all").spent == pytest.approx(240.0, abs=3.0)
