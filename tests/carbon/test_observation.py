from math import inf, nan

import pytest

from exporter.carbon.errors import ImplausibleError, UnavailableError
from exporter.carbon.observation import (
    forecast_of,
    newest_begun,
    plausible,
)
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW, observation


@pytest.mark.parametrize("value", [0.001, 12, 2000])
def test_what_a_grid_can_have_is_believed(value: float) -> None:
    """From a fjord in spring to lignite alone."""
    assert plausible(value) == value


@pytest.mark.parametrize("value", [0, -0.0, -1, 2000.1, 1e300, nan, inf, -inf])
def test_what_no_grid_has_cannot_be_built(value: float) -> None:
    """So that nobody has to check it again."""
    for build in (
        lambda: plausible(value),
        lambda: observation(value),
    ):
        with pytest.raises(ImplausibleError):
            build()


@pytest.mark.parametrize("unix_s", [0.0, -1.0, 1e12, nan, inf])
def test_a_time_that_cannot_be_cannot_be_built(unix_s: float) -> None:
    """Milliseconds taken for seconds are in another age."""
    with pytest.raises(ImplausibleError, match="this century"):
        observation(observed_unix_s=unix_s)


@pytest.mark.parametrize("length_s", [0.0, -900.0, 1e9, nan])
def test_a_slot_without_a_credible_length_cannot_be_built(length_s: float) -> None:
    """A value that is live for years is the last value for ever."""
    with pytest.raises(ImplausibleError, match="length"):
        observation(slot_s=length_s)
    with pytest.raises(ImplausibleError, match="length"):
        observation(live_for_s=length_s)


def test_a_forecast_is_in_order_and_without_what_cannot_be() -> None:
    """It is advice: a gap is better than no forecast."""
    points = forecast_of(
        [(Seconds(NOW + 900), 2.0), (NOW, 1.0), (NOW, 3.0), (Seconds(NOW + 1800), 0.0)],
        Seconds(900.0),
    )

    assert [(p.begin_unix_s - NOW, p.value) for p in points] == [
        (0.0, 3.0),
        (900.0, 2.0),
    ]


def test_the_newest_value_that_has_begun_is_that_of_now() -> None:
    """Values to come are in the same list, and clocks differ a little."""
    ahead = (Seconds(NOW + 200), 3.0)

    assert newest_begun([(NOW, 2.0), (Seconds(NOW - 1), 1.0), ahead], NOW, "DE")[1] == 2
    assert newest_begun([ahead], NOW, "DE") == ahead
    for none in ([], [(Seconds(NOW + 301), 1.0)]):
        with pytest.raises(UnavailableError, match="no value of DE"):
            newest_begun(none, NOW, "DE")
