"""What the hub's file says of budgets, all of it."""

from dataclasses import dataclass

from exporter.hub.budgets.budget import Budget
from exporter.hub.prometheus.settings import PrometheusSettings


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """The budgets, and where their numbers come from.

    Attributes:
        budgets: in the order of the file; names are unique.
        prometheus: how to reach it, if the file says; ``None`` only without budgets.
        interval_s: how often the numbers are refreshed, s.
        delay_s: how old what is read has to be, s: scrapes take a moment to
            arrive, in a distributed store a longer one.
    """

    budgets: tuple[Budget, ...] = ()
    prometheus: PrometheusSettings | None = None
    interval_s: float = 60.0
    delay_s: float = 30.0


NO_BUDGETS = BudgetPlan()
