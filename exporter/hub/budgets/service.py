"""The budgets' thread within the hub: begin, another plan, end."""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from exporter.core.forecast import Forecast
from exporter.hub.budgets.keeper import Clocks, Keeper
from exporter.hub.budgets.plan import NO_BUDGETS, BudgetPlan
from exporter.hub.budgets.state_file import StateFile
from exporter.hub.budgets.status import NOTHING_STANDS, Standing
from exporter.hub.prometheus.client import Prometheus, open_prometheus
from exporter.hub.prometheus.settings import PrometheusSettings

# A request that is on its way may take as long as it may; nobody waits for that.
_END_WITHIN_S = 5.0


class Budgets:
    """The budgets of the plan in force.

    Args:
        state_dir: where what was counted is kept.
        clocks: what time it is.
    """

    def __init__(self, state_dir: Path, clocks: Clocks) -> None:
        self._state_dir = state_dir
        self._clocks = clocks
        self._plan = NO_BUDGETS
        self._zone = ""
        self._keeper: Keeper | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def standing(self) -> Standing:
        """How all budgets stand now."""
        return NOTHING_STANDS if self._keeper is None else self._keeper.standing

    def follow(self, plan: BudgetPlan, zone: str) -> None:
        """Keep the budgets of a plan from now on, in place of those of before.

        Args:
            plan: the budgets.
            zone: grid zone of the budgets that name none; "" if it is not known.
        """
        if plan == self._plan and zone == self._zone:
            return
        former = self._thread
        self._stop.set()
        self._plan, self._zone, self._keeper, self._thread = plan, zone, None, None
        if not plan.budgets or plan.prometheus is None:
            return
        keeper = Keeper(
            plan,
            partial(_open, plan.prometheus),
            StateFile(self._state_dir),
            self._clocks,
            zone,
        )
        stop = threading.Event()
        thread = threading.Thread(
            target=_run, args=(keeper, stop, former), name="budgets", daemon=True
        )
        thread.start()
        self._keeper, self._stop, self._thread = keeper, stop, thread

    def expect(self, forecasts: Mapping[str, Forecast]) -> None:
        """Take over what is expected of the grids, by zone."""
        if self._keeper is not None:
            self._keeper.forecasts = forecasts

    def end(self) -> None:
        """End, and give what was counted a moment to be kept."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_END_WITHIN_S)


def _run(
    keeper: Keeper, stop: threading.Event, former: threading.Thread | None
) -> None:
    # Two must not write the same file.
    if former is not None:
        former.join()
    keeper.run(stop)


def _open(settings: PrometheusSettings) -> AbstractContextManager[Prometheus]:
    return open_prometheus(settings)
