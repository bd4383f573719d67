from dataclasses import replace
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.accounts import JobAccount, Projection
from exporter.core.forecast import Forecast, ForecastPoint, PuePlan, PueStep
from exporter.core.ledger import Ledger
from exporter.core.model import Sample
from exporter.core.projection import PriceAhead, Projector, project
from exporter.core.units import GramsPerKwh, Seconds
from tests.fakes.node import GREEN, UNIX_S, job_id, sample, usage

HOUR_S = 3600.0
NOW = Seconds(5000.0)
UNIX_NOW = Seconds(UNIX_S + NOW)
FLAT = PriceAhead((), (), GramsPerKwh(400.0), 1.5)


def job(
    key: str = "1",
    *,
    seen_s: float = HOUR_S,
    limit_s: float | None = 3 * HOUR_S,
    started_ago_s: float | None = HOUR_S,
    energy_j: float = 3.6e6,
    grams: float = 600.0,
) -> JobAccount:
    """Return a job that has used a kilowatt-hour in an hour, a third of its limit."""
    start_s = None if started_ago_s is None else Seconds(UNIX_NOW - started_ago_s)
    return JobAccount(
        job_id(key),
        created_unix_s=UNIX_NOW - seen_s,
        first_seen_s=NOW - seen_s,
        energy_j=[energy_j / 2, 0.0, energy_j / 2, 0.0],
        emissions_g=grams,
        usage=replace(
            usage(key, 0.0),
            start_unix_s=start_s,
            time_limit_s=None if limit_s is None else Seconds(limit_s),
        ),
    )


def projected(account: JobAccount, price: PriceAhead = FLAT) -> Projection:
    """Return the projection of a job that has one."""
    found = project(account, NOW, UNIX_NOW, price)
    assert found is not None
    return found


# --- energy -----------------------------------------------------------------


def test_a_job_goes_on_as_it_did_until_its_limit() -> None:
    """A kilowatt-hour in its first hour, and two in the two that are left."""
    assert projected(job()).energy_j == pytest.approx(3 * 3.6e6)
    assert projected(job()).emissions_g == pytest.approx(3 * 600.0)


def test_a_job_that_was_found_late_is_projected_from_there() -> None:
    """Its counter lacks what was before, and so does what it will show."""
    late = job(seen_s=HOUR_S / 2, energy_j=1.8e6, grams=300.0)

    assert projected(late).energy_j == pytest.approx(1.8e6 + 2 * 3.6e6)


@pytest.mark.parametrize(
    "account",
    [
        job(limit_s=None),
        job(started_ago_s=None),
        job(energy_j=0.0, grams=0.0),
        job(seen_s=59.9),
        replace(job(), usage=None),
        replace(job(), ended_s=NOW - 1.0),
    ],
    ids=["no limit", "no start", "no energy", "new", "no usage", "ended"],
)
def test_what_nobody_can_tell_is_not_told(account: JobAccount) -> None:
    """An absent series, not a zero and not a guess."""
    assert project(account, NOW, UNIX_NOW, FLAT) is None


@pytest.mark.parametrize("started_ago_s", [3 * HOUR_S, 4 * HOUR_S, 1e6])
def test_a_job_that_overran_its_limit_ends_soon(started_ago_s: float) -> None:
    """It goes on until it is looked at again, 15 s later; not back in time."""
    over = projected(job(started_ago_s=started_ago_s))

    assert over.energy_j == pytest.approx(3.6e6 + 1000.0 * 15)
    assert over.emissions_g == pytest.approx(600.0 + 1000.0 * 15 / 3.6e6 * 600)


def test_a_clock_that_was_put_back_lengthens_no_job() -> None:
    """A job cannot have more time left than its limit."""
    future = projected(job(started_ago_s=-1e6))

    assert future.energy_j == pytest.approx(4 * 3.6e6)


