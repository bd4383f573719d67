"""Every metric of the overview, and its samples: how the asking goes.

What the overview shows is not told again: Prometheus has it already.
"""

from exporter.exposition.family import Family
from exporter.exposition.metric import Metric, counter, gauge
from exporter.hub.overview.keeper import OverviewStanding

REFRESHES = counter(
    "jouled_hub_overview_refreshes_total",
    ("outcome",),
    "Refreshes of the overview of the page from Prometheus, by what they came to (ok, "
    "unavailable, overload, denied, nonsense, failed). There are none while nobody "
    "looks.",
)
QUERIES = counter(
    "jouled_hub_overview_queries_total",
    ("outcome",),
    "Queries that Prometheus was asked for the overview, by outcome.",
)
OBSERVED = gauge(
    "jouled_hub_overview_observed_timestamp_seconds",
    (),
    "Unix time of which the overview speaks: its last refresh that succeeded.",
)
DURATION = gauge(
    "jouled_hub_overview_refresh_duration_seconds",
    (),
    "How long the last refresh of the overview took.",
)

OVERVIEW_METRICS: tuple[Metric, ...] = (REFRESHES, QUERIES, OBSERVED, DURATION)


def overview_families(standing: OverviewStanding | None) -> list[Family]:
    """Return the metrics with their samples; none if there is no Prometheus."""
    if standing is None:
        return [Family(metric, []) for metric in OVERVIEW_METRICS]
    overview, duration_s = standing.overview, standing.duration_s
    return [
        Family(REFRESHES, [((o,), n, None) for o, n in standing.refreshes.items()]),
        Family(QUERIES, [((o,), n, None) for o, n in standing.queries.items()]),
        Family(OBSERVED, [] if overview is None else [((), overview.at_s, None)]),
        Family(DURATION, [] if duration_s is None else [((), duration_s, None)]),
    ]
