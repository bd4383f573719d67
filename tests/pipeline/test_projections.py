"""What a job will have used and emitted, as a snapshot tells it."""

import pytest

from exporter.core.snapshot import JobTotals, Snapshot
from tests.fakes.counters import job
from tests.fakes.life import Life, LivingJob, PlayedDevice
from tests.fakes.node import UNIX_S, gpu, hold, labels

LIMIT_S = 3600.0


def living(started_s: float = 1.0, *, limit_s: float | None = LIMIT_S) -> Life:
    """Return a node whose job holds a GPU of 360 W.

    Args:
        started_s: when it started, s from now.
        limit_s: its limit.
    """
    life = Life([PlayedDevice(gpu(), 360.0)])
    life.tick()
    life.jobs["1"] = LivingJob(
        0.0,
        (hold(),),
        labels("1"),
        started_unix_s=UNIX_S + life.now_s + started_s,
        limit_s=limit_s,
    )
    return life


def after(life: Life, seconds: int) -> Snapshot:
    """Let some ticks pass."""
    *_, last = [life.tick() for _ in range(seconds)]
    return last


def told(totals: JobTotals) -> tuple[float | None, float | None]:
    """Return both projections of a job."""
    return totals.projected_energy_j, totals.projected_emissions_g


def test_a_job_that_draws_the_same_all_the_time_will_end_at_what_it_says() -> None:
    """360 W for an hour at 400 g/kWh and a PUE of 1.25: 0.36 kWh and 180 g."""
    totals = job(after(living(), 120))

    assert totals.projected_energy_j == pytest.approx(360 * LIMIT_S, rel=0.02)
    assert totals.projected_emissions_g == pytest.approx(180.0, rel=0.02)


def test_in_its_first_minute_a_job_says_nothing() -> None:
    """A mean of some seconds tells nothing."""
    life = living()

    assert told(job(after(life, 50))) == (None, None)
    assert None not in told(job(after(life, 30)))


def test_without_a_limit_there_is_no_end_to_project_to() -> None:
    """And none that could be guessed."""
    assert told(job(after(living(limit_s=None), 120))) == (None, None)


def test_an_ended_job_has_no_projection() -> None:
    """Its counters say what it used."""
    life = living()
    after(life, 120)
    life.end("1")

    assert told(job(after(life, 1))) == (None, None)


def test_a_job_beyond_its_limit_is_projected_a_little_ahead_of_its_counter() -> None:
    """The scheduler will end it any moment."""
    totals = job(after(living(started_s=-2 * LIMIT_S), 120))

    energy_j, grams = told(totals)
    assert energy_j is not None
    assert grams is not None
    used_j = sum(part_j for _, part_j in totals.energy_j)
    assert used_j < energy_j < used_j + 360 * 16
    assert totals.emissions_g < grams < totals.emissions_g * 1.2


def test_a_restart_leaves_no_gap() -> None:
    """The mean goes on over it."""
    life = living()
    before = job(after(life, 120))
    life.restart()

    again = job(after(life, 1))

    assert before.projected_energy_j is not None
    assert again.projected_energy_j == pytest.approx(
        before.projected_energy_j, rel=0.01
    )
