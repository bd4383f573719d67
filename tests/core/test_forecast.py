from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.forecast import (
    Forecast,
    ForecastPoint,
    Outlook,
    forecast_at,
    greenest_window,
)
from exporter.core.units import GramsPerKwh, Seconds

NOW = Seconds(1_700_000_000.0)
QUARTER_S = Seconds(900.0)
UNKNOWN = GramsPerKwh(1000.0)


def at(seconds: float) -> Seconds:
    """Return a moment so long after ``NOW``."""
    return Seconds(NOW + seconds)


def forecast(*values: float, gap_s: float = 0.0) -> Forecast:
    """Return a forecast of quarters of an hour from ``NOW`` on."""
    return tuple(
        ForecastPoint(at(i * (QUARTER_S + gap_s)), QUARTER_S, GramsPerKwh(value))
        for i, value in enumerate(values)
    )


@pytest.mark.parametrize("number", [0.0, -1.0, nan, inf])
def test_a_point_that_cannot_be_cannot_be_built(number: float) -> None:
    """What is built from a forecast need not check it again."""
    for slot_s, value in ((900.0, number), (number, 100.0)):
        with pytest.raises(ValueError, match="slot"):
            ForecastPoint(NOW, Seconds(slot_s), GramsPerKwh(value))


def test_what_is_expected_at_a_moment_is_that_of_its_slot() -> None:
    """Between slots nobody says anything."""
    points = forecast(1.0, 2.0, gap_s=900.0)

    values = [forecast_at(points, at(s)) for s in (-1, 0, 899, 900, 1800)]

    assert values == [None, 1.0, 1.0, None, 2.0]


def test_the_mean_weighs_each_slot_by_its_time() -> None:
    """Half a slot counts half."""
    outlook = Outlook(forecast(100.0, 300.0))

    assert outlook.mean(at(450), at(1800), UNKNOWN) == pytest.approx(700 / 3)


def test_where_nothing_is_forecast_something_else_is_taken() -> None:
    """Before it, after it, and in its gaps."""
    outlook = Outlook(forecast(100.0, 100.0, gap_s=900.0))

    assert outlook.mean(at(-900), at(3600), UNKNOWN) == pytest.approx(640)
    assert outlook.mean(at(9000), at(9900), UNKNOWN) == UNKNOWN
    assert Outlook(()).mean(NOW, at(1), UNKNOWN) == UNKNOWN


def test_of_slots_that_overlap_the_later_one_counts() -> None:
    """No second is counted twice."""
    outlook = Outlook(
        (
            ForecastPoint(NOW, Seconds(3600.0), GramsPerKwh(100.0)),
            ForecastPoint(at(1800), Seconds(1800.0), GramsPerKwh(300.0)),
        )
    )

    assert outlook.mean(NOW, at(3600), UNKNOWN) == pytest.approx(200)


def test_the_greenest_window_may_begin_within_a_slot() -> None:
    """Where it ends with the clean slots, not where it begins with one."""
    points = forecast(500.0, 200.0, 100.0, 100.0, 400.0)

    best = greenest_window(points, Seconds(2250.0), NOW)

    assert best is not None
    assert (best.begin_unix_s, best.end_unix_s) == (at(1350), at(3600))
    assert best.mean == pytest.approx(120)


def test_of_equal_windows_the_first_is_named() -> None:
    """Nobody waits without a gain."""
    best = greenest_window(forecast(*[0.1 + 0.2] * 9), QUARTER_S, at(10))

    assert best is not None
    assert best.begin_unix_s == at(10)


def test_a_window_with_a_gap_is_not_named() -> None:
    """What nobody knows is not green."""
    points = forecast(100.0, 100.0, gap_s=1.0)

    assert greenest_window(points, Seconds(1000.0), NOW) is None
    assert greenest_window((), QUARTER_S, NOW) is None


@given(
    st.lists(st.floats(1, 2000), min_size=1, max_size=12),
    st.floats(60, 9000),
    st.floats(0, 3000),
)
def test_no_other_window_is_greener(
    values: list[float], length_s: float, from_s: float
) -> None:
    """Tried at every minute."""
    points = forecast(*values)
    outlook = Outlook(points)
    others = [
        outlook.mean(at(begin), at(begin + length_s), UNKNOWN)
        for begin in [from_s + 60 * i for i in range(180)]
        if outlook.covers(at(begin), at(begin + length_s))
    ]

    best = greenest_window(points, Seconds(length_s), at(from_s))

    assert (best is not None) == bool(others)
    if best is not None:
        assert best.mean <= min(others) * (1 + 1e-6)
        assert best.begin_unix_s >= at(from_s)
