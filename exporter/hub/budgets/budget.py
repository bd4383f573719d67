"""What a budget is: how much, for whose work, in which time. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from exporter.hub.budgets.amount import Amount
from exporter.hub.budgets.period import Period
from exporter.hub.prometheus.matching import Matchers

EMISSIONS = "jouled_tenant_emissions_grams_total"
ENERGY = "jouled_tenant_energy_joules_total"
OF_TENANTS = frozenset({"scheduler", "tenant", "user"})
"""Labels that the counters of tenants have beside those of their node."""


class Selection(NamedTuple):
    """Counters that are added up: those of a metric that match.

    Budgets of the same selection are added up once.
    """

    metric: str
    matchers: Matchers


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget, as it is configured.

    Attributes:
        name: tells it from the others.
        amount: how much, and of what.
        period: in which time.
        matchers: whose work counts; none: everybody's.
        team: whose budget it is; "" if it was not told.
        owners: who is to be told, such as addresses.
        zone: grid zone whose forecast its projection follows; "" for the one
            zone of the hub, if there is just one.
    """

    name: str
    amount: Amount
    period: Period
    matchers: Matchers = ()
    team: str = ""
    owners: tuple[str, ...] = ()
    zone: str = ""

    @property
    def selection(self) -> Selection:
        """The counters it adds up."""
        metric = EMISSIONS if self.amount.kind == "carbon" else ENERGY
        return Selection(metric, self.matchers)
