"""What a story about an alert is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.fakes.promtool import Series, Told

CLUSTER = {"cluster": "main"}
NODE = {"cluster": "main", "instance": "n1:9878", "job": "jouled"}


@dataclass(frozen=True)
class Story:
    """Something goes wrong and right again.

    Attributes:
        alert: name of the alert that tells it.
        series: what Prometheus has, a value each minute.
        silent: minute at which it is not told yet.
        fires: minute at which it is.
        told: what is told then, all of it.
        resolved: minute at which it is over.
    """

    alert: str
    series: Series
    silent: float
    fires: float
    told: Sequence[Told]
    resolved: float


@dataclass(frozen=True)
class Calm:
    """Something that looks like trouble and is none.

    Attributes:
        alert: name of the alert that must never fire.
        because: why it is none.
        series: what Prometheus has, a value each minute.
        minutes: how long to look.
    """

    alert: str
    because: str
    series: Series
    minutes: int


def selector(name: str, labels: Mapping[str, str] = NODE, **more: str) -> str:
    """Write a series as PromQL does."""
    inner = ",".join(f'{k}="{v}"' for k, v in {**labels, **more}.items())
    return f"{name}{{{inner}}}"


Stay = tuple[float | None, int]
"""A value and for how many minutes it stays; ``None`` if there is none."""


def steps(*parts: Stay) -> str:
    """Return values that stay for some minutes each."""
    return " ".join(
        f"stale _x{minutes - 1}" if value is None else f"{value:g}+0x{minutes - 1}"
        for value, minutes in parts
    )


def ramps(*parts: tuple[float, int], begin: float = 0.0) -> str:
    """Return a counter that grows by so much a minute for some minutes."""
    written, now = [], begin
    for slope, minutes in parts:
        written.append(f"{now:g}+{slope:g}x{minutes - 1}")
        now += slope * minutes
    return " ".join(written)


def unix_clock(offset_s: float, minutes: int) -> str:
    """Return a clock that is read each minute and is off by so much, s."""
    return f"{offset_s:g}+60x{minutes}"
