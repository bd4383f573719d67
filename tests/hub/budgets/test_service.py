import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.keeper import Clocks
from exporter.hub.budgets.plan import NO_BUDGETS, BudgetPlan
from exporter.hub.budgets.service import Budgets
from exporter.hub.prometheus.settings import PrometheusSettings
from tests.fakes.budget_world import budget
from tests.fakes.prometheus_server import (
    Play,
    PrometheusServer,
    playing_prometheus,
    vector,
)
from tests.fakes.waiting import wait_until

SOON_S = 60.0
ROW = {"instance": "n1", "tenant": "physics", "user": "ada", "scheduler": "slurm"}


@pytest.fixture(name="server")
def _server() -> Iterator[PrometheusServer]:
    with playing_prometheus() as server:
        server.play = Play(vector((ROW, "7")))
        yield server


@pytest.fixture(name="service")
def _service(tmp_path: Path) -> Iterator[Budgets]:
    service = Budgets(tmp_path, Clocks())
    yield service
    service.end()


def plan(server: PrometheusServer, *budgets: Budget) -> BudgetPlan:
    """Keep budgets from a server."""
    return BudgetPlan(budgets, PrometheusSettings(server.url))


def refreshes(service: Budgets) -> int:
    """How often it tried so far."""
    return sum(service.standing.refreshes.values())


def names(service: Budgets) -> list[str]:
    """Names of the budgets it keeps."""
    return [status.budget.name for status in service.standing.statuses]


def keepers() -> int:
    """How many threads keep budgets."""
    return sum(thread.name == "budgets" for thread in threading.enumerate())


def test_without_budgets_nobody_is_asked(
    service: Budgets, server: PrometheusServer
) -> None:
    """Most hubs have none, and no thread for them."""
    service.follow(NO_BUDGETS, "DE")
    service.follow(plan(server), "DE")
    service.expect({"DE": ()})

    assert service.standing.statuses == ()
    assert keepers() == 0
    assert server.asks == []


def test_another_plan_takes_over(service: Budgets, server: PrometheusServer) -> None:
    """As a reload wants it; the same plan changes nothing."""
    one = plan(server, budget("one"))
    service.follow(one, "DE")
    wait_until(lambda: refreshes(service) > 0, "a refresh", SOON_S)
    before = service.standing
    service.follow(one, "DE")
    assert service.standing.refreshes.keys() == before.refreshes.keys()
    assert refreshes(service) > 0

    service.follow(plan(server, budget("one"), budget("two")), "DE")
    service.expect({"DE": ()})

    assert names(service) == ["one", "two"]
    wait_until(lambda: refreshes(service) > 0, "a refresh", SOON_S)
    wait_until(lambda: keepers() == 1, "the former keeper to end", SOON_S)

    service.follow(NO_BUDGETS, "DE")
    assert names(service) == []
    wait_until(lambda: keepers() == 0, "the last keeper to end", SOON_S)


def test_a_file_of_certificates_that_is_not_there_is_waited_for(
    service: Budgets, server: PrometheusServer, tmp_path: Path
) -> None:
    """It is told, and looked for again; nothing else stops for it."""
    told = PrometheusSettings(server.url, ca_file=tmp_path / "gone")
    service.follow(BudgetPlan((budget("one"),), told), "DE")

    wait_until(lambda: bool(service.standing.error), "the error", SOON_S)

    assert "certificates" in service.standing.error
    assert service.standing.refreshes["denied"] == 1


def test_what_was_counted_is_kept_at_the_end(
    service: Budgets, server: PrometheusServer, tmp_path: Path
) -> None:
    """So that the next hub goes on there."""
    service.follow(plan(server, budget("one")), "DE")
    wait_until(lambda: refreshes(service) > 0, "a refresh", SOON_S)

    service.end()

    assert (tmp_path / "budgets.json").exists()
