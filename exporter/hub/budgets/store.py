"""What the budgets ask of the store of time series."""

from collections.abc import Sequence
from typing import Protocol

from exporter.hub.prometheus.series import History, Values


class CounterStore(Protocol):
    """Answers what became of counters in a window of time.

    Windows are in whole seconds of Unix time. ``instances`` narrows a question to
    the series of some nodes; ``None`` asks for all.

    Raises:
        StoreError: there is no answer; the class says what to do.
    """

    def last(
        self,
        metric: str,
        begin_s: int,
        end_s: int,
        instances: Sequence[str] | None = None,
    ) -> Values:
        """Return the last value of each series that has one in a window."""

    def fallen(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series fell in a window, of those that did."""

    def changed(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series changed in a window, of those that did."""

    def samples(
        self, metric: str, begin_s: int, end_s: int, instances: Sequence[str] | None
    ) -> History:
        """Return all samples in a window."""
