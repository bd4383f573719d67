"""The grid that is made up."""

import asyncio

from exporter.carbon.observation import Report
from exporter.carbon.simulated import SimulatedGrid, intensity_at
from exporter.core.units import Seconds
from tests.fakes.carbon_world import NoWeb

_DAY_S = 86_400
_NOON = Seconds(1_795_348_800.0)


def _fetch(unix_s: Seconds) -> Report:
    return asyncio.run(SimulatedGrid().fetch(NoWeb(), ("DE",), unix_s))


def test_it_says_of_itself_that_it_estimates() -> None:
    """No gram that follows from it looks like one of a real grid."""
    report = _fetch(_NOON)

    assert report.observations["DE"].estimated
    assert report.observations["DE"].provider == "simulated"


def test_noon_is_cleaner_than_the_evening_of_the_same_day() -> None:
    """There is something to see in a forecast, and to shift jobs by."""
    for day in range(30):
        noon_s = _NOON + day * _DAY_S

        assert intensity_at(noon_s) < intensity_at(noon_s + 7 * 3600)


def test_its_forecast_comes_true() -> None:
    """What was expected of a slot is what is told once it has begun."""
    expected = {
        point.begin_unix_s: point.value for point in _fetch(_NOON).forecasts["DE"]
    }

    for quarter in range(144):
        later = Seconds(_NOON + quarter * 900)
        assert _fetch(Seconds(later + 400)).observations["DE"].value == expected[later]


def test_whatever_the_time_a_grid_could_have_it() -> None:
    """A value that is refused would be a gap."""
    values = [intensity_at(_NOON + minute * 60) for minute in range(0, 60_000, 7)]

    assert min(values) >= 60
    assert max(values) <= 600
