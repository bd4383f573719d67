"""Budgets as a table for people."""

from exporter.commands.figures import energy_text, figure, mass_text, time_text
from exporter.commands.table import aligned
from exporter.commands.text import harmless
from exporter.hub.budgets.api_models import BudgetAnswer, BudgetsAnswer

_UNKNOWN = "-"
_HEAD = (
    *("BUDGET", "TEAM", "PERIOD", "AMOUNT", "SPENT", "%"),
    *("PROJECTED", "%", "1H", "1D", "QUALITY", "ENDS IN"),
)
_RIGHT = range(3, len(_HEAD))
_OLD_S = 300.0


def table(answer: BudgetsAnswer) -> str:
    """Write how all budgets stand, with what is to be known of the numbers."""
    if not answer.budgets:
        return "the hub has no budgets\n"
    rows = [_row(budget, answer.unix_s) for budget in answer.budgets]
    lines = [*aligned([_HEAD, *rows], _RIGHT), ""]
    lines += [
        "1H, 1D: how fast it went in that time; 1 spends exactly all of it in a period"
    ]
    lines += _remarks(answer)
    return "\n".join([*lines, ""])


def amount_text(kind: str, unit: str, value: float) -> str:
    """Write an amount in the unit that suits its size."""
    if kind == "carbon":
        return mass_text(value)
    return energy_text(value) if kind == "energy" else f"{figure(value)} {unit}"


def _row(budget: BudgetAnswer, unix_s: float) -> tuple[str, ...]:
    def amount(value: float | None) -> str:
        if value is None:
            return _UNKNOWN
        return amount_text(budget.kind, budget.unit, value)

    # Of a rolling period the end is always now.
    ends = _UNKNOWN
    end_s, at_s = budget.period_end_unix_s, budget.observed_unix_s
    if end_s is not None and end_s != at_s:
        ends = time_text(max(0.0, end_s - unix_s))
    return (
        budget.name,
        harmless(budget.team) or _UNKNOWN,
        budget.period,
        amount(budget.amount),
        amount(budget.spent),
        _percent(budget.spent_ratio),
        amount(budget.projected),
        _percent(budget.projected_ratio),
        _rate(budget.burn_rates.get("1h")),
        _rate(budget.burn_rates.get("1d")),
        figure(budget.data_quality),
        ends,
    )


def _remarks(answer: BudgetsAnswer) -> list[str]:
    remarks = []
    observed_s = [b.observed_unix_s for b in answer.budgets if b.observed_unix_s]
    if observed_s and answer.unix_s - min(observed_s) > _OLD_S:
        age = time_text(answer.unix_s - min(observed_s))
        remarks.append(f"the numbers are {age} old")
    if answer.catching_up:
        remarks.append("the past of some budgets is still being read from Prometheus")
    if answer.error:
        remarks.append(f"the last refresh failed: {harmless(answer.error)}")
    return remarks


def _percent(ratio: float | None) -> str:
    return _UNKNOWN if ratio is None else f"{100 * ratio:.0f}"


def _rate(rate: float | None) -> str:
    return _UNKNOWN if rate is None else figure(rate)
