"""Every metric of the hub, once; those of the node that it has too are the same.

``families.py`` fills them, ``docs/metrics.md`` and ``jouled metrics`` print them.
"""

from exporter.exposition.carbon_metrics import (
    CARBON_ESTIMATED,
    CARBON_FALLBACK_LEVEL,
    CARBON_FETCHES,
    CARBON_FORECAST,
    CARBON_INTENSITY,
    CARBON_OBSERVED,
)
from exporter.exposition.daemon_metrics import BUILD_INFO
from exporter.exposition.metric import Metric, counter, gauge
from exporter.hub.budgets.metrics import BUDGET_METRICS
from exporter.hub.overview.metrics import OVERVIEW_METRICS
from exporter.hub.slurm.metrics import SLURM_METRICS

REQUESTS = counter(
    "jouled_hub_intensity_requests_total",
    ("code",),
    "Requests for the carbon intensity of a grid zone, by HTTP status: 304 means "
    "that the node has it already.",
)
RELOAD_SUCCESSFUL = gauge(
    "jouled_hub_config_last_reload_successful",
    (),
    "0 if the last reload of the configuration was refused.",
)

# In the order of a scrape.
CATALOGUE: tuple[Metric, ...] = (
    CARBON_INTENSITY,
    CARBON_OBSERVED,
    CARBON_FALLBACK_LEVEL,
    CARBON_ESTIMATED,
    CARBON_FORECAST,
    *BUDGET_METRICS,
    CARBON_FETCHES,
    *SLURM_METRICS,
    *OVERVIEW_METRICS,
    REQUESTS,
    RELOAD_SUCCESSFUL,
    BUILD_INFO,
)
