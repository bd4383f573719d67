from dataclasses import replace
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.core.metering import Meter, Metered
from exporter.core.model import Reading
from exporter.core.units import Seconds, Watts
from tests.fakes.meter_rows import play, running, stuck, total_j, unmeasured_s
from tests.fakes.node import cpu, gpu

GPU = gpu()
GAUGE = gpu(counter=False)
PACKAGE = cpu()


# --- a counter with a gauge beside it ---------------------------------------


def test_the_counter_is_taken_where_the_gauge_disagrees() -> None:
    """A gauge shows a moment, a counter has seen all of them."""
    metered = play(Meter(), GPU, [(0, 0, 100), (1, 130, 100), (2, 290, 100)])

    assert total_j(metered) == pytest.approx(290.0)


def test_a_driver_reload_is_bridged_by_the_gauge() -> None:
    """Rule 2: 7000 J before, counted from 0 after; (100 + 200) / 2 W for 1 s."""
    metered = play(
        Meter(), GPU, [(0, 7000, 100), (1, 7100, 100), (2, 20, 200), (3, 220, 200)]
    )

    assert metered[2].event == "reset"
    assert metered[2].energy_j == pytest.approx(150.0)
    assert total_j(metered) == pytest.approx(100 + 150 + 200)
    assert unmeasured_s(metered) == 0


def test_a_reload_that_took_longer_than_three_intervals_is_unmeasured() -> None:
    """Rule 3: nobody knows what happened in between."""
    metered = play(Meter(), GPU, [(0, 7000, 100), (5, 20, 200), (6, 220, 200)])

    assert metered[1] == Metered(None, Seconds(5.0), Seconds(5.0), "reset")
    assert total_j(metered) == pytest.approx(200.0)


def test_a_counter_that_is_late_by_some_ticks_is_waited_for() -> None:
    """Nothing is told meanwhile, and then all of it, by the counter."""
    rows = [*running(0, 3), *stuck(3, 8, 200, 100), (8, 812, 100)]

    metered = play(Meter(), GPU, rows)

    assert all(one.waits for one in metered[3:8])
    assert metered[8].energy_j == pytest.approx(612.0)
    assert metered[8].elapsed_s == pytest.approx(6.0)


def test_a_broken_counter_is_replaced_from_its_last_advance_on() -> None:
    """Rule 3: after 10 s the integral takes over; the wait is counted, and once."""
    metered = play(Meter(), GPU, [*running(0, 6), *stuck(6, 20, 500, 100)])

    assert [one.event for one in metered].index("broken") == 15
    assert metered[15].energy_j == pytest.approx(1000.0)
    assert metered[15].elapsed_s == pytest.approx(10.0)
    assert total_j(metered) == pytest.approx(1900.0)


def test_what_a_broken_counter_catches_up_is_not_counted_again() -> None:
    """Its integral has been counted already."""
    rows = [*running(0, 6), *stuck(6, 20, 500, 100), (20, 2000, 100)]

    metered = play(Meter(), GPU, rows)

    assert total_j(metered) == pytest.approx(2000.0)


def test_a_repaired_counter_is_trusted_after_ten_seconds() -> None:
    """From its present count on; until then the integral goes on."""
    rows = [
        *running(0, 6),
        *stuck(6, 20, 500, 100),
        *((t, 500 + 100 * (t - 19), 100) for t in range(20, 31)),
        (31, 1742, 100),
    ]
    meter = Meter()

    metered = play(meter, GPU, rows)

    assert [one.event for one in metered].index("repaired") == 29
    assert not meter.broken
    assert metered[31].energy_j == pytest.approx(142.0)
    assert total_j(metered) == pytest.approx(3000 + 142)


def test_a_broken_counter_that_stumbles_stays_broken() -> None:
    """A single advance, or a reset, is no repair."""
    rows = [
        *running(0, 6),
        *stuck(6, 17, 500, 100),
        *((t, 500 + 100 * (t - 16), 100) for t in range(17, 26)),
        *((t, 100 * (t - 26), 100) for t in range(26, 35)),
    ]
    meter = Meter()

    metered = play(meter, GPU, rows)

    assert meter.broken
    assert total_j(metered) == pytest.approx(3400.0)


def test_a_counter_at_rest_beside_a_gauge_near_zero_is_in_order() -> None:
    """A device that is switched off draws nothing, and its gauge hums."""
    metered = play(Meter(), GPU, stuck(0, 30, 500, 4.9))

    assert total_j(metered) == 0
    assert not any(one.waits for one in metered)


def test_a_suspicion_is_not_dropped_because_power_falls() -> None:
    """A stuck counter does not become right when the device grows quiet."""
    rows = [*running(0, 6), (6, 500, 100), *stuck(7, 30, 500, 3)]

    metered = play(Meter(), GPU, rows)

    assert "broken" in [one.event for one in metered]
    # 500 by the counter, 100 + 51.5 + 22 x 3 by the integral.
    assert total_j(metered) == pytest.approx(717.5)


