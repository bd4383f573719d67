"""Rule 11: grams are the integral of power x intensity, not energy x a mean."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.snapshot import Snapshot
from exporter.core.units import GramsPerKwh, Seconds
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import job
from tests.fakes.node import (
    GREEN,
    gpu,
    hold,
    jobs,
    labels,
    reading,
    sample,
    usage,
)

POWER_W = 300.0
PUE = 1.25
CLEAN, DIRTY = 100.0, 500.0
# Without the rounding of a real counter, which is none of the arithmetic's.
EXACT = replace(gpu(), joules_per_count=1e-9)


def run(ticks: Sequence[tuple[float, float]]) -> Snapshot:
    """Return a node after a job has drawn the same power all the time.

    Args:
        ticks: length of each, s, and the intensity in force at its end, g/kWh.
    """
    engine = Engine(EngineSettings())
    owner = jobs(usage("1", 0.0, gpus=(hold(),), labels=labels("1")))
    now_s = 1000.0
    last = engine.fold(sample(now_s, reading(EXACT, now_s, 0.0), workloads=(owner,)))
    for length_s, value in ticks:
        now_s += length_s
        last = engine.fold(
            sample(
                now_s,
                reading(EXACT, now_s, POWER_W * (now_s - 1000.0)),
                workloads=(owner,),
                intensity=replace(GREEN, value=GramsPerKwh(value)),
                pue=PUE,
                interval_s=Seconds(10.0),
            )
        )
    return last


def grams(seconds: float, value: float) -> float:
    """Return what the job emits in a time at one intensity."""
    return POWER_W * seconds * value * PUE / 3.6e6


def test_a_grid_that_turns_dirty_in_mid_job_is_paid_for_from_then_on() -> None:
    """From 100 to 500 g/kWh after 1000 of 3600 s, at constant power.

    Who samples the intensity each quarter of an hour and takes the mean of the
    samples is 23 % off: two of four samples are clean, but not half of the time.
    """
    ticks = [(10.0, CLEAN)] * 100 + [(10.0, DIRTY)] * 260
    integral_g = grams(1000.0, CLEAN) + grams(2600.0, DIRTY)

    last = run(ticks)

    assert last.emissions_g == pytest.approx(integral_g, rel=1e-6)
    assert job(last).emissions_g == pytest.approx(integral_g, rel=1e-6)
    quarters = [value for _, value in ticks[::90]]
    by_mean_g = grams(3600.0, fmean(quarters))
    assert quarters == [CLEAN, CLEAN, DIRTY, DIRTY]
    assert by_mean_g == pytest.approx(0.771 * integral_g, rel=1e-3)


def test_a_tick_that_comes_late_weighs_as_long_as_it_was() -> None:
    """Nor is the mean over the ticks the same, once one of them is longer."""
    ticks = [(10.0, CLEAN)] * 30 + [(600.0, DIRTY)] + [(10.0, DIRTY)] * 29
    integral_g = grams(300.0, CLEAN) + grams(890.0, DIRTY)

    last = run(ticks)

    assert last.emissions_g == pytest.approx(integral_g, rel=1e-6)
    assert job(last).emissions_g == pytest.approx(integral_g, rel=1e-6)
    by_mean_g = grams(1190.0, fmean(value for _, value in ticks))
    assert by_mean_g == pytest.approx(0.75 * integral_g, rel=2e-2)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 900.0), st.sampled_from([CLEAN, DIRTY])),
        min_size=1,
        max_size=60,
    )
)
def test_whenever_it_turns_and_however_late_ticks_are_it_is_the_integral(
    ticks: list[tuple[float, float]],
) -> None:
    """To one in a million; rounding of one counter unit is far below."""
    last = run(ticks)

    integral_g = sum(grams(length_s, value) for length_s, value in ticks)
    assert last.emissions_g == pytest.approx(integral_g, rel=1e-6)
    assert job(last).emissions_g == pytest.approx(integral_g, rel=1e-6)
