"""A store of time series in memory, with the windows of Prometheus."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from exporter.hub.prometheus.series import (
    History,
    StoreError,
    StoreOverloadError,
    Values,
    labels_of,
)


@dataclass
class SeriesStore:
    """Keeps samples, and answers as ``CounterStore`` says.

    Attributes:
        series: samples by name of the metric and key of the series.
        failure: is raised instead of an answer, if it is not ``None``.
        longest_s: a longer window is too much for it, s.
        complete: whether answers come without a warning.
        asked: how often anything was asked.
    """

    series: dict[str, dict[str, list[tuple[float, float]]]] = field(
        default_factory=dict
    )
    failure: StoreError | None = None
    longest_s: int = 10**9
    complete: bool = True
    asked: int = 0

    def write(self, metric: str, key: str, time_s: float, value: float) -> None:
        """Take in a sample, as a scrape does."""
        self.series.setdefault(metric, {}).setdefault(key, []).append((time_s, value))

    def last(
        self,
        metric: str,
        begin_s: int,
        end_s: int,
        instances: Sequence[str] | None = None,
    ) -> Values:
        """Return the last value of each series in a window."""
        found = self.samples(metric, begin_s, end_s, instances)
        return Values(
            {key: samples[-1][1] for key, samples in found.by_key.items()},
            found.complete,
        )

    def fallen(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series fell in a window."""
        return self._count(metric, begin_s, end_s, lambda a, b: b < a)

    def changed(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series changed in a window."""
        return self._count(metric, begin_s, end_s, lambda a, b: b != a)

    def samples(
        self, metric: str, begin_s: int, end_s: int, instances: Sequence[str] | None
    ) -> History:
        """Return all samples in a window."""
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        if end_s - begin_s > self.longest_s:
            msg = "too much was asked at once"
            raise StoreOverloadError(msg)
        found = {}
        for key, samples in self.series.get(metric, {}).items():
            if (
                instances is not None
                and labels_of(key).get("instance") not in instances
            ):
                continue
            first = bisect_left(samples, (float(begin_s), -inf))
            inside = samples[first : bisect_right(samples, (float(end_s), inf))]
            if inside:
                found[key] = inside
        return History(found, self.complete)

    def course(self, query: str, begin_s: int, end_s: int, step_s: int) -> History:
        """Return what an expression is each step; it is written as its own name."""
        found = self.samples(query, begin_s, end_s, None)
        return History(
            {
                key: [
                    sample for sample in samples if not (sample[0] - begin_s) % step_s
                ]
                for key, samples in found.by_key.items()
            },
            found.complete,
        )

    def _count(
        self,
        metric: str,
        begin_s: int,
        end_s: int,
        condition: Callable[[float, float], bool],
    ) -> Values:
        found = self.samples(metric, begin_s, end_s, None)
        counts = {
            key: float(sum(condition(a[1], b[1]) for a, b in pairwise(samples)))
            for key, samples in found.by_key.items()
        }
        return Values(
            {k: count for k, count in counts.items() if count}, found.complete
        )
