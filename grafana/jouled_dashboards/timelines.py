"""States over time: one bar for each series, coloured by what it says."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.common import VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.statetimeline import Panel as TimelinePanel
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TimelineValueAlignment,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import ValueMapping

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.panels import About, referenced
from grafana.jouled_dashboards.queries import DATASOURCE


def timeline(
    about: About,
    queries: Sequence[Dataquery],
    mappings: Sequence[ValueMapping],
    *,
    width: int = 12,
    height: int = 7,
    color: str = look.GREEN,
    steps: look.Steps = (),
    every: str = "",
) -> TimelinePanel:
    """Return states over time.

    Args:
        about: what it is about.
        queries: have one series for each bar.
        mappings: words for values, made by ``look.words``.
        width: columns of 24.
        height: rows of the grid.
        color: below the first of ``steps``.
        steps: thresholds.
        every: least distance of points, such as ``1m``, for recorded series.
    """
    panel = (
        TimelinePanel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .targets(list(referenced(queries)))
        .span(width)
        .height(height)
        .unit(about.unit)
        .no_value(about.no_value)
        .mappings(list(mappings))
        .thresholds(look.thresholds(color, steps))
        .color_scheme(look.by_thresholds())
        .merge_values(merge_values=True)
        .show_value(VisibilityMode.AUTO)
        .align_value(TimelineValueAlignment.LEFT)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(80)
        .legend(
            VizLegendOptions()
            .show_legend(show_legend=False)
            .display_mode(LegendDisplayMode.HIDDEN)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(
            VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE)
        )
    )
    if every:
        panel.interval(every)
    return panel
