"""What dashboards make of days and hours, which no test waits for: they are written."""

import shutil
import time
from collections.abc import Iterator

import httpx
import pytest

from exporter.hub.prometheus.series import key_of
from tests.e2e.peers import Prometheus, started
from tests.fakes.prometheus_blocks import write_blocks
from tests.fakes.series_store import SeriesStore
from tests.grafana.live import Asking
from tests.grafana.reading import Json, dashboards, panel_queries

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("promtool") is None, reason="needs prometheus and promtool"
    ),
]

DAY_S = 86400
MINUTE_S = 60
# Beyond now, so that it does not matter how long the tests take.
AHEAD_S = 1200
WATTS = {"physics": 1000.0, "biology": 250.0}
GRAMS_PER_S = 0.1

TENANT = next(one for one in dashboards() if one.name == "tenant")


def key(**labels: str) -> str:
    """Name a series of the cluster."""
    return key_of({"cluster": "main", "scheduler": "slurm", **labels})


def midnight_of(unix_s: int, days_before: int = 0) -> int:
    """Return when a day began, UTC."""
    return unix_s // DAY_S * DAY_S - days_before * DAY_S


def write_tenants(store: SeriesStore, now_s: int) -> None:
    """Two days and today, in which two tenants always draw the same."""
    # No rule is evaluated at midnight sharp.
    begin_s = midnight_of(now_s, 2) + 7
    name = "cluster_tenant_user:jouled_tenant"
    for tenant, watts in WATTS.items():
        series = key(tenant=tenant, user="ada")
        for time_s in range(begin_s, now_s + AHEAD_S, MINUTE_S):
            store.write(f"{name}_energy_joules:rate5m", series, time_s, watts)
            store.write(f"{name}_emissions_grams:rate5m", series, time_s, GRAMS_PER_S)


def write_jobs(store: SeriesStore, now_s: int) -> None:
    """Two hours of a job that holds four GPUs in vain, and of one that uses two."""
    for job_id, gpus, use in (("7", 4, 0.01), ("8", 2, 0.9)):
        series = key(job_id=job_id, user="ada", account="physics", partition="gpu")
        values = {
            "gpus:sum": gpus,
            "gpus_busy:sum": gpus * use,
            "gpu_utilization:ratio": use,
            "power_watts:sum": 300,
        }
        for metric, value in values.items():
            for time_s in range(now_s - 2 * 3600, now_s + AHEAD_S, MINUTE_S):
                store.write(f"cluster_job:jouled_job_{metric}", series, time_s, value)


@pytest.fixture(scope="module")
def now_s() -> int:
    """Return the moment to which it is the past, Unix time, s."""
    return int(time.time()) // MINUTE_S * MINUTE_S


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, now_s: int) -> Iterator[Asking]:
    """Return who asks a Prometheus that has that past."""
    store = SeriesStore()
    write_tenants(store, now_s)
    write_jobs(store, now_s)
    folder = tmp_path_factory.mktemp("past") / "prometheus"
    server = Prometheus(folder, "scrape_configs: []\n")
    write_blocks(store, folder / "data")
    with (
        started(server),
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        asking = Asking(client, TENANT)
        asking.choose(None)
        yield asking


def first(asking: Asking, title: str) -> tuple[Json, Json]:
    """Return a panel and its first query."""
    return next(
        (panel, query.target)
        for panel, query in panel_queries(asking.dashboard)
        if panel["title"] == title
    )


@pytest.mark.parametrize("ago", [1, 2])
def test_a_bar_is_the_energy_of_its_day(asking: Asking, now_s: int, ago: int) -> None:
    """It stands at the beginning of the day: a day later it would be another's."""
    bars = {
        row["metric"]["tenant"]: dict(row["values"])
        for row in asking.answer(*first(asking, "Energy of each day"))
    }

    kwh = {
        tenant: float(days[midnight_of(now_s, ago)]) for tenant, days in bars.items()
    }
    assert kwh == pytest.approx({"physics": 24.0, "biology": 6.0}, rel=1e-3)


def test_days_of_which_nothing_is_known_have_no_bar(asking: Asking, now_s: int) -> None:
    """Nothing is not zero."""
    bars = asking.answer(*first(asking, "Energy of each day"))

    first_days = {min(time_s for time_s, _ in row["values"]) for row in bars}
    assert first_days == {midnight_of(now_s, 2)}


def test_the_month_so_far_is_the_sum_of_its_days(asking: Asking, now_s: int) -> None:
    """Of each tenant, most first, whatever the time range of the page is."""
    days = min(time.gmtime(now_s).tm_mday - 1, 2)
    seconds = now_s - midnight_of(now_s, days)

    rows = asking.answer(*first(asking, "By tenant"))

    kwh = {row["metric"]["tenant"]: float(row["value"][1]) for row in rows}
    expected = {tenant: watts * seconds / 3.6e6 for tenant, watts in WATTS.items()}
    # As long as a slow machine may take to come here.
    assert kwh == pytest.approx(expected, rel=0.02, abs=0.4)


def test_gpus_held_idle_are_told_with_their_job(asking: Asking) -> None:
    """Only of the job that does not use them."""
    (total,) = asking.answer(*first(asking, "GPUs held idle"))
    rows = asking.answer(*first(asking, "Jobs that hold GPUs idle"))

    assert float(total["value"][1]) == 4
    assert [row["metric"]["job_id"] for row in rows] == ["7"]
    assert rows[0]["metric"]["tenant"] == "physics"
