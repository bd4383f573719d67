"""Samples of one metric, as tuples: what is not known has none."""

from collections.abc import Iterable
from typing import NamedTuple

from exporter.exposition.metric import Metric

LabelValues = tuple[str, ...]
# Label values in the catalogue's order, value, and the Unix time at which a
# counter started from 0 (``None`` if it is not told).
Sample = tuple[LabelValues, float, float | None]


class Family(NamedTuple):
    """All samples of one metric in one snapshot; none at all is allowed."""

    metric: Metric
    samples: list[Sample]


def known(metric: Metric, values: Iterable[tuple[LabelValues, float | None]]) -> Family:
    """Keep the values that are known; they have no begin."""
    return Family(
        metric,
        [(labels, value, None) for labels, value in values if value is not None],
    )


def counted(
    metric: Metric, counts: Iterable[tuple[LabelValues, float | None, float]]
) -> Family:
    """Keep the counts there are, with when they started from 0."""
    return Family(
        metric,
        [
            (labels, value, created_unix_s)
            for labels, value, created_unix_s in counts
            if value is not None
        ],
    )


def single(metric: Metric, value: float | None) -> Family:
    """Return a metric without labels; of a value that is not known, none."""
    return known(metric, [((), value)])
