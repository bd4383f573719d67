import pytest

from exporter.carbon.auto import provider_for
from exporter.carbon.entsoe import Entsoe
from exporter.carbon.entsoe_areas import AREAS
from exporter.carbon.generation_factors import GRAMS_PER_KWH, OTHER
from exporter.carbon.secret import Secret
from exporter.carbon.yearly import YearlyIntensity
from exporter.core.units import Seconds

_EIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("GB", "neso"),
        ("gb", "neso"),
        ("GB-R13", "neso"),
        ("GB-RG10", "neso"),
        ("DK-DK1", "energi-data-service"),
        ("DK2", "energi-data-service"),
        ("FR", "rte-eco2mix"),
        ("DE", "energy-charts"),
        ("de", "energy-charts"),
        ("DK", "energy-charts"),
        ("CH", "energy-charts"),
    ],
)
def test_a_zone_in_europe_has_a_provider_that_needs_no_token(
    zone: str, name: str
) -> None:
    """One line of configuration, and the intensity is live."""
    provider = provider_for(zone)

    assert provider is not None
    assert provider.traits.name == name
    assert provider.traits.signal == "average"


@pytest.mark.parametrize("zone", ["US-CAL-CISO", "SE-SE3", "GB-NIR", "SG", "WORLD", ""])
def test_a_zone_nobody_tells_for_nothing_has_none(zone: str) -> None:
    """A country is not taken for a part of it, nor a neighbour for a neighbour."""
    assert provider_for(zone) is None


@pytest.mark.parametrize("zone", AREAS)
def test_the_code_of_an_area_ends_with_its_check_character(zone: str) -> None:
    """A slip of one character would be another country's generation."""
    code = AREAS[zone]

    total = sum(_EIC.index(c) * (16 - i) for i, c in enumerate(code[:15]))
    assert len(code) == 16
    assert code[15] == _EIC[36 - (total - 1) % 37]
    assert Entsoe(Secret("t")).covers(zone.lower())
    assert YearlyIntensity(zone).current(Seconds(0.0)).fallback_level == 2


def test_every_kind_of_plant_has_a_factor() -> None:
    """One without would be left out of the mix, or be free of carbon."""
    kinds = {f"B{number:02}" for number in range(1, 21)}

    assert set(GRAMS_PER_KWH) == kinds
    assert OTHER in kinds
    assert all(10 < grams < 900 for grams in GRAMS_PER_KWH.values())
