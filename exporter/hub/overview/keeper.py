"""Keeps the overview up to date while somebody looks: a thread of its own.

Prometheus is asked for all who look at once, on a timer, never in a request; and not at
all while nobody does. What others read is one immutable object, replaced after each
refresh. When Prometheus does not answer, the last overview stays and its age is told.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from exporter.carbon.poller import Time
from exporter.hub.overview.asking import Asker, Store
from exporter.hub.overview.figures import Overview
from exporter.hub.overview.reading import Reader
from exporter.hub.prometheus.series import OUTCOMES, StoreError
from exporter.hub.prometheus.settings import PrometheusSettings

_log = logging.getLogger(__name__)

EVERY_S = 30.0
"""How often Prometheus is asked while somebody looks, s."""

LOOKED_FOR_S = 300.0
"""How long it goes on after the last look, s."""

_LONGEST_PAUSE_S = 120.0
# All questions of one refresh together; each of them has a deadline as well.
_WITHIN_S = 25.0

OpenStore = Callable[[], AbstractContextManager[Store]]


@dataclass(frozen=True, slots=True)
class OverviewStanding:
    """How it stands with the overview.

    Attributes:
        host: of the Prometheus that is asked.
        overview: the last good one; ``None`` before it.
        outcome: of the last refresh; "" before it.
        error: why it failed; "" if it did not.
        failing_since_s: Unix time of the first of the failures in a row, s.
        refreshes: how many there were since the start, by outcome.
        queries: how many questions were asked, by outcome.
        duration_s: how long the last refresh took, s.
    """

    host: str
    overview: Overview | None = None
    outcome: str = ""
    error: str = ""
    failing_since_s: float | None = None
    refreshes: Mapping[str, int] = field(
        default_factory=lambda: dict.fromkeys(OUTCOMES, 0)
    )
    queries: Mapping[str, int] = field(
        default_factory=lambda: dict.fromkeys(OUTCOMES, 0)
    )
    duration_s: float | None = None


class Keeper:
    """Asks one Prometheus again and again.

    Args:
        settings: how it is reached.
        open_store: opens the way to it.
        clocks: what time it is.
        standing: what was counted before.
        every_s: how often it is asked while somebody looks, s.
    """

    def __init__(
        self,
        settings: PrometheusSettings,
        open_store: OpenStore,
        clocks: Time,
        *,
        standing: OverviewStanding | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._every_s = every_s
        self._reader = Reader(settings.matchers)
        self._open_store = open_store
        self._clocks = clocks
        before = OverviewStanding(settings.host) if standing is None else standing
        self._queries = dict(before.queries)
        self._refreshes = dict(before.refreshes)
        self._failures = 0
        self._woken = threading.Event()
        self._looked_s = clocks.monotonic()
        self.standing = OverviewStanding(
            settings.host, refreshes=dict(self._refreshes), queries=dict(self._queries)
        )

    def look(self) -> None:
        """Say that somebody looks: from any thread, and at no cost."""
        self._looked_s = self._clocks.monotonic()
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Refresh until told to stop; ``wake`` has to follow that."""
        while not stop.is_set():
            try:
                with self._open_store() as store:
                    while not stop.is_set():
                        self._rest(stop, self.refresh(store))
            except StoreError as error:
                # A file of certificates; it may be there the next time.
                self._rest(stop, self._publish(None, error.outcome, str(error)))

    def wake(self) -> None:
        """Let ``run`` see that it is to stop."""
        self._woken.set()

    def refresh(self, store: Store) -> float:
        """Refresh once; return how long to wait until the next time, s."""
        begin_s = self._clocks.monotonic()
        asker = Asker(
            store,
            self._clocks.unix(),
            lambda: self._clocks.monotonic() - begin_s > _WITHIN_S,
        )
        overview: Overview | None = None
        outcome, error = "ok", ""
        try:
            overview = self._reader.read(asker)
        except StoreError as failure:
            outcome, error = failure.outcome, str(failure)
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not end the hub
            _log.error("a refresh of the overview failed", exc_info=fault)
            outcome, error = "failed", f"{type(fault).__name__}, see the log"
        for name, count in asker.outcomes.items():
            self._queries[name] += count
        took_s = self._clocks.monotonic() - begin_s
        return self._publish(overview, outcome, error, took_s)

    def _publish(
        self,
        overview: Overview | None,
        outcome: str,
        error: str,
        took_s: float | None = None,
    ) -> float:
        before = self.standing
        if bool(error) != bool(before.error):
            if error:
                _log.warning("the overview stays as it is: %s", error)
            else:
                _log.info("the overview is refreshed again")
        self._refreshes[outcome] += 1
        self._failures = self._failures + 1 if error else 0
        since_s = before.failing_since_s
        if since_s is None:
            since_s = self._clocks.unix()
        self.standing = OverviewStanding(
            before.host,
            before.overview if overview is None else overview,
            outcome,
            error,
            since_s if error else None,
            dict(self._refreshes),
            dict(self._queries),
            took_s,
        )
        doublings = max(0, self._failures - 1)
        return min(_LONGEST_PAUSE_S, self._every_s * 2.0 ** min(doublings, 10))

    def _rest(self, stop: threading.Event, pause_s: float) -> None:
        """Wait so long at least, and until somebody has looked lately."""
        stop.wait(pause_s)
        while True:
            # In this order: who looks between the two is not missed.
            self._woken.clear()
            looked_s = self._clocks.monotonic() - self._looked_s
            if stop.is_set() or looked_s <= LOOKED_FOR_S:
                return
            self._woken.wait()
