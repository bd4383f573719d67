"""What a store of time series answers, and why it may not.

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
from typing import ClassVar, NamedTuple

from exporter.hub.prometheus.matching import Labels

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


OUTCOMES = (
    "ok",
    StoreAwayError.outcome,
    StoreOverloadError.outcome,
    StoreDeniedError.outcome,
    StoreNonsenseError.outcome,
    "failed",
)
"""All that a round of questions can be counted as; the last is a fault of our own."""


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
