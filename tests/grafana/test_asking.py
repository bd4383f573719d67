from collections.abc import Callable
from typing import Any

import pytest

from tests.grafana import asking
from tests.grafana.example import as_dashboard, example
from tests.grafana.reading import Dashboard, dashboards
from tests.grafana.series import all_series

ALL = dashboards()

every_dashboard = pytest.mark.parametrize("dashboard", ALL, ids=lambda one: one.name)


def asks(expression: str) -> Callable[[dict[str, Any]], None]:
    """Return what changes the query of the graph."""

    def change(raw: dict[str, Any]) -> None:
        raw["panels"][0]["targets"][0]["expr"] = expression
        raw["panels"][0]["fieldConfig"]["defaults"]["links"] = []

    return change


def shows(legend: str) -> Callable[[dict[str, Any]], None]:
    """Return what changes the legend of the graph."""

    def change(raw: dict[str, Any]) -> None:
        raw["panels"][0]["targets"][0]["legendFormat"] = legend

    return change


def leads_to(url: str) -> Callable[[dict[str, Any]], None]:
    """Return what changes the link of the graph."""

    def change(raw: dict[str, Any]) -> None:
        raw["panels"][0]["fieldConfig"]["defaults"]["links"][0]["url"] = url

    return change


def chooses_by(query: str) -> Callable[[dict[str, Any]], None]:
    """Return what changes the query of a variable."""

    def change(raw: dict[str, Any]) -> None:
        raw["templating"]["list"][1]["query"]["query"] = query

    return change


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a metric that nobody exports": (
        asks("topk(5, jouled_node_power_kilowatts)"),
        "no metric 'jouled_node_power_kilowatts'",
    ),
    "a label that a metric lacks": (
        asks('topk(5, jouled_node_power_watts{device="x"})'),
        "jouled_node_power_watts has no label 'device'",
    ),
    "a sum by a label that is not there": (
        asks("sum by (cluster, zone, instance) (jouled_node_power_watts)"),
        "what sum works on has no label 'zone'",
    ),
    "a join on a label of one side": (
        asks(
            "topk(5, jouled_node_power_watts * on (instance, device) "
            "jouled_cpu_busy_ratio)"
        ),
        "the left side has no label 'device'",
    ),
    "a label fetched from where it is not": (
        asks(
            "topk(5, jouled_device_power_watts * on (instance) group_left (model) "
            "jouled_cpu_busy_ratio)"
        ),
        "the right side has no label 'model'",
    ),
    "two sides that never fit": (
        asks("topk(5, jouled_component_power_watts / jouled_node_power_watts)"),
        "/: only one side has component; on () is missing",
    ),
    "a label of a recorded sum that was summed away": (
        asks('cluster:jouled_node_power_watts:sum{instance="n1"}'),
        "cluster:jouled_node_power_watts:sum has no label 'instance'",
    ),
    "no PromQL": (asks("sum by (cluster"), "no PromQL"),
    "a legend of a label that is not there": (
        shows("{{device}}"),
        "the legend shows device",
    ),
    "one series for each node of a large cluster": (
        asks("jouled_node_power_watts"),
        "no topk over as many as there are of instance",
    ),
    "one series for each node that was chosen, of many": (
        asks('jouled_node_power_watts{instance=~"$cluster"}'),
        "no topk over as many as there are of instance",
    ),
    "a link with a label that is not there": (
        leads_to("/d/example?var-cluster=${__field.labels.zone:percentencode}"),
        "a link takes zone",
    ),
    "a variable of a label that is not there": (
        chooses_by("label_values(jouled_build_info, zone)"),
        "has no label 'zone'",
    ),
    "a variable of a metric that is not there": (
        chooses_by("label_values(node_uname_info, instance)"),
        "no metric 'node_uname_info'",
    ),
    "a variable of every series there is": (
        chooses_by("label_values(instance)"),
        "asks for more than",
    ),
}


@every_dashboard
def test_what_a_dashboard_asks_for_exists(dashboard: Dashboard) -> None:
    """A name with a slip of the pen is an empty panel, and nobody wonders."""
    assert asking.faults_of(dashboard) == []


@pytest.mark.parametrize("what", BROKEN)
def test_a_query_that_cannot_be_answered_well_is_told(what: str) -> None:
    """A check that finds nothing may as well not be there."""
    break_it, expected = BROKEN[what]
    raw = example()
    break_it(raw)

    faults = asking.faults_of(as_dashboard(raw))

    assert [fault for fault in faults if expected in fault], faults


def test_nothing_is_wrong_with_what_the_example_asks() -> None:
    """What is said of broken ones comes from what was broken."""
    assert asking.faults_of(as_dashboard(example())) == []


def test_one_chosen_node_is_few_enough() -> None:
    """On a page of one node all of its devices may be shown."""
    raw = example()
    raw["templating"]["list"].append({"name": "node", "type": "query", "query": ""})
    asks('jouled_device_power_watts{instance="$node"}')(raw)

    assert asking.faults_of(as_dashboard(raw)) == []


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("up", {"cluster", "job", "instance"}),
        (
            "jouled_device_power_watts",
            {"cluster", "job", "instance", "component", "device"},
        ),
        (
            "cluster_zone:jouled_carbon_intensity_fallback_level:max",
            {"cluster", "zone"},
        ),
        (
            "cluster_budget_window:jouled_carbon_budget_burn_rate:threshold",
            {"cluster", "budget", "window"},
        ),
        (
            "cluster_budget:jouled_carbon_budget_info:data",
            {"cluster", "budget", "team", "unit", "period", "data"},
        ),
    ],
)
def test_labels_of_recorded_series_are_worked_out(name: str, labels: set[str]) -> None:
    """Nobody writes them down a second time, where they would grow old."""
    assert all_series()[name] == labels
