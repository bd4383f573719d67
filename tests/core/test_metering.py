from math import inf, nan

import pytest

from exporter.core.metering import Meter, Metered
from exporter.core.units import Joules, Seconds
from tests.fakes.meter_rows import play, running, stuck, total_j, unmeasured_s
from tests.fakes.node import cpu, gpu, reading

GPU = gpu()
GAUGE = gpu(counter=False)
PACKAGE = cpu()


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
    """Rule 2: there may be more turns of 1000 J; the time is unmeasured."""
    small = cpu(wraps_at=1_000_000_000)

    metered = play(Meter(), small, [(500, 0, None), (560, 4300, None)])

    assert metered[1].event == "ambiguous"
    assert metered[1].energy_j == pytest.approx(300.0)
    assert metered[1].unmeasured_s == pytest.approx(60.0)


def test_a_reset_without_a_gauge_is_unmeasured() -> None:
    """Missing is not zero: the interval has no energy, not an energy of 0 J."""
    small = cpu(wraps_at=10_000_000_000)

    metered = play(Meter(), small, [(0, 5000, None), (1, 4000, None), (2, 4100, None)])

    assert metered[1] == Metered(None, Seconds(1.0), Seconds(1.0), "reset")
    assert total_j(metered) == pytest.approx(100.0)


# --- gauges -----------------------------------------------------------------


def test_a_counter_nobody_watched_may_have_restarted_and_proves_the_least() -> None:
    """Rule 2: a restart that has passed the old count again looks like an advance."""
    meter = Meter()
    meter.advance(reading(gpu(), 0, 1000, 100), Seconds(1.0))
    back = reading(gpu(), 9, 1300, 100)._replace(may_have_restarted=True)

    metered = meter.advance(back, Seconds(1.0))

    assert metered.energy_j == pytest.approx(300.0)
    assert metered.unmeasured_s == pytest.approx(9.0)
    assert metered.event == "ambiguous"


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


def test_what_is_a_gap_depends_on_the_interval() -> None:
    """25 s are no gap for who reads each 10 s, and one for who reads each 5 s."""
    first, second = (reading(GAUGE, time_s, None, 100.0) for time_s in (0.0, 25.0))

    energies = []
    for interval_s in (Seconds(10.0), Seconds(5.0)):
        meter = Meter()
        meter.advance(first, interval_s)
        energies.append(meter.advance(second, interval_s).energy_j)

    assert energies == [2500.0, None]


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
