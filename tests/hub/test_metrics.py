from pathlib import Path

from exporter.carbon.errors import CredentialsError
from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds
from tests.e2e.exposition import Scrape
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import traits
from tests.fakes.hub import HubWorld

INTENSITY = "jouled_carbon_intensity_grams_per_kwh"
FORECAST = "jouled_carbon_intensity_forecast_grams_per_kwh"
FETCHES = "jouled_carbon_fetches_total"
HOUR_S = 3600.0


def scrape(world: HubWorld) -> Scrape:
    """Scrape a hub."""
    return Scrape(world.asker.get("/metrics").text)


def test_a_value_carries_who_told_it_and_what_it_is(tmp_path: Path) -> None:
    """With the names and labels of a node, so that one query serves both."""
    also = FakeProvider(traits("advice", signal="marginal"), value=700.0)
    world = HubWorld(tmp_path, DE=(FakeProvider(value=321.0), also))
    world.poll()

    found = scrape(world)

    assert found.series(INTENSITY) == [
        (
            {
                "zone": "DE",
                "provider": "one",
                "signal": "average",
                "factors": "lifecycle",
            },
            321.0,
        ),
        (
            {
                "zone": "DE",
                "provider": "advice",
                "signal": "marginal",
                "factors": "lifecycle",
            },
            700.0,
        ),
    ]
    prefix = "jouled_carbon_intensity"
    assert found.value(f"{prefix}_observed_timestamp_seconds", zone="DE") == NOW
    assert found.value(f"{prefix}_fallback_level", zone="DE") == 0
    assert found.value(f"{prefix}_estimated", zone="DE") == 0


def test_the_series_of_who_told_it_before_is_gone(tmp_path: Path) -> None:
    """Else a sum over providers would count a zone twice, and a dead value live on."""
    one, two = FakeProvider(value=321.0), FakeProvider(traits("two"), value=99.0)
    world = HubWorld(tmp_path, DE=(one, two))
    world.poll()
    before = scrape(world).series(INTENSITY)
    one.failure = CredentialsError("no")
    world.pass_s(1000.0)
    world.poll()

    (series,) = scrape(world).series(INTENSITY)

    assert [labels["provider"] for labels, _ in before] == ["one"]
    assert (series[0]["provider"], series[1]) == ("two", 99.0)


def test_a_horizon_is_what_is_expected_at_that_moment(tmp_path: Path) -> None:
    """Not a mean; and absent where no forecast reaches."""
    outlook = tuple(
        ForecastPoint(
            Seconds(NOW + hour * HOUR_S), Seconds(HOUR_S), GramsPerKwh(100.0 + hour)
        )
        for hour in range(13)
    )
    world = HubWorld(tmp_path, DE=(FakeProvider(outlook=outlook),), FR=())
    world.poll()

    found = {
        (labels["zone"], labels["horizon"]): value
        for labels, value in scrape(world).series(FORECAST)
    }

    assert found == {
        ("DE", "1h"): 101.0,
        ("DE", "3h"): 103.0,
        ("DE", "6h"): 106.0,
        ("DE", "12h"): 112.0,
    }


def test_fetches_are_counted_from_zero_and_go_on_over_a_reload(tmp_path: Path) -> None:
    """A counter that falls, or begins with 1, is read wrongly."""
    provider = FakeProvider()
    world = HubWorld(tmp_path, DE=(provider,))
    fresh = scrape(world).value(FETCHES, provider="one", outcome="ok")
    world.poll()
    world.replace(FR=(FakeProvider(traits("two")),))
    gone = scrape(world).value(FETCHES, provider="one", outcome="ok")
    world.replace(DE=(provider,))
    world.pass_s(400.0)
    world.poll()

    found = scrape(world)

    assert (fresh, gone) == (0.0, 1.0)
    assert found.value(FETCHES, provider="one", outcome="ok") == 2.0
    assert found.value(FETCHES, provider="two", outcome="ok") == 0.0


def test_a_scrape_can_be_had_in_both_formats(tmp_path: Path) -> None:
    """As from a node."""
    world = HubWorld(tmp_path, DE=(FakeProvider(),))

    text = world.asker.get("/metrics")
    openmetrics = world.asker.get(
        "/metrics",
        {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"},
    )

    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert openmetrics.headers["content-encoding"] == "gzip"
    assert openmetrics.text.endswith("# EOF\n")
    assert "# UNIT jouled_carbon_intensity_grams_per_kwh grams_per_kwh\n" in (
        openmetrics.text
    )
    assert 'jouled_build_info{python="' in text.text
    assert "process_cpu_seconds_total" in text.text
