"""Asks the questions of one refresh, and says of each figure why it is not there.

A question that fails costs its figure alone. A Prometheus that cannot be reached, or
does not let us ask, ends the refresh: whoever asks on would wait for nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from exporter.hub.overview.figures import Missing, Part, Why
from exporter.hub.overview.question import Question
from exporter.hub.prometheus.series import (
    History,
    Samples,
    StoreError,
    StoreNonsenseError,
    StoreOverloadError,
    Values,
    labels_of,
)

AnswerT = TypeVar("AnswerT", Values, History)

MOST_NODES_WITHOUT_RULES = 200
"""Of more nodes than that nothing is added up here."""

_OK = "ok"
_REMEDIES: Mapping[Why, str] = {
    "absent": "Prometheus has no such series. The nodes have to be scraped, with "
    "metrics.level high enough; for large clusters it needs the rules of {rules}.",
    "rules": f"Of more than {MOST_NODES_WITHOUT_RULES} nodes only recorded sums are "
    "asked for: load the rules of {rules} into Prometheus.",
    "overload": "Prometheus gave up on the question, or answered too much or too late. "
    "Recording rules make it small: load those of {rules}.",
    "nonsense": "What answers at prometheus.url is not what Prometheus is documented "
    "to say. Look at what stands between it and the hub.",
}
_NOT_RECORDED = (
    f"Of more than {MOST_NODES_WITHOUT_RULES} nodes only recorded sums are asked for, "
    "and there are none: no job runs, or the rules of {rules} are not in Prometheus."
)


class Store(Protocol):
    """Evaluates expressions; Prometheus by shape.

    Raises:
        StoreError: there is no answer; the class says what to do.
    """

    def values(self, query: str, unix_s: float) -> Values:
        """Evaluate an expression at a moment."""

    def course(self, query: str, begin_s: int, end_s: int, step_s: int) -> History:
        """Evaluate an expression again and again, each ``step_s`` of a time."""


class Row(NamedTuple):
    """One value, with the labels it was told with."""

    labels: Mapping[str, str]
    value: float

    def of(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the values of some labels; one that is missing is ""."""
        return tuple([self.labels.get(name, "") for name in names])


Rows = tuple[Row, ...]


class Asker:
    """Asks for one refresh.

    Args:
        store: is asked.
        at_s: the moment that is asked about, Unix time, s.
        is_over: whether the refresh has had its time.

    Attributes:
        with_raw: whether to add up what no rule has recorded.
        outcomes: how the questions came out.
        complete: nobody said that parts of an answer are missing.
    """

    def __init__(
        self, store: Store, at_s: float, is_over: Callable[[], bool] = lambda: False
    ) -> None:
        self._store = store
        self.at_s = at_s
        self._is_over = is_over
        self.with_raw = False
        self.outcomes: Counter[str] = Counter()
        self.complete = True
        self._missing: dict[Part, Missing] = {}
        self._last_error: StoreError | None = None

    @property
    def failure(self) -> StoreError:
        """Why the last question that failed did."""
        if self._last_error is None:
            return StoreOverloadError("the questions took too long")
        return self._last_error

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What is not known, and why."""
        return tuple(self._missing.values())

    def rows(self, question: Question, *, may_be_none: bool = True) -> Rows | None:
        """Ask for what no rule records, and for no sum; ``None``: no answer.

        Args:
            question: in its raw form.
            may_be_none: no rows are an answer: there is nothing to tell.

        Raises:
            StoreError: there is no use in asking on.
        """
        found = self._values(question, question.raw)
        if found is not None and not found.by_key and not may_be_none:
            self._miss(question, "absent")
            return None
        return None if found is None else _rows(found)

    def best(self, question: Question, *, may_be_none: bool = False) -> Rows | None:
        """Ask for a recorded sum, or where there is none for what it is a sum of.

        Args:
            question: in both forms.
            may_be_none: no rows are an answer: there is nothing to tell.

        Raises:
            StoreError: there is no use in asking on.
        """
        for query in self._forms(question):
            found = self._values(question, query)
            if found is None or found.by_key:
                return None if found is None else _rows(found)
        if may_be_none:
            return ()
        self._lacks(question)
        return None

    def best_or_none(self, question: Question) -> Rows | None:
        """Ask as ``best`` does, where no rows may mean that there is nothing.

        Without recorded sums nobody knows which it is, unless what they are sums of is
        asked for too: then it is ``None``.

        Raises:
            StoreError: there is no use in asking on.
        """
        rows = self.best(question, may_be_none=True)
        if rows == () and not self.with_raw:
            remedy = _NOT_RECORDED.format(rules=question.rules)
            missing = Missing(question.part, "rules", remedy)
            self._missing.setdefault(question.part, missing)
            return None
        return rows

    def course(
        self, question: Question, by: str, length_s: int, step_s: int
    ) -> Mapping[str, Samples] | None:
        """Ask for a sum over time, by one label; see ``best``.

        Raises:
            StoreError: there is no use in asking on.
        """
        # It ends now: of a cluster that began a minute ago there is something to tell.
        end_s = int(self.at_s)
        begin_s = end_s - length_s + step_s
        for form in self._forms(question):
            query = f"sum by ({by}) ({form})"
            found = self._ask(
                question, partial(self._store.course, query, begin_s, end_s, step_s)
            )
            if found is None:
                return None
            if found.by_key:
                return {
                    labels_of(key).get(by, ""): samples
                    for key, samples in found.by_key.items()
                }
        self._lacks(question)
        return None

    def _values(self, question: Question, query: str) -> Values | None:
        return self._ask(question, partial(self._store.values, query, self.at_s))

    def _forms(self, question: Question) -> tuple[str, ...]:
        recorded, raw = question.recorded, question.raw
        return (recorded, raw) if self.with_raw else (recorded,)

    def _lacks(self, question: Question) -> None:
        self._miss(question, "absent" if self.with_raw else "rules")

    def _miss(self, question: Question, why: Why) -> None:
        remedy = _REMEDIES[why].format(rules=question.rules)
        if why == "absent" and question.remedy:
            remedy = question.remedy
        self._missing.setdefault(question.part, Missing(question.part, why, remedy))

    def _ask(self, question: Question, ask: Callable[[], AnswerT]) -> AnswerT | None:
        if self._is_over():
            self._miss(question, "overload")
            return None
        try:
            found = ask()
        except StoreOverloadError as error:
            self._last_error = error
            self.outcomes[error.outcome] += 1
            self._miss(question, "overload")
            return None
        except StoreNonsenseError as error:
            self._last_error = error
            self.outcomes[error.outcome] += 1
            self._miss(question, "nonsense")
            return None
        except StoreError as error:
            self.outcomes[error.outcome] += 1
            raise
        self.outcomes[_OK] += 1
        self.complete = self.complete and found.complete
        return found


def _rows(found: Values) -> Rows:
    return tuple(Row(labels_of(key), value) for key, value in found.by_key.items())
