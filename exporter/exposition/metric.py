"""What a metric is: the shape of one entry of the catalogue."""

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["gauge", "counter", "info"]
Level = Literal["node", "tenant", "job"]
# From few series to many; each level contains the ones before it.
LEVELS: tuple[Level, ...] = ("node", "tenant", "job")

_SUFFIXES: dict[MetricType, str] = {"counter": "_total", "info": "_info", "gauge": ""}
_UNITS = (
    "joules",
    "watts",
    "grams",
    "seconds",
    "bytes",
    "celsius",
    "ratio",
    "grams_per_kwh",
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as it appears in a scrape.

    Attributes:
        name: the full name of its series, suffix included.
        type: what it may do: rise and fall, only rise, or always be 1.
        labels: its label names, in the order of a sample's values.
        help: one sentence for people.
        level: the lowest ``metrics.level`` at which it is exported.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    level: Level = "node"

    @property
    def family(self) -> str:
        """The name without ``_total`` or ``_info``, as OpenMetrics groups it."""
        return self.name.removesuffix(_SUFFIXES[self.type])

    @property
    def unit(self) -> str:
        """The base unit at the end of the family's name; "" for a plain number."""
        for unit in _UNITS:
            if self.family.endswith("_" + unit):
                return unit
        return ""


def gauge(
    name: str, labels: tuple[str, ...], text: str, level: Level = "node"
) -> Metric:
    """Describe a number that rises and falls."""
    return Metric(name, "gauge", labels, text, level)


def counter(
    name: str, labels: tuple[str, ...], text: str, level: Level = "node"
) -> Metric:
    """Describe a number that only rises while the node is up."""
    return Metric(name, "counter", labels, text, level)


def info(
    name: str, labels: tuple[str, ...], text: str, level: Level = "node"
) -> Metric:
    """Describe facts whose value is always 1."""
    return Metric(name, "info", labels, text, level)
