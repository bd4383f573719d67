from math import inf, nan

import pytest

from exporter.carbon.static import FixedIntensity, FixedPue
from exporter.core.errors import ConfigError
from exporter.core.units import GramsPerKwh, Seconds


def test_a_fixed_intensity_is_no_fallback_and_never_ages() -> None:
    """The operator's own figure is the best there is."""
    intensity = FixedIntensity(GramsPerKwh(42.5), "DE").current(Seconds(0.0))

    assert (intensity.value, intensity.zone) == (42.5, "DE")
    assert (intensity.provider, intensity.fallback_level) == ("static", 0)
    assert intensity.observed_unix_s is None
    assert intensity.estimated is False


@pytest.mark.parametrize("value", [0.0, -1.0, nan, inf])
def test_a_fixed_intensity_that_is_no_positive_number_is_refused(value: float) -> None:
    """Electricity free of carbon by a typing error would never be noticed."""
    with pytest.raises(ConfigError, match="positive"):
        FixedIntensity(GramsPerKwh(value), "DE")


def test_a_fixed_pue_never_changes() -> None:
    """So there is no plan for it."""
    pue = FixedPue(1.25)

    assert pue.current(Seconds(0.0)) == pue.current(Seconds(2e9)) == 1.25
    assert pue.plan(Seconds(0.0)) == ()
