"""The kinds of panel. All of one kind look alike; every one is explained.

A panel whose query finds nothing says what to do about it, not "No data".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders.bargauge import Panel as BarGaugePanel
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.timeseries import Panel as GraphPanel
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeValueMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphGradientMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, ValueMapping

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.queries import DATASOURCE

NO_DATA = "no data: does Prometheus scrape jouled?"
NEEDS_JOBS = "nothing: no job ran, or metrics.level is not job"
NEEDS_TENANTS = "nothing: no job ran, or metrics.level is node"
NEEDS_RULES = "no data: load deploy/prometheus/rules"

_REFS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Properties = Mapping[str, Sequence[DynamicConfigValue]]
"""Properties of single series, by the name of each."""


@dataclass(frozen=True, slots=True)
class About:
    """What a panel is about.

    Attributes:
        title: a few words.
        description: what is shown, in plain words, and what it rests on.
        unit: of all values, as Grafana calls it.
        no_value: what is said when the query finds nothing.
        decimals: digits behind the point; ``None``: as fits.
    """

    title: str
    description: str
    unit: str
    no_value: str = NO_DATA
    decimals: int | None = None


def referenced(queries: Sequence[Dataquery]) -> list[Dataquery]:
    """Return the queries of one panel, each with a name of its own."""
    return [query.ref_id(ref) for query, ref in zip(queries, _REFS, strict=False)]


def stat(
    about: About,
    query: Dataquery,
    *,
    width: int = 4,
    height: int = 4,
    color: str = look.TEXT,
    steps: look.Steps = (),
    today: bool = False,
    mappings: Sequence[ValueMapping] = (),
    filled: bool = False,
    links: Sequence[DynamicConfigValue] = (),
) -> StatPanel:
    """Return one big figure, of the end of the time range.

    Of a range Grafana would show the last value there is, as if it were of now: of a
    node that fell silent hours ago, the power it had then.

    Args:
        about: what it is about.
        query: made by ``queries.current``; has one series.
        width: columns of 24.
        height: rows of the grid.
        color: below the first of ``steps``.
        steps: thresholds.
        today: counts since midnight, unless the time range is absolute.
        mappings: words for values.
        filled: the background is coloured, and not the figure.
        links: what it leads to, made by ``links.to``.
    """
    panel = (
        StatPanel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .targets(list(referenced([query])))
        .span(width)
        .height(height)
        .unit(about.unit)
        .no_value(about.no_value)
        .thresholds(look.thresholds(color, steps))
        .color_scheme(look.by_thresholds())
        .color_mode(BigValueColorMode.BACKGROUND if filled else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .mappings(list(mappings))
    )
    if links:
        panel.override_by_regexp(".*", list(links))
    if today:
        panel.time_from("now/d")
    if about.decimals is not None:
        panel.decimals(about.decimals)
    return panel


def graph(
    about: About,
    queries: Sequence[Dataquery],
    *,
    width: int = 12,
    height: int = 9,
    stacked: bool = False,
    series: Properties | None = None,
    patterns: Properties | None = None,
    legend: Literal["table", "list", "none"] = "table",
    right: bool = False,
    steps: look.Steps = (),
    lowest: float | None = 0,
    highest: float | None = None,
    every: str = "",
) -> GraphPanel:
    """Return lines over time.

    Args:
        about: what it is about.
        queries: have one series for each line.
        width: columns of 24.
        height: rows of the grid.
        stacked: areas on top of each other, instead of lines.
        series: properties of single lines.
        patterns: properties of lines whose names fit a regular expression.
        legend: a table has the last, mean and highest values.
        right: the legend is at the right.
        steps: thresholds, drawn as dashed lines.
        lowest: least value of the axis; ``None``: as fits.
        highest: greatest value of the axis; ``None``: as fits.
        every: least distance of points, such as ``1m``, for recorded series.
    """
    legends = VizLegendOptions().placement(
        LegendPlacement.RIGHT if right else LegendPlacement.BOTTOM
    )
    if legend == "none":
        legends.show_legend(show_legend=False).display_mode(LegendDisplayMode.HIDDEN)
    elif legend == "table":
        legends.show_legend(show_legend=True).display_mode(LegendDisplayMode.TABLE)
        legends.calcs(["lastNotNull", "mean", "max"])
        legends.sort_by("Mean").sort_desc(sort_desc=True)
    else:
        legends.show_legend(show_legend=True).display_mode(LegendDisplayMode.LIST)
    panel = (
        GraphPanel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .targets(list(referenced(queries)))
        .span(width)
        .height(height)
        .unit(about.unit)
        .no_value(about.no_value)
        .thresholds(look.thresholds(look.TEXT, steps))
        .thresholds_style(
            GraphThresholdsStyleConfig().mode(
                GraphThresholdsStyleMode.DASHED
                if steps
                else GraphThresholdsStyleMode.OFF
            )
        )
        .color_scheme(look.by_name())
        .line_width(1)
        .line_interpolation(LineInterpolation.LINEAR)
        .show_points(VisibilityMode.NEVER)
        .gradient_mode(GraphGradientMode.NONE if stacked else GraphGradientMode.OPACITY)
        .fill_opacity(70 if stacked else 12)
        .stacking(
            StackingConfig()
            .mode(StackingMode.NORMAL if stacked else StackingMode.NONE)
            .group("A")
        )
        .legend(legends)
        .tooltip(
            VizTooltipOptions()
            .mode(TooltipDisplayMode.MULTI)
            .sort(SortOrder.DESCENDING)
        )
    )
    if lowest is not None:
        panel.min(lowest)
    if highest is not None:
        panel.max(highest)
    if about.decimals is not None:
        panel.decimals(about.decimals)
    if every:
        panel.interval(every)
    for name, properties in (series or {}).items():
        panel.override_by_name(name, list(properties))
    for pattern, properties in (patterns or {}).items():
        panel.override_by_regexp(pattern, list(properties))
    return panel


def bars(
    about: About,
    queries: Sequence[Dataquery],
    *,
    width: int = 8,
    height: int = 9,
    series: Properties | None = None,
    links: Sequence[DynamicConfigValue] = (),
    steps: look.Steps = (),
    color: str = look.BLUE,
    highest: float | None = None,
    today: bool = False,
) -> BarGaugePanel:
    """Return one bar for each series, longest where the value is greatest.

    Args:
        about: what it is about.
        queries: ask for one moment.
        width: columns of 24.
        height: rows of the grid.
        series: properties of single bars.
        links: what a bar leads to, made by ``links.to``.
        steps: thresholds.
        color: below the first of ``steps``.
        highest: greatest value of the scale; ``None``: as fits.
        today: counts since midnight, unless the time range is absolute.
    """
    panel = (
        BarGaugePanel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .targets(list(referenced(queries)))
        .span(width)
        .height(height)
        .unit(about.unit)
        .no_value(about.no_value)
        .min(0)
        .thresholds(look.thresholds(color, steps))
        .color_scheme(look.by_thresholds())
        .display_mode(BarGaugeDisplayMode.BASIC)
        .value_mode(BarGaugeValueMode.TEXT)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if highest is not None:
        panel.max(highest)
    if today:
        panel.time_from("now/d")
    if about.decimals is not None:
        panel.decimals(about.decimals)
    for name, properties in (series or {}).items():
        panel.override_by_name(name, list(properties))
    if links:
        panel.override_by_regexp(".*", list(links))
    return panel


def colored(colors: Mapping[str, str]) -> Properties:
    """Return properties that give each named series its colour."""
    return {name: [look.fixed(color)] for name, color in colors.items()}


def nobody() -> Properties:
    """Return colours of energy that nobody is charged for, by its reason."""
    return {
        f"nobody: {reason}": [look.fixed(color)]
        for reason, color in look.REASONS.items()
    }


def all_but(*names: str) -> str:
    """Write a pattern of series for ``graph()``: all whose names begin otherwise."""
    return f"/^(?!{'|'.join(names)})/"


def total_line() -> list[DynamicConfigValue]:
    """Return properties of a line above a stack: what the stack has to add up to."""
    return [
        look.fixed(look.TEXT),
        DynamicConfigValue("custom.fillOpacity", 0),
        DynamicConfigValue("custom.lineWidth", 2),
        look.dashed(),
        DynamicConfigValue("custom.stacking", {"mode": "none", "group": "A"}),
    ]
