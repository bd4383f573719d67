"""What the budgets ask of the store of time series; Prometheus is one by shape.

A series goes by its labels written in one line, in order of their names. That is
its key everywhere: in memory, where a tuple of pairs would take several times as
much, and in the file of the state.

    StoreError
    ├── StoreAwayError      no answer now, or it fails: ask again later
    ├── StoreOverloadError  too much was asked at once: ask for less
    ├── StoreDeniedError    it does not let us ask: the operator has to act
    └── StoreNonsenseError  the answer is not what it is documented to be
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol

from exporter.hub.budgets.matching import Labels

# Neither is in any label value of ours, nor in those that people give.
_BETWEEN = "\x1f"
_EQUALS = "\x1e"


class StoreError(Exception):
    """The store gave no answer; ``outcome`` is what that is counted as.

    Messages name the host, never an address, a header or a text of the server.
    """

    outcome: ClassVar[str] = "unavailable"


class StoreAwayError(StoreError):
    """It cannot be reached, fails or takes too long."""


class StoreOverloadError(StoreError):
    """It gives up on the question, or its answer is too large for us."""

    outcome: ClassVar[str] = "overload"


class StoreDeniedError(StoreError):
    """It refuses us, or there is nothing at that address."""

    outcome: ClassVar[str] = "denied"


class StoreNonsenseError(StoreError):
    """It answered, and not as it should."""

    outcome: ClassVar[str] = "nonsense"


class Values(NamedTuple):
    """One value of each series, by key; ``complete`` unless the store warned."""

    by_key: Mapping[str, float]
    complete: bool


Samples = Sequence[tuple[float, float]]
"""Unix time, s, and value of each raw sample of a counter, oldest first."""


class History(NamedTuple):
    """Raw samples of each series, by key; ``complete`` unless the store warned."""

    by_key: Mapping[str, Samples]
    complete: bool


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


def key_of(labels: Labels) -> str:
    """Write the labels of a series in one line, its name left out."""
    return _BETWEEN.join(
        [f"{name}{_EQUALS}{labels[name]}" for name in sorted(labels) if name[0] != "_"]
    )


def labels_of(key: str) -> dict[str, str]:
    """Return the labels of a series by its key."""
    if not key:
        return {}
    pairs = (part.partition(_EQUALS) for part in key.split(_BETWEEN))
    return {name: value for name, _, value in pairs}
