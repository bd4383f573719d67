"""A store that is asked the same by several tallies, and answers it once.

The tallies of grams and of joules each follow the counters of the nodes, mostly over
the same windows. Those answers are small beside the others, and are kept for a
moment.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from exporter.hub.budgets.store import CounterStore
from exporter.hub.prometheus.series import History, Values

_MOST_ANSWERS = 32
AnswerT = TypeVar("AnswerT", Values, History)


class SharedStore:
    """Remembers answers about some metrics for as long as it lives.

    Args:
        store: is asked.
        metrics: what is remembered.
    """

    def __init__(self, store: CounterStore, metrics: Collection[str]) -> None:
        self._store = store
        self._metrics = metrics
        self._values: dict[tuple[object, ...], Values] = {}
        self._histories: dict[tuple[object, ...], History] = {}

    def last(
        self,
        metric: str,
        begin_s: int,
        end_s: int,
        instances: Sequence[str] | None = None,
    ) -> Values:
        """Return the last value of each series that has one in a window."""
        return self._once(
            self._values,
            ("last", metric, begin_s, end_s, instances),
            lambda: self._store.last(metric, begin_s, end_s, instances),
        )

    def fallen(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series fell in a window, of those that did."""
        return self._once(
            self._values,
            ("fallen", metric, begin_s, end_s),
            lambda: self._store.fallen(metric, begin_s, end_s),
        )

    def changed(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series changed in a window, of those that did."""
        return self._once(
            self._values,
            ("changed", metric, begin_s, end_s),
            lambda: self._store.changed(metric, begin_s, end_s),
        )

    def samples(
        self, metric: str, begin_s: int, end_s: int, instances: Sequence[str] | None
    ) -> History:
        """Return all samples in a window."""
        return self._once(
            self._histories,
            ("samples", metric, begin_s, end_s, instances),
            lambda: self._store.samples(metric, begin_s, end_s, instances),
        )

    def _once(
        self,
        known: dict[tuple[object, ...], AnswerT],
        question: tuple[object, ...],
        ask: Callable[[], AnswerT],
    ) -> AnswerT:
        if question[1] not in self._metrics:
            return ask()
        answer = known.get(question)
        if answer is None:
            if len(known) >= _MOST_ANSWERS:
                known.clear()
            answer = known[question] = ask()
        return answer
