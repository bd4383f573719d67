"""Keeps the jobs of the cluster up to date: a thread of its own, beside the hub's loop.

Reading the jobs of a large cluster takes a second, which nobody else has to wait for.
What others read is one immutable object, replaced after each poll. When slurmrestd does
not answer, the jobs stay as they were, and it is asked again ever more rarely.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
    NotCoveredError,
    ProviderError,
    UnavailableError,
)
from exporter.carbon.poller import Time
from exporter.hub.slurm.jobs import SlurmJob
from exporter.hub.slurm.plan import SlurmPlan
from exporter.hub.slurm.rest import open_rest
from exporter.hub.slurm.table import JobTable

_log = logging.getLogger(__name__)

_OK = "ok"
_FAILED = "failed"
OUTCOMES = (
    _OK,
    UnavailableError.outcome,
    CredentialsError.outcome,
    NotCoveredError.outcome,
    NonsenseError.outcome,
    _FAILED,
)
"""All that a fetch can be counted as."""

_LONGEST_PAUSE_S = 600.0
_MOST_DOUBLINGS = 10
# A request that is on its way may take as long as it may; nobody waits for that.
_END_WITHIN_S = 1.0


class JobsSource(Protocol):
    """What tells the jobs of a cluster."""

    def jobs(self) -> tuple[SlurmJob, ...]:
        """Return those that hold nodes.

        Raises:
            ProviderError: there is no answer; the class says what to do.
        """


OpenSource = Callable[[SlurmPlan], AbstractContextManager[JobsSource]]


@dataclass(frozen=True, slots=True)
class SlurmStanding:
    """How it stands with the jobs of the cluster.

    Attributes:
        table: the jobs; ``None`` until they were told once.
        fetches: how often slurmrestd was asked, by outcome.
        next_unix_s: when it is asked next, wall clock, s.
        error: why it did not tell the last time; "" if it did.
    """

    table: JobTable | None = None
    fetches: Mapping[str, int] = field(
        default_factory=lambda: dict.fromkeys(OUTCOMES, 0)
    )
    next_unix_s: float = 0.0
    error: str = ""


class Keeper:
    """Asks one slurmrestd again and again.

    Args:
        plan: how it is asked.
        open_source: opens the way to it.
        clocks: what time it is.
        standing: what was told and counted before.
    """

    def __init__(
        self,
        plan: SlurmPlan,
        open_source: OpenSource = open_rest,
        clocks: Time | None = None,
        standing: SlurmStanding | None = None,
    ) -> None:
        self.standing = SlurmStanding() if standing is None else standing
        self._plan = plan
        self._open_source = open_source
        self._clocks = Time() if clocks is None else clocks
        self._outcome = _OK
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        while not stop.is_set():
            try:
                with self._open_source(self._plan) as source:
                    while not stop.is_set():
                        stop.wait(self.refresh(source))
            except ProviderError as error:
                # A file of certificates; it may be there the next time.
                stop.wait(self._publish(None, error.outcome, str(error)))

    def refresh(self, source: JobsSource) -> float:
        """Ask once; return how long to wait until the next time, s."""
        try:
            table = JobTable(source.jobs(), self._clocks.unix())
        except ProviderError as error:
            return self._publish(None, error.outcome, str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the hub
            # Only its kind: its text may hold anything.
            return self._publish(None, _FAILED, type(error).__name__)
        return self._publish(table, _OK, "")

    def _publish(self, table: JobTable | None, outcome: str, error: str) -> float:
        if outcome != self._outcome:
            about = {"outcome": outcome}
            if error:
                _log.warning("jobs of Slurm are not told: %s", error, extra=about)
            else:
                _log.info("jobs of Slurm are told again")
        self._outcome = outcome
        self._failures = self._failures + 1 if error else 0
        wait_s = self._pause_s()
        before = self.standing
        self.standing = SlurmStanding(
            before.table if table is None else table,
            {**before.fetches, outcome: before.fetches.get(outcome, 0) + 1},
            self._clocks.unix() + wait_s,
            error,
        )
        return wait_s

    def _pause_s(self) -> float:
        every_s = self._plan.interval_s
        if not self._failures:
            return every_s
        ceiling_s = every_s * 2.0 ** min(self._failures - 1, _MOST_DOUBLINGS)
        longest_s = max(every_s, min(_LONGEST_PAUSE_S, ceiling_s))
        # Not all hubs of a site at the same moment.
        return every_s + random.random() * (longest_s - every_s)  # noqa: S311 - no secret


class SlurmJobs:
    """The keeper's thread within the hub: begin, another plan, end.

    Args:
        clocks: what time it is.
    """

    def __init__(self, clocks: Time) -> None:
        self._clocks = clocks
        self._plan: SlurmPlan | None = None
        self._keeper: Keeper | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def standing(self) -> SlurmStanding | None:
        """How it stands; ``None`` if nobody is to be asked."""
        return None if self._keeper is None else self._keeper.standing

    def follow(self, plan: SlurmPlan | None) -> None:
        """Ask as a plan says from now on; counts and jobs go on."""
        if plan == self._plan:
            return
        before = self.standing
        self._stop.set()
        self._plan, self._keeper, self._thread = plan, None, None
        if plan is None:
            return
        keeper = Keeper(plan, clocks=self._clocks, standing=before)
        stop = threading.Event()
        thread = threading.Thread(
            target=keeper.run, args=(stop,), name="slurm", daemon=True
        )
        thread.start()
        self._keeper, self._stop, self._thread = keeper, stop, thread

    def end(self) -> None:
        """End, without waiting long for an answer."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_END_WITHIN_S)
