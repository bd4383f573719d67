"""The overview's thread within the hub: begin, another Prometheus, end."""

import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from exporter.carbon.poller import Time
from exporter.hub.overview.keeper import Keeper, OverviewStanding
from exporter.hub.prometheus.client import Prometheus, open_prometheus
from exporter.hub.prometheus.settings import PrometheusSettings

# Of one question; budgets may have more, because theirs are larger.
_TIMEOUT_S = 10.0
_LARGEST_BYTES = 4 * 2**20
# A request that is on its way may take as long as it may; nobody waits for that.
_END_WITHIN_S = 1.0


class Overviews:
    """The overview of the Prometheus in force.

    Args:
        clocks: what time it is.
    """

    def __init__(self, clocks: Time) -> None:
        self._clocks = clocks
        self._settings: PrometheusSettings | None = None
        self._keeper: Keeper | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def standing(self) -> OverviewStanding | None:
        """How it stands; ``None`` if there is no Prometheus to ask."""
        return None if self._keeper is None else self._keeper.standing

    def look(self) -> None:
        """Say that somebody looks, so that it is kept up to date."""
        if self._keeper is not None:
            self._keeper.look()

    def follow(self, settings: PrometheusSettings | None) -> None:
        """Ask another Prometheus from now on; what was counted goes on."""
        if settings == self._settings:
            return
        before = self.standing
        self._let_go()
        self._settings, self._keeper, self._thread = settings, None, None
        if settings is None:
            return
        small = replace(
            settings,
            timeout_s=min(settings.timeout_s, _TIMEOUT_S),
            largest_bytes=_LARGEST_BYTES,
        )
        keeper = Keeper(
            settings,
            partial(_open, small),
            self._clocks,
            standing=before,
        )
        stop = threading.Event()
        thread = threading.Thread(
            target=keeper.run, args=(stop,), name="overview", daemon=True
        )
        thread.start()
        self._keeper, self._stop, self._thread = keeper, stop, thread

    def end(self) -> None:
        """End, without waiting long for an answer."""
        self._let_go()
        if self._thread is not None:
            self._thread.join(_END_WITHIN_S)

    def _let_go(self) -> None:
        self._stop.set()
        if self._keeper is not None:
            self._keeper.wake()


def _open(settings: PrometheusSettings) -> AbstractContextManager[Prometheus]:
    return open_prometheus(settings)
