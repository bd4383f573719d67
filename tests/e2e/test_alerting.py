from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.waiting import until
from tests.fakes.alerting import (
    PAGER_PATH,
    PAGER_TOKEN,
    SLACK_PATH,
    Alerting,
    alerting,
    has_alerting,
)
from tests.fakes.hub_gauges import HubGauges, Told, hub_gauges
from tests.fakes.inbox import Mail

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        not has_alerting(), reason="needs prometheus and alertmanager on PATH"
    ),
]

PHYSICS = Told(
    name="gpu-2026", team="physics", amount_g=200_000, spent=0.31, projected=0.95
)
CHEMISTRY = Told(
    name="cpu-2026", team="chemistry", amount_g=50_000, spent=0.3, projected=0.9
)
NUMBERS = "212k of 200k grams spent (106%), 310% projected, 27.4% of the period over"


@pytest.fixture(scope="module")
def hub() -> Iterator[HubGauges]:
    """Return a hub with two budgets that go as planned."""
    with hub_gauges() as gauges:
        gauges.tell(PHYSICS)
        gauges.tell(CHEMISTRY)
        yield gauges


@pytest.fixture(scope="module")
def world(
    hub: HubGauges, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alerting]:
    """Return Prometheus and Alertmanager, once they know the budgets."""
    folder = tmp_path_factory.mktemp("alerting")
    with alerting(folder, {"jouled-hub": hub.port}) as running:
        ratio = "cluster_budget:jouled_carbon_budget_spent:ratio"
        until(lambda: len(now(running, ratio)) == 2, "both budgets")
        yield running


def now(running: Alerting, expression: str) -> dict[str, float]:
    """Return what an expression comes to now, by budget."""
    return {
        labels["budget"]: value
        for labels, value in running.prometheus.query_now(expression)
    }


def paged(running: Alerting, name: str, status: str = "firing") -> list[dict[str, Any]]:
    """Return what the pager was told under a name."""
    return [
        alert
        for alert in running.inbox.alerts(PAGER_PATH)
        if alert["labels"]["alertname"] == name and alert["status"] == status
    ]


def mailed(running: Alerting, to: str, subject: str) -> list[Mail]:
    """Return mails to an address whose subject contains something."""
    return [
        mail
        for mail in list(running.inbox.mails)
        if mail.to == to and subject in mail.subject
    ]


def test_an_overspent_budget_reaches_its_team_and_whoever_is_on_call(
    hub: HubGauges, world: Alerting
) -> None:
    """With the numbers of the hub, and nobody else's name on it."""
    hub.tell(replace(PHYSICS, spent=1.06, projected=3.1, quality=0.6))

    (alert, *_) = until(lambda: paged(world, "JouledBudgetSpent"), "the pager")
    (mail, *_) = until(
        lambda: mailed(world, "energy-physics@example.org", "JouledBudgetSpent"),
        "the mail",
    )
    (slack, *_) = until(
        lambda: [p for p in list(world.inbox.posts) if p.path == SLACK_PATH], "Slack"
    )

    assert alert["labels"] == {
        "alertname": "JouledBudgetSpent",
        "budget": "gpu-2026",
        "cluster": "main",
        "data": "estimated",
        "severity": "critical",
        "team": "physics",
        "unit": "grams",
    }
    assert alert["annotations"]["numbers"] == NUMBERS
    assert "Budget gpu-2026 is spent" in mail.text
    assert NUMBERS in mail.text
    assert "Estimated" in mail.text
    assert "https://example.org/jouled/docs/alerts.md#jouledbudgetspent" in mail.text
    assert slack.body["channel"] == "#energy-physics"
    assert NUMBERS in slack.body["attachments"][0]["text"]
    posts = [post for post in world.inbox.posts if post.path == PAGER_PATH]
    assert {post.authorization for post in posts} == {f"Bearer {PAGER_TOKEN}"}
    assert not mailed(world, "energy-chemistry@example.org", "")


def test_what_a_spent_budget_says_already_is_not_said_again(
    hub: HubGauges, world: Alerting
) -> None:
    """Half of it, 80 % of it and its pace are all true, and all old news."""
    paces = dict.fromkeys(("5m", "30m", "1h", "6h"), 60.0)
    hub.tell(replace(PHYSICS, spent=1.06, projected=3.1, quality=0.6, burn=paces))

    states = until(lambda: settled(world, "gpu-2026", 5), "all alerts on the budget")

    assert states == {
        "JouledBudgetSpent": "active",
        "JouledBudgetHalfSpent": "suppressed",
        "JouledBudgetNearlySpent": "suppressed",
        "JouledBudgetOverspendProjected": "suppressed",
        "JouledBudgetBurningFast": "suppressed",
        "JouledBudgetBurning": "suppressed",
        "JouledBudgetDataEstimated": "active",
    }


def settled(running: Alerting, budget: str, suppressed: int) -> dict[str, str] | None:
    """Return the states of a budget's alerts, once so many are suppressed."""
    states = running.alertmanager.states(budget=budget)
    held = [state for state in states.values() if state == "suppressed"]
    done = len(held) == suppressed and "unprocessed" not in states.values()
    return states if done else None


def test_a_new_period_ends_the_alert(hub: HubGauges, world: Alerting) -> None:
    """Whoever was woken up hears that it is over."""
    hub.tell(replace(PHYSICS, spent=1.06, projected=3.1))
    until(lambda: paged(world, "JouledBudgetSpent"), "the alert")

    hub.tell(replace(PHYSICS, day=0.0, spent=0.0, projected=0.9))

    (over, *_) = until(
        lambda: paged(world, "JouledBudgetSpent", "resolved"), "the end of it"
    )
    assert over["labels"]["budget"] == "gpu-2026"
