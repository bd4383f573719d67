"""Great Britain, asked for frozen answers over real HTTP."""

import pytest

from exporter.carbon.errors import (
    NonsenseError,
    NotCoveredError,
)
from exporter.carbon.neso import Neso
from exporter.carbon.observation import Report
from exporter.carbon.provider import Web
from tests.fakes.carbon import NOW, sample
from tests.fakes.carbon_server import CarbonServer, Play
from tests.fakes.carbon_story import play


def test_neso_tells_what_was_measured_in_the_half_hour_of_now() -> None:
    """And what it expects of the next 48 hours, in the same call."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/intensity/2026-11-22T10:30Z/fw48h", Play(sample("neso_national.json"))
        )
        return await Neso(url=server.url).fetch(web, ("GB",), NOW)

    report, _ = play(story)

    told = report.observations["GB"]
    assert (told.value, told.estimated, told.factors) == (163.0, False, "direct")
    assert (told.observed_unix_s, told.slot_s) == (NOW - 600, 1800.0)
    assert [point.value for point in report.forecasts["GB"]] == [
        166.0,
        160.0,
        155.0,
        149.0,
    ]


def test_neso_without_a_measured_value_tells_its_forecast_as_an_estimate() -> None:
    """The half hour of now is not over yet."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("neso_national_forecast_only.json")))
        return await Neso(url=server.url).fetch(web, ("GB",), NOW)

    report, _ = play(story)

    assert report.observations["GB"].value == 166.0
    assert report.observations["GB"].estimated is True


def test_neso_tells_a_region_of_great_britain() -> None:
    """Scotland and London are different grids to a job."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/regional/intensity/2026-11-22T10:30Z/fw48h/regionid/13",
            Play(sample("neso_region.json")),
        )
        return await Neso(url=server.url).fetch(web, ("GB-R13",), NOW)

    report, _ = play(story)

    assert report.observations["GB-R13"].value == 138.0
    assert report.observations["GB-R13"].estimated is True
    assert len(report.forecasts["GB-R13"]) == 2


def test_neso_tells_the_region_of_a_postcode() -> None:
    """The answer is a list where that of a region is an object."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/regional/intensity/2026-11-22T10:30Z/fw48h/postcode/RG10",
            Play(sample("neso_postcode.json")),
        )
        return await Neso(url=server.url).fetch(web, ("GB-RG10",), NOW)

    report, _ = play(story)

    assert report.observations["GB-RG10"].value == 126.0


def test_neso_of_another_region_is_nonsense() -> None:
    """A wrong region is a wrong number that looks right."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("neso_region.json")))
        return await Neso(url=server.url).fetch(web, ("GB-R2",), NOW)

    with pytest.raises(NonsenseError, match="region 2"):
        play(story)


def test_neso_does_not_know_an_invented_postcode() -> None:
    """It says so with 400, and asking more often does not help."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("neso_error.json"), status=400))
        return await Neso(url=server.url).fetch(web, ("GB-ZZ99",), NOW)

    with pytest.raises(NotCoveredError, match="400"):
        play(story)


@pytest.mark.parametrize("zone", ["GB-NIR", "GB-R18", "GB-R0", "GB-BT1", "DE", "GB-"])
def test_neso_is_not_asked_for_what_it_does_not_cover(zone: str) -> None:
    """Northern Ireland has another grid."""

    async def story(server: CarbonServer, web: Web) -> Report:
        assert Neso().covers(zone) is False
        return await Neso(url=server.url).fetch(web, (zone,), NOW)

    with pytest.raises(NotCoveredError, match="not a zone"):
        play(story)
