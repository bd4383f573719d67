"""Alerts, as Prometheus itself tells of them: no Alertmanager is asked."""

from collections.abc import Sequence

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.frame import Panel, TimedEvents
from grafana.jouled_dashboards.panels import About
from grafana.jouled_dashboards.queries import graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table
from grafana.jouled_dashboards.timelines import timeline

SEVERITIES = {
    "critical": ("critical", look.RED),
    "warning": ("warning", look.ORANGE),
    "info": ("info", look.BLUE),
}
NONE_FIRES = "no alert, if Prometheus has loaded the alert rules"

_MOST = 50
_NEW_S = 600
_FIRING = {"1": ("fires", look.RED)}


def alert_events(name: str, selector: str) -> TimedEvents:
    """Return an event whenever an alert begins.

    Args:
        name: of the switch at the top of the dashboard.
        selector: of the alerts.
    """
    # The newest of its kind, while it is new. When that is over an older one would be
    # the newest, and Grafana draw a time that goes backwards. Ten minutes are more than
    # one point, in a range of weeks too.
    newest = f"max by (alertname, severity) (ALERTS_FOR_STATE{{{selector}}})"
    return TimedEvents(
        name,
        f"({newest} > time() - {_NEW_S}) * 1000",
        "{{alertname}}",
        "{{severity}}",
        look.ORANGE,
    )


def alert_table(
    title: str, description: str, selector: str, labels: Sequence[Label], width: int
) -> Panel:
    """Return the alerts that fire or are about to, with the time since when.

    Args:
        title: of the panel.
        description: of the panel.
        selector: of the alerts.
        labels: whose alert it is; the first columns are there anyhow.
        width: columns of 24.
    """
    whose = "".join(f", {label.name}" for label in labels)
    by = f"alertname, severity, alertstate{whose}"
    since = f"""
        topk(
          {_MOST},
          max by ({by}) (
            ALERTS{{{selector}}}
              * ignoring (alertstate) group_left ()
            ALERTS_FOR_STATE{{{selector}}}
          )
        ) * 1000
    """
    states = {
        "firing": ("fires", look.RED),
        "pending": ("not for long enough yet", look.YELLOW),
    }
    return table(
        About(title, description, look.PLAIN, NONE_FIRES),
        [
            Label("alertname", "Alert"),
            Label("severity", "Severity", width=90, mappings=look.words(SEVERITIES)),
            *labels,
            Label("alertstate", "State", width=150, mappings=look.words(states)),
        ],
        [Value(tabled(since), "Since", look.TIME, width=130)],
        sort_by="Since",
        width=width,
        height=9,
        clusters=False,
    )


def alert_timeline(
    title: str, description: str, selector: str, by: str, width: int
) -> Panel:
    """Return when alerts fired.

    Args:
        title: of the panel.
        description: of the panel.
        selector: of the alerts.
        by: labels that tell one bar from another.
        width: columns of 24.
    """
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    fired = f'ALERTS{{alertstate="firing", {selector}}}'
    return timeline(
        About(title, description, look.PLAIN, NONE_FIRES),
        [graphed(f"topk({_MOST}, max by ({by}) ({fired}))", legend)],
        look.words(_FIRING),
        width=width,
        height=9,
        color=look.RED,
    )
