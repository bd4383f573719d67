from collections.abc import Callable
from typing import Any

import pytest

from tests.grafana import links, structure
from tests.grafana.example import as_dashboard, example
from tests.grafana.reading import Dashboard, dashboards

ALL = dashboards()
BY_UID = {dashboard.uid: dashboard for dashboard in ALL}

every_dashboard = pytest.mark.parametrize("dashboard", ALL, ids=lambda one: one.name)

Break = Callable[[dict[str, Any]], object]


def power(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the panel of a graph."""
    panel: dict[str, Any] = raw["panels"][0]
    return panel


def nodes(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the panel of a table."""
    panel: dict[str, Any] = raw["panels"][1]
    return panel


def cluster(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a variable that asks Prometheus."""
    variable: dict[str, Any] = raw["templating"]["list"][1]
    return variable


def link(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the link of a graph."""
    found: dict[str, Any] = power(raw)["fieldConfig"]["defaults"]["links"][0]
    return found


BROKEN: dict[str, tuple[Break, str]] = {
    "no title of the whole": (lambda raw: raw.pop("title"), "no title"),
    "no uid": (lambda raw: raw.update(uid=""), "no uid"),
    "a number of one Grafana": (lambda raw: raw.update(id=7), "has an id"),
    "two panels with one id": (
        lambda raw: nodes(raw).update(id=1),
        "panel id 1 is there 2 times",
    ),
    "a panel without id": (lambda raw: nodes(raw).pop("id"), "is no number"),
    "a panel on another": (
        lambda raw: nodes(raw)["gridPos"].update(x=11, w=13),
        "lies on 'Nodes'",
    ),
    "a panel off the page": (
        lambda raw: nodes(raw)["gridPos"].update(w=13),
        "is off the page",
    ),
    "a panel of no height": (
        lambda raw: nodes(raw)["gridPos"].update(h=0),
        "is off the page",
    ),
    "panels within a row on each other": (
        lambda raw: raw["panels"].append(
            {
                "id": 3,
                "type": "row",
                "title": "More",
                "gridPos": {"x": 0, "y": 8, "w": 24, "h": 1},
                "panels": [{**power(raw), "id": 4}, {**power(raw), "id": 5}],
            }
        ),
        "lies on",
    ),
    "a panel without title": (lambda raw: power(raw).pop("title"), "no title"),
    "a panel without description": (
        lambda raw: power(raw).pop("description"),
        "no description",
    ),
    "a graph without unit": (
        lambda raw: power(raw)["fieldConfig"]["defaults"].pop("unit"),
        "no unit (all)",
    ),
    "a column without unit": (
        lambda raw: nodes(raw)["fieldConfig"]["overrides"].pop(),
        "Nodes: no unit (B)",
    ),
    "no thresholds": (
        lambda raw: nodes(raw)["fieldConfig"]["defaults"].pop("thresholds"),
        "no thresholds",
    ),
    "thresholds that fall": (
        lambda raw: nodes(raw)["fieldConfig"]["defaults"]["thresholds"].update(
            steps=[{"value": None}, {"value": 2}, {"value": 1}]
        ),
        "thresholds do not rise",
    ),
    "two queries with one name": (
        lambda raw: nodes(raw)["targets"][1].update(refId="A"),
        "refId A twice",
    ),
    "a query without name": (
        lambda raw: power(raw)["targets"][0].pop("refId"),
        "a query without refId",
    ),
    "a panel that asks nothing": (
        lambda raw: power(raw).update(targets=[]),
        "asks nothing",
    ),
    "an empty query": (
        lambda raw: power(raw)["targets"][0].update(expr=" "),
        "query A is empty",
    ),
    "a query without data source": (
        lambda raw: power(raw)["targets"][0].pop("datasource"),
        "query A names no data source",
    ),
    "a data source of one Grafana": (
        lambda raw: power(raw)["targets"][0]["datasource"].update(uid="P1809F7CD0C"),
        "data source 'P1809F7CD0C' is not chosen",
    ),
    "a data source by its name": (
        lambda raw: cluster(raw).update(datasource="Prometheus"),
        "data source 'Prometheus' is not chosen",
    ),
    "a rate that misses samples": (
        lambda raw: power(raw)["targets"][0].update(
            expr='rate(x{cluster=~"$cluster"}[$__interval])'
        ),
        "a rate over $__interval",
    ),
    "a variable that is not there": (
        lambda raw: power(raw)["targets"][0].update(expr='x{instance="$node"}'),
        "no variable node",
    ),
    "a variable within braces that is not there": (
        lambda raw: link(raw).update(url="/d/example?var-node=${node:percentencode}"),
        "no variable node",
    ),
    "a variable that nothing uses": (
        lambda raw: raw["templating"]["list"].append(
            {**cluster(raw), "name": "zone", "label": "Zone"}
        ),
        "nothing uses the variable zone",
    ),
    "a variable twice": (
        lambda raw: raw["templating"]["list"].append(cluster(raw)),
        "variable cluster is there 2 times",
    ),
    "a variable without label": (
        lambda raw: cluster(raw).pop("label"),
        "variable cluster has no label",
    ),
    "a variable that is never asked again": (
        lambda raw: cluster(raw).pop("refresh"),
        "is asked once",
    ),
}

BROKEN_LINKS: dict[str, tuple[Break, str]] = {
    "no such dashboard": (
        lambda raw: link(raw).update(url="/d/other?${__url_time_range}"),
        "no dashboard has the uid 'other'",
    ),
    "no dashboard at all": (
        lambda raw: link(raw).update(url="https://example.org/"),
        "leads to no dashboard",
    ),
    "the time is lost": (
        lambda raw: link(raw).update(url="/d/example?${datasource:queryparam}"),
        "forgets the time range",
    ),
    "the data source is lost": (
        lambda raw: link(raw).update(url="/d/example?${__url_time_range}"),
        "forgets the data source",
    ),
    "a variable that the other lacks": (
        lambda raw: link(raw).update(
            url="/d/example?${datasource:queryparam}&${__url_time_range}&var-job=1"
        ),
        "example has no variable job",
    ),
    "no title": (lambda raw: link(raw).update(title=""), "no title"),
    "a list that forgets the time": (
        lambda raw: raw["links"][0].update(keepTime=False),
        "forgets the time range",
    ),
    "a list of nothing": (
        lambda raw: raw["links"][0].update(tags=["elsewhere"]),
        "no dashboard has the tags",
    ),
    "the link of a column": (
        lambda raw: nodes(raw)["fieldConfig"]["overrides"][0]["properties"].append(
            {"id": "links", "value": [{"title": "X", "url": "/d/other"}]}
        ),
        "no dashboard has the uid 'other'",
    ),
}


@every_dashboard
def test_a_dashboard_is_put_together_well(dashboard: Dashboard) -> None:
    """Numbers, places, words, units, thresholds, data sources and variables."""
    assert structure.faults_of(dashboard) == []


@every_dashboard
def test_links_lead_somewhere_and_keep_the_time(dashboard: Dashboard) -> None:
    """Whoever follows a link wants to see the same hour, of the same cluster."""
    assert links.faults_of(dashboard, BY_UID) == []


@every_dashboard
def test_one_figure_is_of_the_end_of_the_time_range(dashboard: Dashboard) -> None:
    """The last value of a range may be hours old: missing would look like now."""
    over_time = [
        panel["title"]
        for panel in dashboard.panels()
        if panel["type"] in {"stat", "bargauge"}
        for target in panel["targets"]
        if target.get("range") or not target.get("instant")
    ]

    assert over_time == []


@every_dashboard
def test_links_of_tables_carry_what_their_rows_have(dashboard: Dashboard) -> None:
    """A job without its scheduler, or a user without, would be found nowhere."""
    assert links.columns_of(dashboard) == []


def test_a_link_to_a_column_that_is_not_there_is_told() -> None:
    """The queries of a table keep the labels of its columns alone."""
    raw = example()
    address = '/d/example?var-cluster=${__data.fields["cluster"]:percentencode}'
    nodes(raw)["fieldConfig"]["overrides"][0]["properties"].append(
        {"id": "links", "value": [{"title": "X", "url": address}]}
    )

    (fault,) = links.columns_of(as_dashboard(raw))

    assert "asks for the column cluster" in fault


def test_every_dashboard_has_a_uid_of_its_own() -> None:
    """Of two with one uid Grafana shows one."""
    assert structure.uids(ALL) == []


@every_dashboard
def test_every_other_dashboard_is_one_click_away(dashboard: Dashboard) -> None:
    """What no link leads to is found by nobody."""
    assert links.reached_from(dashboard, BY_UID) == set(BY_UID) - {dashboard.uid}


def test_nothing_is_wrong_with_the_example() -> None:
    """What is said of broken ones below comes from what was broken."""
    whole = as_dashboard(example())

    assert structure.faults_of(whole) == []
    assert links.faults_of(whole, {"example": whole}) == []


@pytest.mark.parametrize("what", BROKEN)
def test_a_fault_of_a_dashboard_is_told(what: str) -> None:
    """A check that finds nothing may as well not be there."""
    break_it, expected = BROKEN[what]
    raw = example()
    break_it(raw)

    faults = structure.faults_of(as_dashboard(raw))

    assert [fault for fault in faults if expected in fault], faults


@pytest.mark.parametrize("what", BROKEN_LINKS)
def test_a_fault_of_a_link_is_told(what: str) -> None:
    """A link that fails is noticed when it is needed."""
    break_it, expected = BROKEN_LINKS[what]
    raw = example()
    break_it(raw)
    whole = as_dashboard(raw)

    faults = links.faults_of(whole, {"example": whole})

    assert [fault for fault in faults if expected in fault], faults


def test_two_dashboards_with_one_uid_are_told() -> None:
    """Both come from files, so that nothing else would say it."""
    twice = [as_dashboard(example()), as_dashboard(example())]

    assert structure.uids(twice) == ["uid 'example' is there 2 times"]
