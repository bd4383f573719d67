"""All that a hub is told: settings, zones with their providers, budgets."""

from dataclasses import dataclass

from exporter.carbon.provider import Provider
from exporter.core.units import Seconds
from exporter.hub.budgets.plan import NO_BUDGETS, BudgetPlan
from exporter.hub.settings import HubSettings
from exporter.hub.slurm.plan import SlurmPlan


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """One grid zone, and who is asked for it.

    Attributes:
        zone: the grid zone, in capital letters.
        providers: in order of preference; empty: the yearly figure is all there is.
        max_age_s: a value older than this is not used, s.
    """

    zone: str
    providers: tuple[Provider, ...]
    max_age_s: Seconds


@dataclass(frozen=True, slots=True)
class HubConfig(HubSettings):
    """The whole configuration of a hub.

    Attributes:
        zones: what is asked for, in the order of the file.
        notices: what the operator should know of it, a line each.
        budgets: the carbon budgets, and where they are read.
        slurm: how slurmrestd is asked; ``None`` if nobody is.
    """

    zones: tuple[ZonePlan, ...] = ()
    notices: tuple[str, ...] = ()
    budgets: BudgetPlan = NO_BUDGETS
    slurm: SlurmPlan | None = None

    @property
    def only_zone(self) -> str:
        """The grid zone, if there is just one; else ""."""
        return self.zones[0].zone if len(self.zones) == 1 else ""
