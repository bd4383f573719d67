"""The gauges of a hub's budgets from a small exporter, where no hub is needed."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

DAY_S = 86400.0
_PREFIX = "jouled_carbon_budget"


@dataclass(frozen=True)
class Told:
    """What a hub tells of one budget of grams.

    Attributes:
        name: of the budget.
        team: whose it is.
        amount_g: how much it is.
        spent: part of it that is spent.
        projected: part of it that will be.
        day: how much of its period is over, days.
        days: length of its period.
        quality: of its data, 0 to 1.
        burn: pace by window.
    """

    name: str
    team: str
    amount_g: float
    spent: float
    projected: float
    day: float = 100.0
    days: float = 365.0
    quality: float = 1.0
    burn: Mapping[str, float] = field(default_factory=dict)

    def families(self, now_s: float) -> Iterator[Metric]:
        """Yield each gauge of this budget, told at a Unix time in s."""
        begin_s = now_s - self.day * DAY_S
        values = {
            "spent_ratio": self.spent,
            "projected_ratio": self.projected,
            "grams": self.amount_g,
            "spent_grams": self.spent * self.amount_g,
            "projected_grams": self.projected * self.amount_g,
            "period_start_timestamp_seconds": begin_s,
            "period_end_timestamp_seconds": begin_s + self.days * DAY_S,
            "data_quality": self.quality,
            "observed_timestamp_seconds": now_s,
        }
        for name, value in values.items():
            yield _gauge(name, value, budget=self.name)
        for window, pace in self.burn.items():
            yield _gauge("burn_rate", pace, budget=self.name, window=window)
        yield _gauge(
            "info", 1, budget=self.name, unit="grams", team=self.team, period="year"
        )


class HubGauges(Collector):
    """Answers on ``port`` as the metrics of a hub do.

    What is told of a budget changes as a whole: no scrape sees half of it.
    """

    def __init__(self) -> None:
        self._told: dict[str, tuple[Metric, ...]] = {}
        registry = CollectorRegistry()
        registry.register(self)
        self._server, self._thread = start_http_server(
            0, "127.0.0.1", registry=registry
        )
        self.port: int = self._server.server_port

    def tell(self, told: Told) -> None:
        """Tell of a budget from now on, or tell something else of it."""
        self._told = {**self._told, told.name: tuple(told.families(time.time()))}

    def collect(self) -> Iterable[Metric]:
        """Return what is told now; a scrape calls this."""
        merged: dict[str, Metric] = {}
        for families in self._told.values():
            for family in families:
                whole = merged.setdefault(
                    family.name, Metric(family.name, family.name, "gauge")
                )
                whole.samples = [*whole.samples, *family.samples]
        return merged.values()

    def close(self) -> None:
        """Answer no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def hub_gauges() -> Iterator[HubGauges]:
    """Be a hub's metrics for a while."""
    gauges = HubGauges()
    try:
        yield gauges
    finally:
        gauges.close()


def _gauge(name: str, value: float, **labels: str) -> Metric:
    full = f"{_PREFIX}_{name}"
    family = GaugeMetricFamily(full, full, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
