"""A dashboard as a whole: its header, its rows, its events, and its JSON."""

import json
from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from grafana.jouled_dashboards import links, look
from grafana.jouled_dashboards.queries import DATASOURCE
from grafana.jouled_dashboards.variables import Variable

Panel = Builder[models.Panel]
Event = Builder[models.AnnotationQuery]

# Provisioned files have no history: what changed is in that of the project.
_VERSION = 1
# As many marks as a graph can have.
_MOST_EVENTS = 200


class _TimedQuery(models.AnnotationQuery):
    """An annotation whose values are moments; the SDK has no words for that."""

    title_format: str = ""
    text_format: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            **super().to_json(),
            "step": "1m",
            "titleFormat": self.title_format,
            "textFormat": self.text_format,
            "tagKeys": "scheduler,user",
            "useValueForTime": "on",
        }


class TimedEvents(AnnotationQuery):
    """Events at the moments that a query finds.

    Args:
        name: of the switch at the top of the dashboard.
        expression: Unix times, in milliseconds.
        title: of each event; ``{{label}}`` is a label of its series.
        text: a few words more, likewise.
        color: of the line.
    """

    def __init__(
        self, name: str, expression: str, title: str, text: str, color: str
    ) -> None:
        super().__init__()
        query = _TimedQuery()
        query.title_format = title
        query.text_format = text
        self._internal = query
        self.name(name).expr(expression).icon_color(color).enable(enable=True)
        self.datasource(DATASOURCE)


def job_events(selector: str, labels: str, *, enabled: bool = True) -> list[Event]:
    """Return when jobs started and when they were last seen.

    Args:
        selector: of the jobs, in braces.
        labels: by which series of several nodes become one event.
        enabled: they are there from the start, and not only if somebody wants them.
    """
    # A name of its own: of a label that is absent Grafana writes its name.
    name = '"name", " ", "user", "job_id", "pod"'

    def at(moment: str) -> str:
        newest = f"topk({_MOST_EVENTS}, {moment}{selector}))"
        return f"label_join({newest} * 1000, {name})"

    events = [
        TimedEvents(
            "Job starts",
            at(f"min by ({labels}) (jouled_job_start_timestamp_seconds"),
            "{{name}} started",
            "{{scheduler}}",
            look.GREEN,
        ),
        TimedEvents(
            "Job ends",
            at(f"max by ({labels}) (jouled_job_end_timestamp_seconds"),
            "{{name}} ended",
            "{{scheduler}}",
            look.RED,
        ),
    ]
    return [event.enable(enable=enabled) for event in events]


def board(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Variable],
    *,
    events: Sequence[Event] = (),
    begin: str = "now-6h",
) -> Dashboard:
    """Return a dashboard without panels yet.

    Args:
        uid: never changes, so that links go on to work.
        title: what it is about, in a word or two.
        description: what it answers, and for whom.
        variables: what can be chosen, in this order.
        events: what is marked in every graph.
        begin: of the time range, as Grafana writes it.
    """
    return (
        Dashboard(f"jouled / {title}")
        .uid(uid)
        .description(description)
        .tags([links.TAG])
        .timezone("browser")
        .refresh("30s")
        .time(begin, "now")
        .version(_VERSION)
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .links(list(links.header()))
        .variables(list(variables))
        .annotations(list(events))
    )


def row(
    dashboard: Dashboard,
    title: str,
    panels: Sequence[Panel],
    *,
    collapsed: bool = False,
) -> None:
    """Add a row of panels, from left to right, in as many lines as they need.

    Args:
        dashboard: it is added to that, at the end.
        title: of the row.
        panels: in order.
        collapsed: they are shown on a click, and ask nothing before.
    """
    head = Row(title)
    if collapsed:
        head.collapsed(collapsed=True)
        for panel in panels:
            head.with_panel(panel)
    dashboard.with_row(head)
    if not collapsed:
        for panel in panels:
            dashboard.with_panel(panel)


def rendered(dashboard: Dashboard) -> str:
    """Return a dashboard as JSON, with numbered panels."""
    model = dashboard.build()
    _close_gaps(model)
    for number, panel in enumerate(_panels(model), start=1):
        panel.id_val = number
    return json.dumps(model, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def _close_gaps(model: models.Dashboard) -> None:
    """Move up what is below closed rows: the builder leaves room for their panels."""
    hidden = 0
    for panel in model.panels or ():
        inner = panel.panels if isinstance(panel, models.RowPanel) else []
        for one in (panel, *inner):
            if one.grid_pos is not None:
                one.grid_pos.y -= hidden
        places = [one.grid_pos for one in inner if one.grid_pos is not None]
        if places and panel.grid_pos is not None:
            lowest = max(place.y + place.h for place in places)
            hidden += lowest - (panel.grid_pos.y + 1)


def _panels(model: models.Dashboard) -> Iterator[models.Panel | models.RowPanel]:
    for panel in model.panels or ():
        yield panel
        if isinstance(panel, models.RowPanel):
            yield from panel.panels