@given(
    seen_s=st.floats(60, 1e6),
    limit_s=st.floats(0, 1e8),
    started_ago_s=st.floats(-1e9, 1e9),
    energy_j=st.floats(1e-9, 1e12),
    grams=st.floats(0, 1e9),
)
def test_it_is_a_number_and_never_less_than_what_is_counted(
    seen_s: float, limit_s: float, started_ago_s: float, energy_j: float, grams: float
) -> None:
    """Whatever the clock does."""
    account = job(
        seen_s=seen_s,
        limit_s=limit_s,
        started_ago_s=started_ago_s,
        energy_j=energy_j,
        grams=grams,
    )

    found = projected(account)

    longest_s = max(limit_s, 15.0)
    assert isfinite(found.energy_j)
    assert isfinite(found.emissions_g)
    assert energy_j <= found.energy_j <= energy_j * (1 + longest_s / seen_s) * 1.000001
    assert found.emissions_g >= grams


# --- what an hour will emit -------------------------------------------------


def slots(*values: float, begin_s: float = UNIX_NOW) -> Forecast:
    """Return a forecast of hours."""
    return tuple(
        ForecastPoint(
            Seconds(begin_s + i * HOUR_S), Seconds(HOUR_S), GramsPerKwh(value)
        )
        for i, value in enumerate(values)
    )


def plan(*steps: tuple[float, float]) -> PuePlan:
    """Return a plan: hours from now, and the PUE from then on."""
    return tuple(
        PueStep(Seconds(UNIX_NOW + hours * HOUR_S), value) for hours, value in steps
    )


def mean(price: PriceAhead, begin: float, end: float) -> float:
    """Return the mean between two hours from now."""
    return price.mean(
        Seconds(UNIX_NOW + begin * HOUR_S), Seconds(UNIX_NOW + end * HOUR_S)
    )


def test_without_a_forecast_what_is_in_force_stays() -> None:
    """Grid and PUE alike."""
    assert mean(FLAT, 0, 1) == mean(FLAT, 5, 500) == pytest.approx(600.0)


def test_a_forecast_counts_where_there_is_one() -> None:
    """The energy to come is emitted at what is expected then; after it, as now."""
    price = PriceAhead(slots(100.0, 200.0), (), GramsPerKwh(400.0), 1.5)

    assert mean(price, 0, 2) == pytest.approx(150 * 1.5)
    assert mean(price, 1, 4) == pytest.approx((200 + 400 + 400) / 3 * 1.5)
    assert projected(job(), price).emissions_g == pytest.approx(600 + 2 * 150 * 1.5)


def test_a_forecast_of_the_past_is_no_forecast() -> None:
    """Its provider has been silent since."""
    old = slots(100.0, 100.0, begin_s=UNIX_NOW - 3 * HOUR_S)
    price = PriceAhead(old, (), GramsPerKwh(400.0), 1.5)

    assert projected(job(), price).emissions_g == pytest.approx(3 * 600.0)


def test_a_planned_pue_counts_where_there_is_no_forecast() -> None:
    """Its last step holds for ever."""
    price = PriceAhead((), plan((-1, 1.5), (1, 1.1)), GramsPerKwh(400.0), 1.5)

    assert mean(price, 0, 2) == pytest.approx(400 * 1.3)
    assert mean(price, 10, 90) == pytest.approx(400 * 1.1)


def test_a_clean_hour_with_a_high_pue_is_that_and_not_two_means() -> None:
    """Sun makes the grid clean and the cooling work, at the same time."""
    grid = slots(100.0, 500.0)
    price = PriceAhead(grid, plan((0, 2.0), (1, 1.0)), GramsPerKwh(400.0), 2.0)

    assert mean(price, 0, 2) == pytest.approx((100 * 2 + 500 * 1) / 2)


