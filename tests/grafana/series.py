"""All series that a dashboard can ask for, with their labels.

Those of nodes and hub come from the catalogues, those of recording rules are worked out
from the rules, and those of alerts from what the alerts are made of.
"""

import functools
from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from exporter.exposition.catalogue import CATALOGUE
from exporter.hub.budgets.metrics import BUDGET_METRICS
from exporter.hub.catalogue import CATALOGUE as HUB_CATALOGUE
from tests.fakes.promtool import Rule, rules
from tests.grafana.promql import Labels, labels_of, names_in

# What Prometheus adds; deploy/prometheus/README.md says so.
TARGET = frozenset({"cluster", "job", "instance"})


@functools.cache
def all_series() -> Mapping[str, Labels]:
    """Return the labels of each series by its name."""
    known: dict[str, Labels] = {"up": TARGET}
    for metric in (*CATALOGUE, *HUB_CATALOGUE, *BUDGET_METRICS):
        known[metric.name] = known.get(metric.name, TARGET) | set(metric.labels)
    known |= dict.fromkeys(_of_processes(), TARGET)

    alerts = frozenset({"alertname", "alertstate"})
    for rule in _in_order():
        labels = labels_of(rule.expression, known) | set(rule.labels)
        if rule.is_alert:
            alerts |= labels
        else:
            known[rule.name] = known.get(rule.name, frozenset()) | labels
    return known | {"ALERTS": alerts, "ALERTS_FOR_STATE": alerts - {"alertstate"}}


def _of_processes() -> list[str]:
    """Return the names of what every Python daemon tells of itself."""
    families = ProcessCollector(registry=CollectorRegistry()).collect()
    return [sample.name for family in families for sample in family.samples]


def _in_order() -> list[Rule]:
    """Sort the rules so that each comes after those that it is made of."""
    waiting = rules()
    ordered: list[Rule] = []
    while waiting:
        # A name may be recorded by several rules: all of them come first.
        missing = {rule.name for rule in waiting if not rule.is_alert}
        now = [rule for rule in waiting if not names_in(rule.expression) & missing]
        if not now:
            msg = f"rules that need each other: {sorted(missing)}"
            raise ValueError(msg)
        ordered += now
        waiting = [rule for rule in waiting if rule not in now]
    return ordered
