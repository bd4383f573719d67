"""What ``/api/v1/budgets`` answers.

Amounts are in the unit of the budget, which stands beside them. What is not known
is ``null``, never 0.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from exporter.hub.budgets.status import BudgetStatus, Standing
from exporter.hub.prometheus.matching import selector


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class BudgetAnswer(_Answer):
    """One budget, and how it stands."""

    name: str
    team: str
    owners: tuple[str, ...]
    kind: Literal["carbon", "energy", "cost"]
    unit: Annotated[str, Field(description="grams, joules, or a currency")]
    amount: Annotated[float, Field(description="what it allows in its period")]
    period: Annotated[
        str, Field(description="week, month, quarter, year, or a length such as 30d")
    ]
    selector: Annotated[
        str, Field(description="the counters that are added up, in PromQL")
    ]
    emissions: Annotated[
        Literal["location-based"] | None,
        Field(description="how grams are meant; null for energy and money"),
    ]
    observed_unix_s: Annotated[
        float | None, Field(description="the moment that the numbers speak of")
    ]
    period_begin_unix_s: float | None
    period_end_unix_s: Annotated[
        float | None, Field(description="of a rolling one: the moment observed")
    ]
    spent: float | None
    spent_ratio: Annotated[float | None, Field(description="1 is all of it")]
    remaining: Annotated[float | None, Field(description="below 0 if overspent")]
    projected: Annotated[
        float | None,
        Field(description="at the end of the period, if work goes on as lately"),
    ]
    projected_ratio: float | None
    burn_rates: Annotated[
        dict[str, float],
        Field(description="by window; 1 spends exactly all of it in a period"),
    ]
    data_quality: Annotated[float, Field(description="0 to 1: live x complete")]
    live: Annotated[float, Field(description="part computed on live intensity")]
    complete: Annotated[float, Field(description="part of the time with all data")]


class BudgetsAnswer(_Answer):
    """All budgets, in the order of the file."""

    unix_s: float
    budgets: tuple[BudgetAnswer, ...]
    catching_up: Annotated[
        bool, Field(description="the past of some budgets is still being read")
    ]
    error: Annotated[
        str, Field(description='why the last refresh failed; "" if it did not')
    ]
    refresh_duration_s: float | None


def budgets_answer(standing: Standing, unix_s: float) -> BudgetsAnswer:
    """Describe how all budgets stand."""
    return BudgetsAnswer(
        unix_s=unix_s,
        budgets=tuple(map(_budget, standing.statuses)),
        catching_up=standing.catching_up,
        error=standing.error,
        refresh_duration_s=standing.duration_s,
    )


def _budget(status: BudgetStatus) -> BudgetAnswer:
    budget, period, spent = status.budget, status.period, status.spent
    amount, selection = budget.amount, budget.selection
    return BudgetAnswer(
        name=budget.name,
        team=budget.team,
        owners=budget.owners,
        kind=amount.kind,
        unit=amount.unit,
        amount=amount.value,
        period=budget.period.name,
        selector=selector(selection.metric, selection.matchers),
        emissions="location-based" if amount.kind == "carbon" else None,
        observed_unix_s=status.at_s,
        period_begin_unix_s=None if period is None else period.begin_s,
        period_end_unix_s=None if period is None else period.end_s,
        spent=spent,
        spent_ratio=status.spent_ratio,
        remaining=None if spent is None else amount.value - spent,
        projected=status.projected,
        projected_ratio=status.projected_ratio,
        burn_rates=dict(status.burn_rates),
        data_quality=status.data_quality,
        live=status.live,
        complete=status.complete,
    )
