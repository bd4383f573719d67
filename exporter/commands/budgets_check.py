"""What the budgets of a file count, as far as Prometheus knows now."""

import time
from collections.abc import Iterable, Sequence

from exporter.commands.budgets_table import amount_text
from exporter.commands.table import aligned
from exporter.commands.text import harmless
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.following import OVERLAP_S
from exporter.hub.budgets.plan import BudgetPlan
from exporter.hub.prometheus.client import open_prometheus
from exporter.hub.prometheus.matching import Labels, Matchers, Sorter, selector
from exporter.hub.prometheus.series import StoreError, labels_of
from exporter.hub.prometheus.settings import PrometheusSettings

_MOST_NAMES = 5


def report(plan: BudgetPlan, *, offline: bool) -> str:
    """Write each budget, with what it matches.

    Args:
        plan: the budgets.
        offline: Prometheus is not asked.
    """
    if not plan.budgets:
        return "there are no budgets in it\n"
    found: dict[str, list[Labels]] | None = None
    remark = ""
    if plan.prometheus is not None and not offline:
        try:
            found = _series(plan.prometheus, plan.budgets)
        except StoreError as error:
            remark = f"what they match is not known: {error}"
    lines: list[str] = []
    everywhere = () if plan.prometheus is None else plan.prometheus.matchers
    for budget in plan.budgets:
        matching = None if found is None else _matching(found, budget)
        lines += _lines(budget, everywhere, matching)
    lines += [remark] if remark else []
    return "\n".join([*lines, "the budgets can be used", ""])


def _series(
    settings: PrometheusSettings, budgets: Iterable[Budget]
) -> dict[str, list[Labels]]:
    """Return the labels of all counters that are there now, by metric."""
    now_s = int(time.time())
    begin_s = now_s - OVERLAP_S
    with open_prometheus(settings) as store:
        return {
            metric: list(map(labels_of, store.last(metric, begin_s, now_s).by_key))
            for metric in sorted({budget.selection.metric for budget in budgets})
        }


def _matching(found: dict[str, list[Labels]], budget: Budget) -> list[Labels]:
    sorter = Sorter([budget.selection.matchers])
    return [each for each in found[budget.selection.metric] if sorter.sort(each)]


def _lines(
    budget: Budget, everywhere: Matchers, matching: Sequence[Labels] | None
) -> list[str]:
    amount = budget.amount
    allowed = amount_text(amount.kind, amount.unit, amount.value)
    selection = budget.selection
    matchers = (*everywhere, *selection.matchers)
    rows = [
        ("  allows", f"{allowed} per {budget.period.name}"),
        ("  counts", harmless(selector(selection.metric, matchers))),
    ]
    if matching is not None:
        rows.append(("  matches", _summary(matching)))
    return [budget.name, *aligned(rows), ""]


def _summary(matching: Sequence[Labels]) -> str:
    if not matching:
        return "nothing now; look at the labels, or wait for the first job"
    nodes = {labels.get("instance", "") for labels in matching}
    names = [
        f"{label} {_names(labels.get(label, '') for labels in matching)}"
        for label in ("tenant", "user")
    ]
    return "; ".join([f"{len(matching)} counters on {len(nodes)} nodes", *names])


def _names(values: Iterable[str]) -> str:
    names = sorted(set(values))
    shown = ", ".join(harmless(name) or '""' for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
