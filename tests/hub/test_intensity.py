import json
from pathlib import Path

import pytest

from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds
from exporter.exposition.intensity_models import IntensityAnswer
from exporter.hub.api_models import HubIntensityAnswer
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import traits
from tests.fakes.hub import HubWorld

DE = "/api/v1/intensity?zone=DE"
HOUR_S = 3600.0


def outlook(hours: int) -> tuple[ForecastPoint, ...]:
    """Return a forecast: 100 g/kWh in the first hour from now, then 101 and so on."""
    return tuple(
        ForecastPoint(
            Seconds(NOW + hour * HOUR_S), Seconds(HOUR_S), GramsPerKwh(100.0 + hour)
        )
        for hour in range(hours)
    )


@pytest.fixture
def provider() -> FakeProvider:
    """Return a provider of five minutes, live for fifteen, that expects six hours."""
    return FakeProvider(value=321.0, outlook=outlook(6))


@pytest.fixture
def world(tmp_path: Path, provider: FakeProvider) -> HubWorld:
    """Return a hub of one zone that was asked once."""
    world = HubWorld(tmp_path, DE=(provider,))
    world.poll()
    return world


def test_the_answer_has_all_that_a_node_needs(world: HubWorld) -> None:
    """Nodes are built against exactly this."""
    world.pass_s(10.0)

    answer = world.asker.get(DE)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "unix_s": NOW + 10.0,
        "zone": "DE",
        "provider": "one",
        "intensity_g_per_kwh": 321.0,
        "signal": "average",
        "factors": "lifecycle",
        "estimated": False,
        "fallback_level": 0,
        "observed_unix_s": NOW,
        "age_s": 10.0,
        "slot_s": 300.0,
        "valid_until_unix_s": NOW + 900.0,
        "fetched_unix_s": NOW,
        "forecast": [
            {
                "begin_unix_s": NOW + hour * HOUR_S,
                "slot_s": HOUR_S,
                "intensity_g_per_kwh": 100.0 + hour,
            }
            for hour in range(6)
        ],
        "marginal": None,
    }


def test_the_answer_is_what_a_node_answers_and_more(world: HubWorld) -> None:
    """A program that reads one of them can read the other."""
    answer = world.asker.get(DE).json()

    assert set(IntensityAnswer.model_fields) <= set(answer)
    assert set(HubIntensityAnswer.model_fields) == set(answer)
    HubIntensityAnswer.model_validate(answer)


def test_what_a_node_has_already_is_not_sent_again(world: HubWorld) -> None:
    """Age alone is no news: thousands of nodes ask again and again."""
    first = world.asker.get(DE)
    world.pass_s(60.0)

    for tag in (first.headers["etag"], f'"other", {first.headers["etag"]}', "*"):
        second = world.asker.get(DE, {"If-None-Match": tag})

        assert (second.status_code, second.content) == (304, b"")
        assert second.headers["etag"] == first.headers["etag"]
        assert "max-age=" in second.headers["cache-control"]


def test_a_value_that_is_told_once_more_is_no_news(
    world: HubWorld, provider: FakeProvider
) -> None:
    """A provider repeats the value of its slot."""
    first = world.asker.get(DE)
    world.pass_s(360.0)
    world.poll()
    second = world.asker.get(DE)
    assert second.headers["etag"] != first.headers["etag"], "another slot is news"

    world.replace(DE=(provider,))
    world.pass_s(31.0)
    world.poll()
    third = world.asker.get(DE)

    assert third.json()["fetched_unix_s"] > second.json()["fetched_unix_s"]
    assert third.headers["etag"] == second.headers["etag"]


def test_a_change_of_level_is_news(world: HubWorld) -> None:
    """The number is the same, and worth less."""
    live = world.asker.get(DE)
    world.pass_s(900.0)
    kept = world.asker.get(DE, {"If-None-Match": live.headers["etag"]})
    world.pass_s(6 * HOUR_S)
    yearly = world.asker.get(DE, {"If-None-Match": kept.headers["etag"]})

    assert (kept.status_code, yearly.status_code) == (200, 200)
    assert kept.json()["fallback_level"] == 1
    assert kept.json()["intensity_g_per_kwh"] == 321.0
    assert kept.json()["valid_until_unix_s"] == NOW + 6 * HOUR_S
    assert yearly.json()["fallback_level"] == 2
    assert yearly.json()["provider"] == "owid-yearly"
    for key in ("slot_s", "valid_until_unix_s", "fetched_unix_s"):
        assert yearly.json()[key] is None


