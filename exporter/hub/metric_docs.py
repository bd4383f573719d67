"""Writes the part of docs/metrics.md that is about the hub."""

from exporter.exposition.metric_docs import rows
from exporter.hub.catalogue import CATALOGUE

_INTRODUCTION = """\

## Metrics of the hub

What `/metrics` on port 9879 of a [hub](hub.md) tells. Those of the carbon intensity
have the names and labels of a node's; the series of a gauge is gone when its zone,
provider or factors change. The age of a value is `time()` less its observed timestamp.

* Counters begin with 0 when the hub starts, and go on over a reload.
* `signal="marginal"` is advice, and there only while it is live.
* `process_*` metrics of the hub itself come with it.

"""


def describe() -> str:
    """Return the catalogue of the hub as Markdown."""
    return _INTRODUCTION + rows(CATALOGUE, with_level=False)
