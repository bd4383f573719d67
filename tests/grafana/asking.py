"""What is wrong with what a dashboard asks of Prometheus, in words.

It is told from the text of the queries alone: whether each series exists in a catalogue
or in the rules, whether it has the labels that are compared, kept or shown, and whether
an answer stays small on a large cluster.
"""

import re
from collections.abc import Iterable, Mapping

from tests.grafana.promql import Labels, Reading
from tests.grafana.reading import (
    Dashboard,
    Json,
    Query,
    objects,
    panel_queries,
    place_of,
    queries,
    query_of,
    replace_variables,
    texts,
)
from tests.grafana.series import all_series

# Of these there are as many as a cluster has nodes, jobs or people.
_MANY = frozenset({"instance", "job_id", "pod", "device", "tenant", "user"})

# What Grafana puts in place of its own variables; here only so that it parses.
_BUILT_IN = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__range": "1h",
    "__range_s": "3600",
    "__interval_ms": "60000",
    "__from": "0",
    "__to": "0",
}
# What a variable of the dashboard becomes, so that a comparison with it is seen.
_MARK = "chosen_"

_LABEL_VALUES = re.compile(r"label_values\((?:(?P<of>.+),)?\s*(?P<label>\w+)\s*\)")
_QUERY_RESULT = re.compile(r"query_result\((?P<of>.+)\)")


def faults_of(dashboard: Dashboard) -> list[str]:
    """Return the faults of all queries, variables and shown labels."""
    faults = []
    for query in queries(dashboard):
        faults += query_faults(dashboard, query)
    for variable in dashboard.variables():
        faults += _of_variable(dashboard, variable)
    for panel in dashboard.data_panels():
        faults += _of_links(dashboard, panel)
    return faults


def query_faults(dashboard: Dashboard, query: Query) -> list[str]:
    """Return the faults of one query."""
    reading = Reading(all_series().get)
    labels = reading.labels(_plain(dashboard, query.expression))
    faults = [f"{query.place}: {fault}" for fault in reading.faults]
    legend = str(query.target.get("legendFormat") or query.target.get("titleFormat"))
    shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))
    faults += [
        f"{query.place}: the legend shows {name}, which the answer has not"
        for name in sorted(shown - labels)
    ]
    if not is_bounded(dashboard, reading, labels):
        many = ", ".join(sorted(labels & _MANY))
        faults.append(f"{query.place}: no topk over as many as there are of {many}")
    return faults


def is_bounded(dashboard: Dashboard, reading: Reading, labels: Labels) -> bool:
    """Return whether an answer is small however many nodes, jobs and users there are.

    It is if the query keeps the largest alone, or compares what there are many of with
    a choice of exactly one.
    """
    if not labels & _MANY or reading.selects:
        return True
    of_one = {
        _MARK + variable["name"]
        for variable in dashboard.variables()
        if not (variable.get("multi") or variable.get("includeAll"))
    }
    return any(name in _MANY and value in of_one for name, value in reading.matchers)


def labels_asked_for(dashboard: Dashboard, panel: Json) -> Labels:
    """Return the labels that the answers of a panel have together."""
    found: Labels = frozenset()
    for one, query in panel_queries(dashboard):
        if one is panel:
            reading = Reading(all_series().get)
            found |= reading.labels(_plain(dashboard, query.expression))
    return found


def _plain(dashboard: Dashboard, expression: str) -> str:
    """Write a query without variables, as a parser of PromQL needs it."""
    values = {
        variable["name"]: _MARK + variable["name"] for variable in dashboard.variables()
    }
    for variable in dashboard.variables():
        current = variable.get("current", {}).get("value")
        # A number or a time stands outside of quotes.
        if isinstance(current, str) and re.fullmatch(r"[\d.]+[smhdwy]?", current):
            values[variable["name"]] = current
    return replace_variables(expression, {**_BUILT_IN, **values})


def _of_variable(dashboard: Dashboard, variable: Json) -> Iterable[str]:
    text = query_of(variable)
    if not text:
        return
    place = f"{dashboard.name}: variable {variable['name']}"
    values = _LABEL_VALUES.fullmatch(text)
    result = _QUERY_RESULT.fullmatch(text)
    reading = Reading(all_series().get)
    if values and values["of"]:
        labels = reading.labels(_plain(dashboard, values["of"]))
        if not reading.faults and values["label"] not in labels:
            yield f"{place}: {values['of']} has no label {values['label']!r}"
    elif result:
        reading.labels(_plain(dashboard, result["of"]))
    else:
        yield f"{place}: {text!r} asks for more than values of a label of a series"
    yield from (f"{place}: {fault}" for fault in reading.faults)


def _of_links(dashboard: Dashboard, panel: Json) -> Iterable[str]:
    there = labels_asked_for(dashboard, panel)
    config: Mapping[str, object] = panel.get("fieldConfig", {})
    urls = {
        text
        for node in objects(config)
        for path, text in texts(node)
        if path.endswith(".url")
    }
    for url in sorted(urls):
        names = set(re.findall(r"__field\.labels\.(\w+)", url))
        names |= set(re.findall(r'__field\.labels\["([^"]+)"\]', url))
        for name in sorted(names - there):
            place = place_of(dashboard, panel)
            yield f"{place}: a link takes {name}, which no answer has"
