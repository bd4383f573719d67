"""Tables: each query is a column of values, rows are joined by their labels.

Grafana joins rows whose labels are all the same. So each query is summed by just the
labels that have a column: nothing else is shown, and nothing keeps rows apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.common import (
    TableFooterOptions,
    TableSortByFieldState,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.table import Panel as TablePanel
from grafana_foundation_sdk.models.common import TableCellHeight
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    ValueMapping,
)

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.panels import About, referenced
from grafana.jouled_dashboards.queries import DATASOURCE


@dataclass(frozen=True, slots=True)
class Label:
    """A column that shows a label.

    Attributes:
        name: of the label.
        title: of the column.
        link: where its values lead to, made by ``links.to``.
        width: in pixels; ``None``: as fits.
        mappings: words for values.
    """

    name: str
    title: str
    link: DynamicConfigValue | None = None
    width: int | None = None
    mappings: Sequence[ValueMapping] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A column that shows what a query found.

    Attributes:
        query: made by ``queries.tabled``; has the labels of all label columns.
        title: of the column.
        unit: as Grafana calls it.
        width: in pixels; ``None``: as fits.
        bar: is drawn as a bar.
        steps: thresholds that colour the cell.
        color: of the cell below the first of ``steps``.
        highest: greatest value of a bar; ``None``: as fits.
        decimals: digits behind the point; ``None``: as fits.
        mappings: words for values.
    """

    query: Dataquery
    title: str
    unit: str
    width: int | None = None
    bar: bool = False
    steps: look.Steps = ()
    color: str = look.TEXT
    highest: float | None = None
    decimals: int | None = None
    mappings: Sequence[ValueMapping] = ()


def table(
    about: About,
    labels: Sequence[Label],
    values: Sequence[Value],
    *,
    sort_by: str = "",
    width: int = 24,
    height: int = 10,
    pages: bool = True,
    today: bool = False,
    clusters: bool = True,
) -> TablePanel:
    """Return a table.

    Args:
        about: what it is about; its unit is that of columns without one.
        labels: the first columns.
        values: the columns behind them.
        sort_by: title of the column it is sorted by, greatest first.
        width: columns of 24.
        height: rows of the grid.
        pages: it is turned over, instead of scrolled.
        today: counts since midnight, unless the time range is absolute.
        clusters: rows of two clusters are two; the queries have that label.
    """
    if clusters:
        labels = _with_cluster(labels)
    queries = referenced([_summed(labels, value.query) for value in values])
    # A single query calls its values "Value", several "Value #A" and so on.
    refs = [f"Value #{query.build().ref_id}" for query in queries]
    names = refs if len(refs) > 1 else ["Value"]
    panel = (
        TablePanel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .targets(list(queries))
        .span(width)
        .height(height)
        .unit(about.unit)
        .no_value(about.no_value)
        .thresholds(look.thresholds(look.TEXT))
        .color_scheme(look.by_thresholds())
        .cell_height(TableCellHeight.SM)
        .filterable(filterable=True)
        .footer(TableFooterOptions().show(show=False).enable_pagination(pages))
        .with_transformation(DataTransformerConfig("merge", options={}))
        .with_transformation(_columns(labels, values, names))
    )
    if sort_by:
        panel.sort_by([TableSortByFieldState().display_name(sort_by).desc(desc=True)])
    if today:
        panel.time_from("now/d")
    for label in labels:
        panel.override_by_name(label.title, _of_label(label))
    for value in values:
        panel.override_by_name(value.title, _of_value(value))
    return panel


def _with_cluster(labels: Sequence[Label]) -> Sequence[Label]:
    """Return columns by which the same name in two clusters is two rows.

    With a single cluster there is no such label, and the column does not appear.
    """
    if any(label.name == "cluster" for label in labels):
        return labels
    return (*labels, Label("cluster", "Cluster", width=110))


def _summed(labels: Sequence[Label], query: Dataquery) -> Dataquery:
    head = f"sum by ({', '.join(label.name for label in labels)}) ("
    expression = query.build().expr
    if expression.startswith(head):
        return query
    if "\n" in expression:
        expression = f"\n{expression}\n"
    return query.expr(f"{head}{expression})")


def _columns(
    labels: Sequence[Label], values: Sequence[Value], names: Sequence[str]
) -> DataTransformerConfig:
    titles: Mapping[str, str] = {
        **{label.name: label.title for label in labels},
        **{name: value.title for name, value in zip(names, values, strict=True)},
    }
    order = {name: index for index, name in enumerate(titles)}
    return DataTransformerConfig(
        "organize",
        options={
            "excludeByName": {"Time": True},
            "indexByName": order,
            "renameByName": dict(titles),
        },
    )


def _of_label(label: Label) -> list[DynamicConfigValue]:
    properties = [DynamicConfigValue("unit", "string")]
    if label.link is not None:
        properties.append(label.link)
    if label.width is not None:
        properties.append(DynamicConfigValue("custom.width", label.width))
    if label.mappings:
        properties.append(DynamicConfigValue("mappings", list(label.mappings)))
        # Else the colours of the words are not shown.
        cell = {"type": "color-text"}
        properties.append(DynamicConfigValue("custom.cellOptions", cell))
    return properties


def _of_value(value: Value) -> list[DynamicConfigValue]:
    properties = [DynamicConfigValue("unit", value.unit)]
    if value.width is not None:
        properties.append(DynamicConfigValue("custom.width", value.width))
    if value.decimals is not None:
        properties.append(DynamicConfigValue("decimals", value.decimals))
    if value.bar:
        properties += [
            DynamicConfigValue("min", 0),
            DynamicConfigValue(
                "custom.cellOptions",
                {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
            ),
        ]
    if value.highest is not None:
        properties.append(DynamicConfigValue("max", value.highest))
    if value.steps or value.color != look.TEXT:
        steps = look.thresholds(value.color, value.steps).build()
        properties.append(DynamicConfigValue("thresholds", steps))
        if not value.bar:
            cell = {"type": "color-text"}
            properties.append(DynamicConfigValue("custom.cellOptions", cell))
    if value.mappings:
        properties.append(DynamicConfigValue("mappings", list(value.mappings)))
    return properties
