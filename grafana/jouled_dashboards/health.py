"""*Health of jouled*: whether the numbers can be believed, and what to repair."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.jouled_dashboards import (
    health_daemons,
    health_sources,
    links,
    look,
    variables,
)
from grafana.jouled_dashboards.alerts import alert_events, alert_table, alert_timeline
from grafana.jouled_dashboards.frame import Panel, board, row
from grafana.jouled_dashboards.panels import About, graph, stat
from grafana.jouled_dashboards.queries import CLUSTER, current, graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table

_NODES = f'{CLUSTER}, job="jouled"'
_HUBS = f'{CLUSTER}, job="jouled-hub"'
# Those on budgets have a dashboard of their own.
_ALERTS = f'{CLUSTER}, alertname=~"Jouled.*", alertname!~"JouledBudget.*"'
_KNOWN = f"cluster:jouled_up:count{{{CLUSTER}}}"
_UP = f"cluster:jouled_up:sum{{{CLUSTER}}}"

_MOST = 50


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = board(
        links.HEALTH,
        "Health of jouled",
        "Whether every node tells what it draws, every sensor can be read, and the hub "
        "does its work; and what to do where not. For operators of jouled. Needs "
        "record-nodes.yml and, for the alerts, the alert rules.",
        [variables.datasource(), variables.cluster()],
        events=[alert_events("Alerts", _ALERTS)],
    ).refresh("1m")
    row(made, "Now", _now())
    row(made, "Alerts", _alerts())
    row(made, "Nodes", _nodes())
    row(made, "Sensors", health_sources.sources(CLUSTER, _NODES))
    row(made, "Samples", health_sources.samples(_NODES))
    row(made, "What is charged to whom", health_sources.charged(CLUSTER, _NODES))
    row(made, "The daemons themselves", health_daemons.daemons(_NODES))
    row(made, "The hub", health_daemons.hub(CLUSTER, _HUBS))
    return made


def _now() -> list[Panel]:
    down = f"""
        sum(cluster_source_reason:jouled_sources_down:count{{{CLUSTER}}})
          or
        0 * sum({_UP})
    """
    unmeasured = f"increase(jouled_unmeasured_seconds_total{{{_NODES}}}[15m])"
    return [
        stat(
            About("Nodes", "Nodes that Prometheus is told to scrape.", look.COUNT),
            current(f"sum({_KNOWN})"),
            color=look.BLUE,
        ),
        stat(
            About(
                "Nodes that are silent",
                "Nodes that do not answer Prometheus.\n\n**When it is red**: is the "
                "node up? `systemctl status jouled` there, and `curl "
                "http://NODE:9878/healthz` from the server of Prometheus. What is used "
                "meanwhile is counted once the daemon is back, unless it reboots.",
                look.COUNT,
            ),
            current(f"sum({_KNOWN}) - sum({_UP})"),
            color=look.GREEN,
            steps=((1, look.RED),),
        ),
        stat(
            About(
                "Sensors that cannot be read",
                "Sources of any node that exist and failed in the last ten minutes. "
                "What a machine never had is not counted; checkpoint and archive are."
                "\n\n**When it is red**: the energy of a sensor is in no counter "
                "meanwhile. The table below says which and why.",
                look.COUNT,
            ),
            current(down),
            color=look.GREEN,
            steps=((1, look.RED),),
        ),
        stat(
            About(
                "Time not measured",
                "Time of the last 15 minutes whose energy is in no counter, all nodes "
                "and components together.\n\n**When it is red**: a sensor failed, or "
                "was read so seldom that its counter may have gone round. Totals are "
                "too low by that.",
                look.SECONDS,
            ),
            current(f"sum({unmeasured})"),
            color=look.GREEN,
            steps=((60, look.YELLOW), (600, look.RED)),
        ),
        stat(
            About(
                "Nodes without a meter",
                "Nodes of which all energy is a model of how busy they are. That is "
                "all a virtual machine can tell.\n\n**When it is yellow** and they are "
                "no virtual machines: a right or a module is missing, and `jouled "
                "check` on the node says which.",
                look.COUNT,
            ),
            current(
                f"""
                sum(cluster:jouled_nodes_estimated:count{{{CLUSTER}}})
                  or
                0 * sum({_UP})
                """
            ),
            color=look.GREEN,
            steps=((1, look.YELLOW),),
        ),
        stat(
            About(
                "Hubs",
                "Hubs that answer.\n\n**When it is red**: no budget is watched, and "
                "nodes go on with the last good carbon intensity for 6 hours. Energy "
                "and grams are counted on. `journalctl -u jouled-hub`.",
                look.COUNT,
                "no hub is scraped",
            ),
            current(f"sum(up{{{_HUBS}}})"),
            color=look.RED,
            steps=((1, look.GREEN),),
        ),
    ]


def _alerts() -> list[Panel]:
    return [
        alert_table(
            "Alerts",
            "What fires, and what will if it goes on. docs/alerts.md has a section on "
            "each: what it means, and what to do. Those on budgets are in *Budgets*.",
            _ALERTS,
            [
                Label("instance", "Node", _to_node()),
                Label("source", "Source"),
                Label("reason", "Reason"),
            ],
            14,
        ),
        alert_timeline(
            "When alerts fired",
            "One line for each alert, whatever the number of nodes. Alerts that begin "
            "together have one cause.",
            _ALERTS,
            "alertname, severity",
            10,
        ),
    ]


def _nodes() -> list[Panel]:
    told = f"last_over_time(jouled_sample_timestamp_seconds{{{_NODES}}}[1h])"
    return [
        graph(
            About(
                "Nodes that answer",
                "Of those that Prometheus is told to scrape. A gap that all nodes have "
                "at once is one of Prometheus or of the network.",
                look.COUNT,
            ),
            [
                graphed(f"sum({_KNOWN})", "known"),
                graphed(f"sum({_UP})", "answer"),
            ],
            width=8,
            legend="list",
            series={
                "known": [look.fixed(look.TEXT)],
                "answer": [look.fixed(look.GREEN)],
            },
            every="30s",
        ),
        table(
            About(
                "Nodes whose numbers stand still",
                f"Up to {_MOST} nodes whose last sample is more than a minute old, and "
                "not older than an hour.\n\n**What to do**: a node that does not "
                "answer is down, or its daemon is. One that answers and stands still: "
                "restart the daemon and keep its log; nothing is lost by that.",
                look.PLAIN,
                "none",
            ),
            [Label("instance", "Node", _to_node())],
            [
                Value(
                    tabled(
                        f"topk({_MOST}, max by (cluster, instance) (time() - {told})"
                        " > 60)"
                    ),
                    "Last sample",
                    look.SECONDS,
                    color=look.YELLOW,
                    steps=((600, look.RED),),
                ),
            ],
            sort_by="Last sample",
            width=8,
            height=9,
        ),
        table(
            About(
                "Versions",
                "Daemons and hubs by version. Two versions for a while are an update; "
                "for longer, some nodes were left out.",
                look.COUNT,
            ),
            [
                Label("job", "Program"),
                Label("version", "Version"),
                Label("python", "Python"),
            ],
            [
                Value(
                    tabled(
                        "count by (job, version, python) "
                        f"(jouled_build_info{{{CLUSTER}}})"
                    ),
                    "How many",
                    look.COUNT,
                    100,
                )
            ],
            sort_by="How many",
            width=8,
            height=9,
            clusters=False,
        ),
    ]


def _to_node() -> DynamicConfigValue:
    return links.to(links.NODE, "Show this node", node=links.field("instance"))
