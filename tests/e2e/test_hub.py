import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hub import Hub, running
from tests.e2e.waiting import until
from tests.fakes.carbon_server import Play
from tests.fakes.command_line import jouled
from tests.fakes.played_providers import PlayedProviders, played_providers
from tests.fakes.played_time import PlayedTime

pytestmark = pytest.mark.e2e

INTENSITY = "jouled_carbon_intensity_grams_per_kwh"
FETCHES = "jouled_carbon_fetches_total"
HOUR_S = 3600.0


# Nearly still: however long a test takes, no further call is due meanwhile.
STILL = 0.001


@pytest.fixture
def clock() -> PlayedTime:
    """Return the clock of hub and providers."""
    return PlayedTime.begin(STILL)


@pytest.fixture
def providers(clock: PlayedTime) -> Iterator[PlayedProviders]:
    """Return providers that are played."""
    with played_providers(clock.unix) as played:
        yield played


def germany(providers: PlayedProviders, *further: str) -> str:
    """Return a file with Germany, from Energy-Charts, and further lines."""
    lines = (
        "zones:",
        "  DE:",
        "providers:",
        f"  energy-charts: {{url: {providers.url}}}",
    )
    return "\n".join([*lines, *further, ""])


@pytest.fixture
def hub(tmp_path: Path, providers: PlayedProviders, clock: PlayedTime) -> Iterator[Hub]:
    """Return a hub of Germany that runs."""
    with running(Hub(tmp_path, germany(providers), clock=clock)) as started:
        yield started


def test_a_node_gets_value_and_forecast(hub: Hub, providers: PlayedProviders) -> None:
    """Live, with everything that is needed to know how long it is."""
    answer = hub.intensity()

    assert answer["intensity_g_per_kwh"] == providers.value
    assert (answer["provider"], answer["fallback_level"]) == ("energy-charts", 0)
    assert answer["valid_until_unix_s"] > answer["unix_s"]
    ahead = [point["begin_unix_s"] - answer["unix_s"] for point in answer["forecast"]]
    assert ahead == sorted(ahead)
    assert ahead[0] <= 900.0
    assert ahead[-1] > 22 * HOUR_S


