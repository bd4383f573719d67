"""What the hub knows as samples, metric by metric.

What is not known has no sample: an absent series, never a zero. A gauge of the value
carries who told it, so when that changes, the series of before is gone.
"""

from collections.abc import Iterable

from exporter.core.forecast import forecast_at
from exporter.core.model import Intensity
from exporter.core.units import Seconds
from exporter.exposition.carbon_metrics import (
    CARBON_ESTIMATED,
    CARBON_FALLBACK_LEVEL,
    CARBON_FETCHES,
    CARBON_FORECAST,
    CARBON_INTENSITY,
    CARBON_OBSERVED,
)
from exporter.exposition.daemon_metrics import BUILD_INFO
from exporter.exposition.families import HORIZONS_S, Build
from exporter.exposition.family import Family, LabelValues
from exporter.exposition.metric import Metric
from exporter.hub.board import View
from exporter.hub.budgets.families import budget_families
from exporter.hub.catalogue import RELOAD_SUCCESSFUL, REQUESTS
from exporter.hub.desk import Desk
from exporter.hub.overview.metrics import overview_families
from exporter.hub.slurm.metrics import slurm_families


def families(desk: Desk, build: Build) -> list[Family]:
    """List every metric of the hub with its samples, in the catalogue's order."""
    unix_s = desk.unix_s
    views = [board.view(unix_s) for board in desk.site.boards.values()]
    fetches = sorted(desk.site.fetches.items())
    return [
        *_carbon(views, unix_s),
        *budget_families(desk.budgets),
        _known(CARBON_FETCHES, fetches),
        *slurm_families(desk.slurm),
        *overview_families(desk.overview.standing),
        _known(
            REQUESTS,
            (((str(code),), count) for code, count in sorted(desk.requests.items())),
        ),
        _known(RELOAD_SUCCESSFUL, [((), not desk.reload_refused)]),
        Family(BUILD_INFO, [(build, 1.0, None)]),
    ]


def _carbon(views: list[View], unix_s: Seconds) -> list[Family]:
    by_zone = [((view.intensity.zone,), view.intensity) for view in views]
    values = [view.intensity for view in views]
    values += [view.marginal.intensity for view in views if view.marginal is not None]
    return [
        _known(
            CARBON_INTENSITY,
            ((_labels(intensity), intensity.value) for intensity in values),
        ),
        _known(
            CARBON_OBSERVED,
            ((zone, intensity.observed_unix_s) for zone, intensity in by_zone),
        ),
        _known(
            CARBON_FALLBACK_LEVEL,
            ((zone, intensity.fallback_level) for zone, intensity in by_zone),
        ),
        _known(
            CARBON_ESTIMATED,
            ((zone, intensity.estimated) for zone, intensity in by_zone),
        ),
        _known(
            CARBON_FORECAST,
            (
                (
                    (view.intensity.zone, horizon),
                    forecast_at(view.forecast, Seconds(unix_s + ahead_s)),
                )
                for view in views
                for horizon, ahead_s in HORIZONS_S.items()
            ),
        ),
    ]


def _labels(intensity: Intensity) -> LabelValues:
    return (intensity.zone, intensity.provider, intensity.signal, intensity.factors)


def _known(
    metric: Metric, values: Iterable[tuple[LabelValues, float | None]]
) -> Family:
    """Keep the values that are known."""
    return Family(
        metric,
        [(labels, value, None) for labels, value in values if value is not None],
    )
