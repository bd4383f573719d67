from datetime import UTC, datetime
from pathlib import Path

import pytest

import exporter.carbon
from exporter.carbon.yearly import YearlyIntensity, known_zones
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds

_NOW = Seconds(1_800_000_000.0)


def test_a_country_has_its_latest_yearly_figure() -> None:
    """Level 2: better than the world, worse than live."""
    source = YearlyIntensity("DE")

    intensity = source.current(_NOW)

    assert (intensity.zone, intensity.value) == ("DE", 344.14)
    assert (intensity.provider, intensity.factors) == ("owid-yearly", "lifecycle")
    assert (intensity.signal, intensity.fallback_level) == ("average", 2)
    assert intensity.estimated is False
    assert source.advice is None


def test_a_yearly_figure_speaks_of_its_year_up_to_the_last_second() -> None:
    """Its age is told by this, and it is never taken for a recent one."""
    intensity = YearlyIntensity("DE").current(_NOW)

    assert intensity.observed_unix_s is not None
    assert datetime.fromtimestamp(intensity.observed_unix_s, UTC) == datetime(
        2024, 12, 31, 23, 59, 59, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("zone", "value"),
    [("US-CAL-CISO", 383.55), ("DK-DK1", 143.30), ("GB-NIR", 210.89), ("EU", 237.49)],
)
def test_a_part_of_a_country_has_the_figure_of_the_country(
    zone: str, value: float
) -> None:
    """The label says what was configured, whoever provides the figure today."""
    intensity = YearlyIntensity(zone).current(_NOW)

    assert (intensity.zone, intensity.value) == (zone, value)
    assert intensity.fallback_level == 2


def test_a_zone_in_small_letters_is_known_too() -> None:
    """Some providers write "de"."""
    assert YearlyIntensity("de").current(_NOW).value == 344.14


def test_no_zone_is_the_world_with_advice_how_to_set_one() -> None:
    """A node's address is never used to guess where it stands."""
    source = YearlyIntensity(None)

    intensity = source.current(_NOW)

    assert (intensity.zone, intensity.value) == ("WORLD", 473.01)
    assert intensity.fallback_level == 3
    assert source.advice is not None
    assert "carbon.zone" in source.advice


def test_a_figure_of_zero_is_not_believed() -> None:
    """A gap in the statistics may not make electricity free of carbon."""
    source = YearlyIntensity("CF")

    intensity = source.current(_NOW)

    assert (intensity.zone, intensity.value) == ("CF", 473.01)
    assert intensity.fallback_level == 3
    assert source.advice is not None
    assert "carbon.intensity" in source.advice


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("Germany", "DE (Germany)"),
        ("GERMNY", "DE (Germany)"),
        ("DEU", "DE (Germany)"),
        ("USA-CA", "US (United States)"),
    ],
)
def test_an_unknown_zone_is_refused_with_what_may_be_meant(
    zone: str, meant: str
) -> None:
    """A wrong zone must stop the daemon, not bill the world's average."""
    with pytest.raises(ConfigError) as refusal:
        YearlyIntensity(zone)

    assert "carbon.zone" in str(refusal.value)
    assert repr(zone) in str(refusal.value)
    assert meant in str(refusal.value)


@pytest.mark.parametrize("zone", ["", "-", "QQQQQQ", "🦀"])
def test_an_unknown_zone_that_resembles_none_is_refused_too(zone: str) -> None:
    """There is nothing to propose, but the form of a zone."""
    with pytest.raises(ConfigError, match="two letters"):
        YearlyIntensity(zone)


def test_every_known_zone_has_a_positive_figure_and_a_past_year() -> None:
    """The data is what the code takes it for."""
    zones = known_zones()

    intensities = [YearlyIntensity(zone).current(_NOW) for zone in zones]

    assert {"DE", "EU", "WORLD"} <= set(zones)
    assert all(0 < intensity.value < 2000 for intensity in intensities)
    assert all((it.observed_unix_s or _NOW) < _NOW for it in intensities)


def test_the_figures_come_with_their_attribution() -> None:
    """CC-BY-4.0 asks for it, wherever they go."""
    (package,) = exporter.carbon.__path__
    text = (Path(package) / "data" / "ATTRIBUTION.md").read_text()

    assert "Our World in Data" in text
    assert "Ember" in text
    assert "Energy Institute" in text
    assert "CC-BY-4.0" in text
