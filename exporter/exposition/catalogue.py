"""Every metric of the node daemon, once, from the ``*_metrics.py`` beside this file.

``families.py`` and ``job_families.py`` fill them, ``render.py`` writes them, and
``docs/metrics.md`` and ``jouled metrics`` print them. A name here is a promise:
changing one breaks somebody's dashboard.

Names follow the Prometheus conventions: base units, the unit at the end of the
name, ``_total`` behind a counter and ``_info`` behind facts whose value is 1.
The labels of a counter never change during its life; what may change lives in a
gauge or in an info metric of its own.
"""

from exporter.exposition.carbon_metrics import CARBON_METRICS
from exporter.exposition.daemon_metrics import DAEMON_METRICS
from exporter.exposition.gpu_metrics import GPU_METRICS
from exporter.exposition.job_metrics import JOB_METRICS
from exporter.exposition.metric import Metric
from exporter.exposition.node_metrics import NODE_METRICS

# In the order of a scrape.
CATALOGUE: tuple[Metric, ...] = (
    *NODE_METRICS,
    *GPU_METRICS,
    *JOB_METRICS,
    *CARBON_METRICS,
    *DAEMON_METRICS,
)