def test_nodes_cost_the_provider_nothing(hub: Hub, providers: PlayedProviders) -> None:
    """What thousands of them ask for was asked for once."""
    etag = hub.ask("/api/v1/intensity?zone=DE").headers["etag"]
    for _ in range(20):
        again = hub.ask("/api/v1/intensity?zone=de", {"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
    for zone in ("FR", "GB", "../login"):
        assert hub.ask(f"/api/v1/intensity?zone={zone}").status_code == 404

    scrape = hub.scrape()

    assert len(providers.server.asks) == 1
    assert scrape.value(FETCHES, outcome="ok") == 1
    requests = "jouled_hub_intensity_requests_total"
    counted = [scrape.value(requests, code=code) for code in ("200", "304", "404")]
    assert counted == [1, 20, 3]


def test_it_starts_without_a_network_and_stops_with_success(
    tmp_path: Path, providers: PlayedProviders
) -> None:
    """A site boots as a whole; the network may be the last to come."""
    providers.is_dead = True
    with running(Hub(tmp_path, germany(providers))) as hub:
        answer = hub.intensity()
        feed = hub.hub()["feeds"][0]

        assert (answer["provider"], answer["fallback_level"]) == ("owid-yearly", 2)
        assert (feed["outcome"], feed["failures"]) == ("unavailable", 1)
        assert "500" in feed["error"]
        assert hub.ask("/healthz").json() == {"status": "ok"}
        assert hub.stop() == 0
        assert "Traceback" not in hub.said()


def test_the_last_good_value_outlives_a_restart(
    tmp_path: Path, providers: PlayedProviders, clock: PlayedTime
) -> None:
    """Also one without a chance to say goodbye."""
    with running(Hub(tmp_path, germany(providers), clock=clock)) as hub:
        before = hub.intensity()
        kept = until(lambda: list(hub.state.glob("carbon-intensity.json")), "the file")
        assert json.loads(kept[0].read_text())["values"]
        hub.kill()
        providers.is_dead = True
        hub.start()

        after = hub.intensity()

    for field in (
        "intensity_g_per_kwh",
        "provider",
        "observed_unix_s",
        "fetched_unix_s",
    ):
        assert after[field] == before[field]
    assert after["fallback_level"] == 0


def test_a_reload_takes_on_everything(hub: Hub, providers: PlayedProviders) -> None:
    """Zones come and go; what is known stays, and counters go on."""
    before = hub.intensity()
    text = germany(
        providers,
        f"  site: {{type: http-json, url: {providers.url}/feed, value: now.value, "
        "time: now.at}",
    ).replace("  DE:", "  DE:\n  FR: {providers: site}")

    hub.reload(text)

    hub.wait_for(lambda answer: answer["provider"] == "site", "France", zone="FR")
    assert hub.intensity()["intensity_g_per_kwh"] == before["intensity_g_per_kwh"]
    assert hub.intensity()["forecast"]
    assert hub.scrape().value(FETCHES, provider="energy-charts", outcome="ok") >= 1
    zones = [zone["zone"] for zone in hub.ask("/api/v1/zones").json()["zones"]]
    assert zones == ["DE", "FR"]

    hub.reload(germany(providers))

    assert hub.ask("/api/v1/intensity?zone=FR").status_code == 404
    scrape = hub.scrape()
    assert scrape.series(INTENSITY, zone="FR") == []
    assert scrape.value(FETCHES, provider="site", outcome="ok") == 1


def test_a_reload_is_refused_whole(hub: Hub, providers: PlayedProviders) -> None:
    """A typing error at night must not cost the site its numbers."""
    hub.reload(germany(providers) + "zone: {}\n")

    assert hub.intensity()["intensity_g_per_kwh"] == providers.value
    assert "hub.yml:5: zone: no such key" in hub.said()
    assert hub.hub()["reload_refused"] is True
    name = "jouled_hub_config_last_reload_successful"
    assert hub.scrape().value(name) == 0

    hub.reload(germany(providers))

    assert hub.scrape().value(name) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_when_told_to(hub: Hub, number: signal.Signals) -> None:
    """A supervisor sees success."""
    hub.send(number)

    assert hub.wait() == 0
    assert f"signal={number.name}" in hub.said()
    assert "Traceback" not in hub.said()


def test_it_ends_although_a_provider_does_not_answer(
    tmp_path: Path, providers: PlayedProviders
) -> None:
    """What is outstanding is given up."""
    providers.server.play("/co2eq", Play(behaviour="silence"))
    hub = Hub(tmp_path, germany(providers))
    try:
        hub.launch()
        until(lambda: providers.asked("/co2eq"), "the call")

        assert hub.stop() == 0
    finally:
        hub.close()


def test_a_port_that_is_taken_is_told_in_one_line(hub: Hub, tmp_path: Path) -> None:
    """With the remedy, and another code than a wrong configuration."""
    flags = ("--state.dir", tmp_path / "other", "--config.file", hub.file)
    address = f"127.0.0.1:{hub.port}"

    done = jouled("hub", *flags, "--web.listen-address", address)

    assert done.returncode == 1
    (line,) = [one for one in done.stderr.splitlines() if "level=error" in one]
    assert "another program listens there" in line
    assert "--web.listen-address" in line


def test_two_hubs_do_not_share_a_directory(hub: Hub) -> None:
    """They would write the same file; two hubs are two machines."""
    flags = ("--state.dir", hub.state, "--config.file", hub.file)

    done = jouled("hub", *flags, "--web.listen-address", "127.0.0.1:0")

    assert done.returncode == 1
    assert "another jouled uses" in done.stderr


def test_a_configuration_can_be_looked_at_without_starting(tmp_path: Path) -> None:
    """Before a reload, and in the CI of a site's configuration."""
    file = tmp_path / "hub.yml"
    file.write_text("zones:\n  DE:\n  US-TEX-ERCO:\n")

    good = jouled("hub", "--config.file", file, "--check")
    file.write_text("zones:\n  DE:\n  GERMANY:\n")
    bad = jouled("hub", "--config.file", file, "--check")

    assert (good.returncode, good.stderr) == (0, "")
    assert "DE           energy-charts" in good.stdout
    assert "the page shows no cluster; prometheus: url:" in good.stdout
    assert f"{file}:3: US-TEX-ERCO: no provider without a token" in good.stdout
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith(f"jouled: error: {file}:3: GERMANY: no country")
    assert bad.stderr.count("\n") == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool on PATH")
def test_promtool_has_nothing_to_say_about_a_scrape(
    tmp_path: Path, providers: PlayedProviders
) -> None:
    """With every metric that there is."""
    text = f"""
zones: {{DE: {{providers: [energy-charts, watttime]}}}}
providers:
  energy-charts: {{url: {providers.url}}}
  watttime: {{url: {providers.url}, user: ada, password: x}}
"""
    with running(Hub(tmp_path, text)) as hub:
        scrape = hub.scrape()
        accept = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
        openmetrics = hub.ask("/metrics", accept)

    assert scrape.value(INTENSITY, signal="average") == providers.value
    assert scrape.value(INTENSITY, signal="marginal") > 0
    forecast = "jouled_carbon_intensity_forecast_grams_per_kwh"
    assert scrape.value(forecast, zone="DE", horizon="3h") > providers.value
    assert openmetrics.headers["content-encoding"] == "gzip"
    assert openmetrics.text.endswith("# EOF\n")
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scrape.text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
