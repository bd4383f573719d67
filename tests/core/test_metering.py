from collections.abc import Iterable
from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.core.metering import Meter, Metered
from exporter.core.model import Device, Reading
from exporter.core.units import Joules, Seconds, Watts
from tests.fakes.node import cpu, gpu, reading

GPU = gpu()
GAUGE = gpu(counter=False)
PACKAGE = cpu()

# Energy in all and power, at one time; None where the driver does not tell.
Row = tuple[float, float | None, float | None]


def play(meter: Meter, device: Device, rows: Iterable[Row]) -> list[Metered]:
    """Let a meter read rows of time, energy in all and power, at 1 s a tick."""
    return [
        meter.advance(reading(device, time_s, energy_j, power_w), Seconds(1.0))
        for time_s, energy_j, power_w in rows
    ]


def total_j(metered: Iterable[Metered]) -> float:
    """Add up what was told."""
    return sum(one.energy_j or 0.0 for one in metered)


def unmeasured_s(metered: Iterable[Metered]) -> float:
    """Add up the time of which not all energy is known."""
    return sum(one.unmeasured_s for one in metered)


def running(start_s: int, end_s: int, power_w: float = 100.0) -> list[Row]:
    """Return a row a second of a device in order, from 0 J at 0 s on."""
    return [(t, power_w * t, power_w) for t in range(start_s, end_s)]


def stuck(start_s: int, end_s: int, energy_j: float, power_w: float) -> list[Row]:
    """Return a row a second of a device whose counter stands still."""
    return [(t, energy_j, power_w) for t in range(start_s, end_s)]


# --- counters ---------------------------------------------------------------


def test_a_first_reading_has_no_energy() -> None:
    """Rule 2: the energy since boot is nobody's now."""
    (first,) = play(Meter(), PACKAGE, [(5.0, 123.0, None)])

    assert first == Metered(None, Seconds(0.0), event="first")


def test_a_counter_tells_the_energy_between_two_readings() -> None:
    """And how long it took."""
    _, second = play(Meter(), PACKAGE, [(5.0, 123.0, None), (7.0, 323.0, None)])

    assert second.energy_j == pytest.approx(200.0)
    assert second.elapsed_s == pytest.approx(2.0)
    assert not second.unmeasured_s


def test_a_reading_of_the_same_moment_is_the_same_reading() -> None:
    """A source that repeats itself adds nothing; the energy comes with the next."""
    metered = play(
        Meter(), PACKAGE, [(0, 0, None), (1, 50, None), (1, 60, None), (2, 99, None)]
    )

    assert metered[2] == Metered(None, Seconds(0.0), waits=True)
    assert total_j(metered) == pytest.approx(99.0)


def test_a_quiet_interval_has_an_energy_of_zero() -> None:
    """Zero is an answer here: the counter was read and had not moved."""
    _, quiet = play(Meter(), PACKAGE, [(0, 50, None), (1, 50, None)])

    assert quiet == Metered(Joules(0.0), Seconds(1.0))


def test_readings_that_failed_lose_nothing() -> None:
    """A counter goes on while nobody looks."""
    metered = play(Meter(), PACKAGE, [(0, 0, None), (1, 100, None), (30, 3000, None)])

    assert metered[-1].energy_j == pytest.approx(2900.0)
    assert metered[-1].elapsed_s == pytest.approx(29.0)


def test_a_wrap_is_told_and_loses_nothing() -> None:
    """Rule 2: the counter's range is known."""
    small = cpu(wraps_at=10_000_000_000)

    metered = play(
        Meter(), small, [(0, 9_900, None), (1, 10_100, None), (2, 10_200, None)]
    )

    assert [one.event for one in metered] == ["first", "wrapped", ""]
    assert total_j(metered) == pytest.approx(300.0)


def test_an_ambiguous_wrap_counts_what_is_certain() -> None:
    """Rule 2: the rest may be a turn of 1000 J or none; the time is unmeasured."""
    small = cpu(wraps_at=1_000_000_000)

    metered = play(Meter(), small, [(0, 0, None), (60, 4300, None)])

    assert metered[1].event == "ambiguous"
    assert metered[1].energy_j == pytest.approx(300.0)
    assert metered[1].unmeasured_s == pytest.approx(60.0)


def test_a_reset_without_a_gauge_is_unmeasured() -> None:
    """Missing is not zero: the interval has no energy, not an energy of 0 J."""
    small = cpu(wraps_at=10_000_000_000)

    metered = play(Meter(), small, [(0, 5000, None), (1, 4000, None), (2, 4100, None)])

    assert metered[1] == Metered(None, Seconds(1.0), Seconds(1.0), "reset")
    assert total_j(metered) == pytest.approx(100.0)


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


# --- gauges -----------------------------------------------------------------


def test_a_gauge_is_integrated_by_the_trapezoid() -> None:
    """Rule 3: 100 to 200 W in 1 s and 200 to 0 W in 2 s."""
    metered = play(Meter(), GAUGE, [(0, None, 100), (1, None, 200), (3, None, 0)])

    assert [one.energy_j for one in metered] == [None, 150.0, 200.0]


def test_a_gap_of_three_intervals_is_bridged() -> None:
    """Rule 3: two readings may fail, and ticks need not be quite on time."""
    metered = play(Meter(), GAUGE, [(0, None, 100), (3.09, None, 100)])

    assert total_j(metered) == pytest.approx(309.0)
    assert unmeasured_s(metered) == 0


def test_a_longer_gap_is_unmeasured_and_not_bridged() -> None:
    """Rule 3: the gauge says nothing of what it did not see."""
    metered = play(Meter(), GAUGE, [(0, None, 100), (4, None, 100), (5, None, 100)])

    assert metered[1] == Metered(None, Seconds(4.0), Seconds(4.0))
    assert total_j(metered) == pytest.approx(100.0)


def test_a_gauge_that_shows_nothing_leaves_its_interval_unmeasured() -> None:
    """Both ends of a trapezoid are needed."""
    metered = play(
        Meter(),
        GAUGE,
        [(0, None, 100), (1, None, None), (2, None, 100), (3, None, 100)],
    )

    assert unmeasured_s(metered) == pytest.approx(2.0)
    assert total_j(metered) == pytest.approx(100.0)


@pytest.mark.parametrize("power_w", [nan, inf, -1.0, 1000.1])
def test_power_that_the_device_cannot_draw_is_missing(power_w: float) -> None:
    """One NaN in a total is a NaN for ever."""
    metered = play(
        Meter(),
        GAUGE,
        [(0, None, 100), (1, None, power_w), (2, None, 100), (3, None, 100)],
    )

    assert unmeasured_s(metered) == pytest.approx(2.0)
    assert total_j(metered) == pytest.approx(100.0)


def test_a_gap_beside_a_standing_counter_is_told_when_the_integral_takes_over() -> None:
    """The part that the gauge saw is counted, the rest is unmeasured."""
    rows = [
        *running(0, 3),
        *stuck(3, 6, 200, 100),
        *((t, 200, None) for t in range(6, 9)),
        *stuck(9, 13, 200, 100),
    ]

    metered = play(Meter(), GPU, rows)

    assert metered[12].event == "broken"
    assert metered[12].unmeasured_s == pytest.approx(4.0)
    assert metered[12].energy_j == pytest.approx(600.0)


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
