"""What is wrong with how a dashboard is put together, in words.

Each function returns one line for each fault, and none for a good dashboard.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tests.grafana.reading import (
    Dashboard,
    Json,
    objects,
    place_of,
    query_of,
    texts,
    variables_in,
)

COLUMNS = 24
# Shorter than this says nothing that the title does not.
_SHORTEST_DESCRIPTION = 20
_DATA_SOURCE = "${datasource}"
# Grafana itself answers these: annotations of people, and other panels.
_OF_GRAFANA = frozenset({"-- Grafana --", "-- Dashboard --", "-- Mixed --"})
# Variables that Grafana sets.
_BUILT_IN = frozenset(
    {
        *(
            "__all",
            "__from",
            "__to",
            "__timezone",
            "__url_time_range",
            "__all_variables",
        ),
        *("__interval", "__interval_ms", "__rate_interval", "__range", "__range_s"),
        *("__field", "__series", "__value", "__data", "__dashboard", "timeFilter"),
    }
)


def faults_of(dashboard: Dashboard) -> list[str]:
    """Return all faults that can be told from one dashboard alone."""
    checks = (
        heads,
        numbers_of_panels,
        places_of_panels,
        words_of_panels,
        units,
        thresholds,
        targets,
        data_sources,
        variables,
    )
    return [fault for check in checks for fault in check(dashboard)]


def uids(dashboards: Iterable[Dashboard]) -> list[str]:
    """Two dashboards with one uid: the second takes the place of the first."""
    counted = Counter(dashboard.uid for dashboard in dashboards)
    return [f"uid {uid!r} is there {n} times" for uid, n in counted.items() if n > 1]


def heads(dashboard: Dashboard) -> list[str]:
    """What Grafana lists a dashboard by, and how it begins."""
    raw = dashboard.raw
    faults = [
        f"{dashboard.name}: no {key}"
        for key in ("uid", "title", "description", "tags", "time", "refresh")
        if not raw.get(key)
    ]
    # A number of another database: provisioning would overwrite what has it there.
    if raw.get("id") is not None:
        faults.append(f"{dashboard.name}: has an id of one Grafana")
    return faults


def numbers_of_panels(dashboard: Dashboard) -> list[str]:
    """Links to a panel and what is remembered of it go by its number."""
    counted = Counter(panel.get("id") for panel in dashboard.panels())
    faults = [
        f"{dashboard.name}: panel id {number} is there {n} times"
        for number, n in counted.items()
        if n > 1
    ]
    faults += [
        f"{place_of(dashboard, panel)}: its id is no number from 1 on"
        for panel in dashboard.panels()
        if not (isinstance(panel.get("id"), int) and panel["id"] > 0)
    ]
    return faults


def places_of_panels(dashboard: Dashboard) -> list[str]:
    """Panels within the width of a page, none on another."""
    groups = [dashboard.raw.get("panels", [])]
    groups += [panel["panels"] for panel in groups[0] if panel.get("panels")]
    faults = []
    for group in groups:
        faults += [
            f"{place_of(dashboard, panel)}: {panel.get('gridPos')} is off the page"
            for panel in group
            if not _is_on_the_page(panel.get("gridPos", {}))
        ]
        faults += [
            f"{place_of(dashboard, one)}: lies on {other.get('title')!r}"
            for one, other in itertools.combinations(group, 2)
            if _overlap(one.get("gridPos", {}), other.get("gridPos", {}))
        ]
    return faults


def words_of_panels(dashboard: Dashboard) -> list[str]:
    """A title, and what to make of what one sees."""
    faults = []
    for panel in dashboard.panels():
        place = place_of(dashboard, panel)
        if not panel.get("title"):
            faults.append(f"{place}: no title")
        if panel["type"] in {"row", "text"}:
            continue
        if len(panel.get("description") or "") < _SHORTEST_DESCRIPTION:
            faults.append(f"{place}: no description")
    return faults


def units(dashboard: Dashboard) -> list[str]:
    """Each number has a unit; in a table, each column of numbers."""
    faults = []
    for panel in dashboard.data_panels():
        if panel["type"] == "table":
            lacking = _columns_without_unit(panel)
        else:
            lacking = [] if _defaults(panel).get("unit") else ["all"]
        faults += [f"{place_of(dashboard, panel)}: no unit ({one})" for one in lacking]
    return faults


def thresholds(dashboard: Dashboard) -> list[str]:
    """Steps of colour that begin below everything and rise."""
    faults = []
    for panel in dashboard.data_panels():
        steps = _defaults(panel).get("thresholds", {}).get("steps") or []
        values = [step.get("value") for step in steps]
        if not values or values[0] is not None:
            faults.append(f"{place_of(dashboard, panel)}: no thresholds")
        elif None in values[1:] or values[1:] != sorted(values[1:]):
            faults.append(f"{place_of(dashboard, panel)}: thresholds do not rise")
    return faults


def targets(dashboard: Dashboard) -> list[str]:
    """Queries that overrides can name, each of the chosen data source."""
    faults = []
    for panel in dashboard.data_panels():
        place = place_of(dashboard, panel)
        asked = panel.get("targets", [])
        counted = Counter(target.get("refId") for target in asked)
        if not asked:
            faults.append(f"{place}: asks nothing")
        if "" in counted or None in counted:
            faults.append(f"{place}: a query without refId")
        faults += [f"{place}: refId {ref} twice" for ref, n in counted.items() if n > 1]
        faults += [
            f"{place}: query {target.get('refId')} names no data source"
            for target in (panel, *asked)
            if target.get("datasource", {}).get("uid") != _DATA_SOURCE
        ]
        faults += [
            f"{place}: query {target.get('refId')} is empty"
            for target in asked
            if not target.get("expr", "").strip()
        ]
        faults += [
            f"{place}: a rate over $__interval misses what is between two points"
            for target in asked
            if "[$__interval]" in target.get("expr", "")
        ]
    return faults


def data_sources(dashboard: Dashboard) -> list[str]:
    """No data source of one Grafana: another one has other uids."""
    found = {
        str(there.get("uid") if isinstance(there, Mapping) else there)
        for node in objects(dashboard.raw)
        if (there := node.get("datasource")) is not None
    }
    return [
        f"{dashboard.name}: data source {uid!r} is not chosen by a variable"
        for uid in sorted(found - {_DATA_SOURCE} - _OF_GRAFANA)
    ]


def variables(dashboard: Dashboard) -> list[str]:
    """Each variable that is used exists, and each that exists is used."""
    own = [variable["name"] for variable in dashboard.variables()]
    faults = [
        f"{dashboard.name}: variable {name} is there {n} times"
        for name, n in Counter(own).items()
        if n > 1
    ]
    used: set[str] = set()
    for path, text in texts(dashboard.raw):
        # [[name]] is the old way to write a variable, which Grafana gives up.
        if "[[" in text and "expr" in path:
            faults.append(f"{dashboard.name}{path}: an old form of variable")
        names = variables_in(text)
        used |= names
        faults += [
            f"{dashboard.name}{path}: no variable {name}"
            for name in sorted(names - set(own) - _BUILT_IN)
        ]
    faults += [
        f"{dashboard.name}: nothing uses the variable {name}"
        for name in own
        if name not in used
    ]
    faults += [
        f"{dashboard.name}: variable {variable['name']} has no label or description"
        for variable in dashboard.variables()
        if not (variable.get("label") and variable.get("description"))
    ]
    faults += [
        f"{dashboard.name}: variable {variable['name']} is asked once and never again"
        for variable in dashboard.variables()
        if query_of(variable) and not variable.get("refresh")
    ]
    return faults


def _is_on_the_page(grid: Mapping[str, int]) -> bool:
    x, y, width, height = (grid.get(key, -1) for key in "xywh")
    return x >= 0 <= y and width > 0 < height and x + width <= COLUMNS


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    def apart(start: str, size: str) -> bool:
        first, second = one.get(start, 0), other.get(start, 0)
        return (
            first + one.get(size, 0) <= second or second + other.get(size, 0) <= first
        )

    return not (apart("x", "w") or apart("y", "h"))


def _defaults(panel: Json) -> Mapping[str, Any]:
    defaults: Mapping[str, Any] = panel.get("fieldConfig", {}).get("defaults", {})
    return defaults


def _columns_without_unit(panel: Json) -> list[str]:
    """Return the columns of numbers, by refId, that have no unit and are not hidden."""
    refs = [target.get("refId", "") for target in panel.get("targets", [])]
    hidden: set[str] = set()
    renamed: dict[str, str] = {}
    for step in panel.get("transformations", []):
        if step["id"] == "organize":
            excluded = step["options"].get("excludeByName") or {}
            hidden |= {name for name, is_hidden in excluded.items() if is_hidden}
            renamed |= step["options"].get("renameByName") or {}
    with_unit = {
        str(override["matcher"].get("options"))
        for override in panel.get("fieldConfig", {}).get("overrides", [])
        if any(one["id"] == "unit" for one in override["properties"])
    }
    lacking = []
    for ref in refs:
        # With one query the column is called Value, with more Value and the refId.
        names = {f"Value #{ref}"} | ({"Value"} if len(refs) == 1 else set())
        names |= {renamed[name] for name in names if name in renamed}
        if not (names & with_unit or names & hidden or ref in with_unit):
            lacking.append(ref)
    return lacking