def test_gaps_of_a_forecast_are_as_now_with_the_pue_of_then() -> None:
    """Nobody says what the grid will be, but the schedule is known."""
    grid = (*slots(100.0), *slots(100.0, begin_s=UNIX_NOW + 2 * HOUR_S))
    price = PriceAhead(grid, plan((0, 1.0), (1, 2.0)), GramsPerKwh(400.0), 1.0)

    assert mean(price, 0, 3) == pytest.approx((100 * 1 + 400 * 2 + 100 * 2) / 3)


def test_before_a_plan_begins_the_pue_is_that_in_force() -> None:
    """A clock that was put back does not make the site better."""
    price = PriceAhead(slots(100.0), plan((0.5, 1.2)), GramsPerKwh(400.0), 1.6)

    assert mean(price, 0, 1) == pytest.approx(100 * 1.4)


# --- in turn ----------------------------------------------------------------


def tick(time_s: float, *, forecast: Forecast = (), value: float = 400.0) -> Sample:
    """Return a tick of one second in which nothing is read."""
    grid = replace(GREEN, value=GramsPerKwh(value))
    return sample(time_s, intensity=grid, interval_s=1.0)._replace(forecast=forecast)


def ledger_of(*keys: str) -> Ledger:
    """Return a ledger with jobs."""
    return Ledger(jobs={job_id(key): job(key) for key in keys})


def energy(ledger: Ledger) -> list[float]:
    """Return the projected energy of all jobs, kWh."""
    return [
        0.0 if one.projection is None else round(one.projection.energy_j / 3.6e6, 3)
        for one in ledger.jobs.values()
    ]


def test_after_a_start_all_jobs_are_projected_at_once() -> None:
    """A restart leaves no gap in their series."""
    ledger = ledger_of("1", "2", "3")

    Projector().refresh(ledger, tick(NOW))

    assert energy(ledger) == [3.0, 3.0, 3.0]


def test_then_each_job_has_its_turn_every_15_s() -> None:
    """Five hundred jobs cost no more in a tick than a few."""
    ledger = ledger_of(*"abcdefghijklmnopqrst")
    projector = Projector()
    projector.refresh(ledger, tick(NOW))
    turns = []
    for second in range(1, 16):
        for one in ledger.jobs.values():
            one.projection = None
        projector.refresh(ledger, tick(NOW + second))
        turns.append([index for index, kwh in enumerate(energy(ledger)) if kwh])

    assert sorted(index for turn in turns for index in turn) == list(range(20))
    assert max(map(len, turns)) == 2


def test_a_slow_daemon_projects_all_jobs_in_each_tick() -> None:
    """Where a tick is longer than a turn."""
    ledger = ledger_of("1", "2", "3")
    projector = Projector()
    projector.refresh(Ledger(), tick(NOW))

    projector.refresh(ledger, tick(NOW)._replace(interval_s=Seconds(60.0)))

    assert energy(ledger) == [3.0, 3.0, 3.0]


def test_a_job_that_ended_is_projected_no_more() -> None:
    """What it used is in its counters."""
    ledger = ledger_of("1")
    Projector().refresh(ledger, tick(NOW))

    ledger.end_jobs([job_id("1")], Seconds(NOW + 1), Seconds(UNIX_NOW + 1))

    assert ledger.jobs[job_id("1")].projection is None


def test_a_new_forecast_and_a_new_intensity_count_from_the_next_turn_on() -> None:
    """What was prepared for many jobs is prepared anew."""
    ledger = ledger_of("1")
    projector = Projector()
    expected = slots(100.0, 100.0)

    grams = []
    for one in (
        tick(NOW),
        tick(NOW, value=800.0),
        tick(NOW, forecast=expected),
        tick(NOW, forecast=expected),
    ):
        projector.refresh(ledger, one._replace(interval_s=Seconds(60.0)))
        (account,) = ledger.jobs.values()
        assert account.projection is not None
        grams.append(account.projection.emissions_g)

    assert grams == pytest.approx([600 + 800, 600 + 1600, 600 + 200, 600 + 200])
