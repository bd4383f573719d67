from dataclasses import replace

import pytest

from exporter.core.emissions import (
    grams_per_joule,
    is_fallback,
    market_grams_per_joule,
)
from exporter.core.units import GramsPerKwh
from tests.fakes.node import GREEN


def test_a_kilowatt_hour_in_the_node_emits_intensity_times_pue() -> None:
    """Cooling draws power for the job too: 400 g/kWh at PUE 1.5 is 600 g."""
    assert grams_per_joule(GREEN, 1.5) * 3.6e6 == pytest.approx(600.0)


def test_contracts_have_their_own_figure_and_the_same_pue() -> None:
    """Cooling is bought by them too; contracts may be free of carbon."""
    assert market_grams_per_joule(GramsPerKwh(50.0), 1.5) * 3.6e6 == pytest.approx(75.0)
    assert market_grams_per_joule(GramsPerKwh(0.0), 1.5) == 0.0


def test_marginal_intensity_is_never_counted() -> None:
    """It is advice; the sum of marginal grams is nobody's emissions."""
    marginal = replace(GREEN, signal="marginal", value=GramsPerKwh(700.0))

    with pytest.raises(ValueError, match="marginal intensity of DE"):
        grams_per_joule(marginal, 1.0)


def test_only_live_and_fixed_figures_are_no_fallback() -> None:
    """Last good, yearly and world figures are counted apart."""
    assert not is_fallback(GREEN)
    assert is_fallback(replace(GREEN, fallback_level=1))
    assert is_fallback(replace(GREEN, fallback_level=2))
    assert is_fallback(replace(GREEN, fallback_level=3))