def test_the_answer_says_when_to_ask_again(world: HubWorld) -> None:
    """Not before there can be something new, and not much later."""
    due_s = world.desk.site.poller.next_unix_s("DE")
    assert due_s is not None
    first = world.asker.get(DE).headers["cache-control"]
    world.pass_s(due_s - NOW - 20.0)
    shortly_before = world.asker.get(DE).headers["cache-control"]
    world.pass_s(500.0)
    overdue = world.asker.get(DE).headers["cache-control"]

    assert first == "max-age=300"
    assert shortly_before == "max-age=25"
    assert overdue == "max-age=15"


def test_nobody_upstream_is_asked_because_somebody_asks(
    world: HubWorld, provider: FakeProvider
) -> None:
    """Nor for a zone that nobody configured: else anybody could make us ask."""
    for zone in ("DE", "FR", "US-CAL-CISO", "../admin"):
        world.asker.get(f"/api/v1/intensity?zone={zone}")

    assert len(provider.asked) == 1


def test_a_zone_may_be_spelt_as_one_likes(world: HubWorld) -> None:
    """The answer has the spelling of the configuration."""
    assert world.asker.get("/api/v1/intensity?zone=de").json()["zone"] == "DE"


@pytest.mark.parametrize(("query", "code"), [("?zone=XX", 404), ("?zone=", 400)])
def test_who_asks_for_another_zone_is_told_which_there_are(
    world: HubWorld, query: str, code: int
) -> None:
    """A misspelt zone is the most common mistake on a node."""
    answer = world.asker.get(f"/api/v1/intensity{query}")

    assert answer.status_code == code
    assert answer.json()["zones"] == ["DE"]


def test_head_is_answered_and_other_methods_are_not(world: HubWorld) -> None:
    """What answers round the framework has to keep the rules of HTTP too."""
    assert world.asker.ask("HEAD", DE).status_code == 200
    refused = world.asker.ask("POST", DE)

    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD"


def test_a_marginal_value_is_told_beside_the_average(tmp_path: Path) -> None:
    """It is advice: only as long as it is live, and never in place of the average."""
    also = FakeProvider(traits("advice", signal="marginal"), value=700.0)
    world = HubWorld(tmp_path, DE=(also, FakeProvider(value=321.0)))
    before = world.asker.get(DE).json()
    world.poll()

    now = world.asker.get(DE).json()
    world.pass_s(901.0)
    later = world.asker.get(DE).json()

    assert before["marginal"] is None
    assert now["intensity_g_per_kwh"] == 321.0
    assert now["marginal"] == {
        "provider": "advice",
        "intensity_g_per_kwh": 700.0,
        "factors": "lifecycle",
        "estimated": False,
        "observed_unix_s": NOW,
    }
    assert later["marginal"] is None


def test_a_zone_with_a_marginal_provider_alone_has_its_yearly_figure(
    tmp_path: Path,
) -> None:
    """What is counted is never marginal."""
    also = FakeProvider(traits("advice", signal="marginal"), value=700.0)
    world = HubWorld(tmp_path, DE=(also,))
    world.poll()

    answer = world.asker.get(DE).json()

    assert (answer["provider"], answer["fallback_level"]) == ("owid-yearly", 2)
    assert answer["marginal"]["intensity_g_per_kwh"] == 700.0


def test_a_forecast_that_is_over_is_not_sent(world: HubWorld) -> None:
    """What is expected begins with the slot of now."""
    world.pass_s(2 * HOUR_S)

    forecast = world.asker.get(DE).json()["forecast"]

    assert [point["intensity_g_per_kwh"] for point in forecast] == [102, 103, 104, 105]


def test_the_description_of_the_api_has_the_route_that_goes_round_it(
    world: HubWorld,
) -> None:
    """It is what others build clients from."""
    schema = world.asker.get("/openapi.json").json()

    operation = schema["paths"]["/api/v1/intensity"]["get"]
    assert {"200", "304", "404"} <= set(operation["responses"])
    assert "HubIntensityAnswer" in schema["components"]["schemas"]
    assert {"/api/v1/zones", "/api/v1/hub"} <= set(schema["paths"])


def test_the_zones_are_listed(world: HubWorld) -> None:
    """With who is asked for each."""
    answer = world.asker.get("/api/v1/zones").json()

    assert answer["zones"] == [{"zone": "DE", "providers": ["one"]}]


def test_the_body_is_valid_json_whatever_the_moment(world: HubWorld) -> None:
    """Its first fields are put in by hand."""
    for seconds in (0.0, 0.0005, 1e-7, 1234.5678):
        world.pass_s(seconds)

        body = world.asker.get(DE).content

        assert json.loads(body)["unix_s"] == pytest.approx(world.time.unix_s, abs=0.001)