def test_a_counter_that_is_missing_is_waited_for_and_then_replaced() -> None:
    """The driver declares it and refuses to read it, on a GPU that is idle."""
    rows = [*running(0, 3, 4.0), *((t, None, 4.0) for t in range(3, 16))]

    metered = play(Meter(), GPU, rows)

    assert all(one.waits for one in metered[3:12])
    assert metered[12].event == "broken"
    assert total_j(metered) == pytest.approx(60.0)


def test_a_count_that_was_missing_for_a_moment_loses_nothing() -> None:
    """The counter's next count contains it."""
    rows = [*running(0, 3), (3, None, 100), (4, None, 100), (5, 512, 100)]

    metered = play(Meter(), GPU, rows)

    assert total_j(metered) == pytest.approx(512.0)
    assert metered[-1].elapsed_s == pytest.approx(3.0)


def test_a_counter_that_appears_later_starts_from_its_first_count() -> None:
    """The gauge has counted the time before."""
    metered = play(
        Meter(), GPU, [(0, None, 100), (1, None, 100), (2, 9000, 100), (3, 9130, 100)]
    )

    assert metered[2].event == "first"
    assert total_j(metered) == pytest.approx(200 + 130)


def test_a_counter_that_was_not_declared_for_a_while_is_not_counted_twice() -> None:
    """A driver without the call hands over to the gauge, and back."""
    meter = Meter()
    with_counter = play(meter, GPU, running(0, 3))
    gauge_only = play(meter, GAUGE, [(t, None, 100) for t in range(3, 6)])
    again = play(meter, GPU, [(6, 600, 100), (7, 725, 100)])

    assert again[0].event == "first"
    assert total_j([*with_counter, *gauge_only, *again]) == pytest.approx(725.0)


# --- properties -------------------------------------------------------------


@st.composite
def constant_power(draw: st.DrawFn) -> tuple[float, list[float]]:
    """Return a power and the times at which it is read."""
    steps = draw(st.lists(st.floats(0.5, 3.0), min_size=1, max_size=60))
    times = [0.0]
    for one in steps:
        times.append(times[-1] + one)
    return draw(st.floats(5.0, 900.0)), times


@given(
    played=constant_power(),
    stuck_from=st.integers(0, 60),
    stuck_for=st.integers(0, 60),
    restarted_at=st.integers(0, 80),
)
def test_a_failing_counter_costs_no_energy_while_the_gauge_is_right(
    played: tuple[float, list[float]],
    stuck_from: int,
    stuck_for: int,
    restarted_at: int,
) -> None:
    """Stuck, catching up or reset: the sum is power times time all the same.

    Only what the last readings left open may be missing.
    """
    # A counter that restarts unseen and overtakes its old count fools anybody.
    assume(not stuck_from <= restarted_at <= stuck_from + stuck_for)
    power_w, times = played
    meter = Meter()
    metered: list[Metered] = []
    shown_j, offset_j = 0.0, -1e6
    for tick, time_s in enumerate(times):
        if tick == restarted_at:
            offset_j = power_w * time_s
        if not stuck_from <= tick < stuck_from + stuck_for:
            shown_j = power_w * time_s - offset_j
        metered += play(meter, GPU, [(time_s, shown_j, power_w)])

    open_j = power_w * (times[-1] - meter.energy_time_s)
    counted_j = total_j(metered) + open_j
    # The counter shows whole mJ.
    assert counted_j == pytest.approx(power_w * times[-1], abs=0.005)
    assert unmeasured_s(metered) == 0
    assert times[-1] - meter.energy_time_s < 10.0


READINGS = st.builds(
    Reading,
    device=st.sampled_from(
        [
            GPU,
            GAUGE,
            replace(GPU, counter_range=1_000),
            replace(GPU, max_power_w=Watts(1e-3)),
        ]
    ),
    time_s=st.floats(0, 100),
    count=st.none() | st.integers(-5, 2**64),
    power_w=st.none() | st.floats(allow_nan=True, allow_infinity=True),
)


@given(st.lists(READINGS, max_size=40), st.floats(0.1, 10))
def test_no_reading_whatever_takes_energy_away(
    readings: list[Reading], interval_s: float
) -> None:
    """Rule 7 begins here: each energy is a finite number >= 0, or none."""
    meter = Meter()
    for one in readings:
        metered = meter.advance(one, Seconds(interval_s))
        assert metered.energy_j is None or 0 <= metered.energy_j < inf
        assert 0 <= metered.unmeasured_s <= metered.elapsed_s + 1e-9
        assert not (metered.waits and metered.energy_j is not None)
