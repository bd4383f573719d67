"""Writes of docs/metrics.md what is told of nodes; `jouled metrics` writes the rest."""

from collections.abc import Iterable

from exporter.exposition.catalogue import CATALOGUE
from exporter.exposition.job_metrics import JOB_LABELS
from exporter.exposition.metric import Metric

_INTRODUCTION = f"""\
# Metrics

<!-- Generated from exporter/exposition/catalogue.py and exporter/hub/catalogue.py by
`make docs`; do not edit. -->

What `/metrics` on port 9878 of a node tells, in the Prometheus text format 0.0.4 or in
OpenMetrics 1.0.0, as the client asks. Units are base units and end the name.
Counters end in `_total`; those of energy and grams count from the first reading after
the node booted ("since boot"), and outlive a restart of the daemon. Facts that are
always 1 end in `_info`: join them with `* on (…) group_left (…)`.

* **A value that is not known is an absent series**, never a zero.
* `level` is the lowest `metrics.level` at which a metric is exported: `node` is
  always there, `tenant` adds what users and tenants used, `job` adds every job.
* The job labels *J* are {", ".join(f"`{label}`" for label in JOB_LABELS)};
  a label is empty where the scheduler has no such thing.
* In OpenMetrics, counters of jobs and tenants carry created timestamps, so that
  Prometheus can count a newborn series from zero.
* `process_*` metrics of the daemon itself come with it: CPU, memory, open files.

What the hub tells is [below](#metrics-of-the-hub).

"""


def describe() -> str:
    """Return the catalogue of a node as Markdown."""
    return _INTRODUCTION + rows(CATALOGUE, with_level=True)


def rows(catalogue: Iterable[Metric], *, with_level: bool) -> str:
    """Return metrics as a table in Markdown.

    Args:
        catalogue: the metrics, in order.
        with_level: whether to tell the ``metrics.level`` of each.
    """
    heads = ["metric", "type", "unit", "labels", "level", "meaning"]
    if not with_level:
        heads.remove("level")
    lines = [_line(heads), f"|{'---|' * len(heads)}\n"]
    for metric in catalogue:
        unit, level = metric.unit.replace("_", " "), [metric.level] * with_level
        cells = (f"`{metric.name}`", metric.type, unit, _labels(metric), *level)
        lines.append(_line((*cells, metric.help)))
    return "".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _labels(metric: Metric) -> str:
    names = metric.labels
    if names[: len(JOB_LABELS)] == JOB_LABELS:
        further = [f"`{name}`" for name in names[len(JOB_LABELS) :]]
        return ", ".join(["*J*", *further])
    return ", ".join(f"`{name}`" for name in names)
