"""How budgets stand, as samples. What is not known has no sample, never a zero."""

from collections.abc import Callable, Iterable, Mapping

from exporter.exposition.family import Family, LabelValues
from exporter.exposition.metric import Metric
from exporter.hub.budgets import metrics
from exporter.hub.budgets.amount import Kind
from exporter.hub.budgets.status import BudgetStatus, Standing

_AMOUNTS: Mapping[Kind, tuple[Metric, Metric, Metric]] = {
    "carbon": (metrics.CARBON, metrics.CARBON_SPENT, metrics.CARBON_PROJECTED),
    "energy": (metrics.ENERGY, metrics.ENERGY_SPENT, metrics.ENERGY_PROJECTED),
    "cost": (metrics.COST, metrics.COST_SPENT, metrics.COST_PROJECTED),
}


def budget_families(standing: Standing) -> list[Family]:
    """List every metric of the budgets with its samples, in the catalogue's order."""
    statuses = standing.statuses

    def each(metric: Metric, value: Callable[[BudgetStatus], float | None]) -> Family:
        return _known(metric, (((s.budget.name,), value(s)) for s in statuses))

    return [
        each(metrics.SPENT_RATIO, lambda status: status.spent_ratio),
        each(metrics.PROJECTED_RATIO, lambda status: status.projected_ratio),
        _known(
            metrics.BURN_RATE,
            (
                ((status.budget.name, window), rate)
                for status in statuses
                for window, rate in status.burn_rates.items()
            ),
        ),
        each(metrics.PERIOD_START, lambda s: s.period.begin_s if s.period else None),
        each(metrics.PERIOD_END, lambda s: s.period.end_s if s.period else None),
        each(metrics.DATA_QUALITY, lambda status: status.data_quality),
        each(metrics.OBSERVED, lambda status: status.at_s),
        _known(metrics.INFO, ((_info(status), 1.0) for status in statuses)),
        *(
            family
            for kind, (allowed, spent, projected) in _AMOUNTS.items()
            for family in (
                _amounts(allowed, kind, statuses, lambda s: s.budget.amount.value),
                _amounts(spent, kind, statuses, lambda s: s.spent),
                _amounts(projected, kind, statuses, lambda s: s.projected),
            )
        ),
        _known(
            metrics.REFRESHES,
            (
                ((outcome,), count)
                for outcome, count in sorted(standing.refreshes.items())
            ),
        ),
        _known(metrics.REFRESH_DURATION, [((), standing.duration_s)]),
    ]


def _info(status: BudgetStatus) -> LabelValues:
    budget = status.budget
    return (budget.name, budget.amount.unit, budget.team, budget.period.name)


def _amounts(
    metric: Metric,
    kind: Kind,
    statuses: Iterable[BudgetStatus],
    value: Callable[[BudgetStatus], float | None],
) -> Family:
    return _known(
        metric,
        (
            (_labels(kind, status), value(status))
            for status in statuses
            if status.budget.amount.kind == kind
        ),
    )


def _labels(kind: Kind, status: BudgetStatus) -> LabelValues:
    name = status.budget.name
    return (name, status.budget.amount.unit) if kind == "cost" else (name,)


def _known(
    metric: Metric, values: Iterable[tuple[LabelValues, float | None]]
) -> Family:
    return Family(
        metric,
        [(labels, value, None) for labels, value in values if value is not None],
    )
