"""The rows of *Health* on sensors, on samples, and on energy charged to nobody."""

from grafana.jouled_dashboards import links, look, panels
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, graph
from grafana.jouled_dashboards.queries import graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table

_MOST = 50
_NONE_DOWN = "none that a node tells of"
_WORST = 10
# Distance of points where each node is asked: of thousands a finer graph is slow.
_SELDOM = "2m"


def sources(cluster: str, nodes: str) -> list[Panel]:
    """Return the row on sensors.

    Args:
        cluster: selects clusters.
        nodes: selects nodes.
    """
    failing = f"""
        sum by (cluster, instance, source, reason) (
          increase(jouled_source_errors_total{{{nodes}, reason!="absent"}}[10m])
        ) > 0
          and on (cluster, instance, source)
        jouled_source_up{{{nodes}}} == 0
    """
    what_to_do = (
        "\n\n**denied**: the daemon lacks a right; `jouled check` on the node says "
        "which. **faulty**: the sensor answers nonsense, or a GPU fell off the bus; "
        "see `dmesg`. **timeout**: the driver hangs, and `nvidia-smi` will too."
    )
    return [
        table(
            About(
                "Down, by kind and reason",
                "Sources that exist and could not be read in the last ten minutes, on "
                "how many nodes." + what_to_do,
                look.COUNT,
                _NONE_DOWN,
            ),
            [Label("source", "Source"), Label("reason", "Reason")],
            [
                Value(
                    tabled(
                        "sum by (source, reason) (cluster_source_reason:"
                        f"jouled_sources_down:count{{{cluster}}})"
                    ),
                    "Nodes",
                    look.COUNT,
                    90,
                    color=look.ORANGE,
                )
            ],
            sort_by="Nodes",
            width=8,
            height=9,
            clusters=False,
        ),
        table(
            About(
                "Down, by node",
                f"Up to {_MOST} of the same, with the ticks in which it failed. The "
                "link leads to the node." + what_to_do,
                look.COUNT,
                _NONE_DOWN,
            ),
            [
                Label(
                    "instance",
                    "Node",
                    links.to(
                        links.NODE, "Show this node", node=links.field("instance")
                    ),
                ),
                Label("source", "Source"),
                Label("reason", "Reason"),
            ],
            [
                Value(
                    tabled(f"topk({_MOST}, {failing})"),
                    "Ticks in 10 min",
                    look.COUNT,
                    130,
                    color=look.ORANGE,
                    decimals=0,
                )
            ],
            sort_by="Ticks in 10 min",
            width=8,
            height=9,
        ),
        graph(
            About(
                "Time a source takes to answer",
                "The slowest node of each source, in its last tick. Management "
                "controllers are slow by nature.\n\n**When one comes near the "
                "interval**: ticks are missed; make `interval` longer, or see why the "
                "driver is slow.",
                look.SECONDS,
            ),
            [
                graphed(
                    f"topk({_WORST}, max by (source) (cluster_source:"
                    f"jouled_source_read_duration_seconds:max{{{cluster}}}))",
                    "{{source}}",
                )
            ],
            width=8,
            steps=((0.5, look.RED),),
            every=_SELDOM,
        ),
    ]


def samples(nodes: str) -> list[Panel]:
    """Return the row on samples; ``nodes`` selects nodes."""
    duration = f"jouled_sample_duration_seconds{{{nodes}}}"
    missed = f"rate(jouled_samples_missed_total{{{nodes}}}[$__rate_interval]) * 3600"
    unmeasured = f"rate(jouled_unmeasured_seconds_total{{{nodes}}}[$__rate_interval])"
    return [
        graph(
            About(
                "Time a sample takes",
                "Reading all sources once, across nodes: half of them are below "
                "*median*, 99 of 100 below *99 %*.\n\n**When it is above the line**: "
                "little is left of a second. The graph of sources says which is slow.",
                look.SECONDS,
            ),
            [
                graphed(f"quantile(0.5, {duration})", "median"),
                graphed(f"quantile(0.99, {duration})", "99 %"),
                graphed(f"max({duration})", "slowest"),
            ],
            width=8,
            steps=((0.5, look.RED),),
            every=_SELDOM,
        ),
        graph(
            About(
                "Samples missed",
                "Ticks that were skipped because an earlier one was late, of the nodes "
                "with most of them. Totals stay right; who used a second's energy is "
                "told less finely.\n\n**When there are many**: the node has no CPU "
                "left for the daemon, or a sensor is slow.",
                look.PER_HOUR,
            ),
            [graphed(f"topk({_WORST}, {missed})", "{{instance}}")],
            width=8,
            steps=((360, look.RED),),
            every=_SELDOM,
        ),
        graph(
            About(
                "Time not measured",
                "Part of the time whose energy is in no counter, by component, all "
                "nodes together: 1 is one node that measures nothing of it.\n\n**When "
                "it is not 0**: a sensor failed, or `jouled gpu release` is in force. "
                "Totals are too low by that.",
                look.COUNT,
            ),
            [graphed(f"sum by (component) ({unmeasured})", "{{component}}")],
            width=8,
            stacked=True,
            series=panels.colored(look.COMPONENTS),
            every=_SELDOM,
        ),
    ]


def charged(cluster: str, nodes: str) -> list[Panel]:
    """Return the row on what is charged to whom.

    Args:
        cluster: selects clusters.
        nodes: selects nodes.
    """
    ahead = f"jouled_sample_timestamp_seconds{{{nodes}}}"
    return [
        graph(
            About(
                "Energy charged to nobody",
                "Part of all energy that no job is charged for, by reason. *idle* and "
                "*unallocated* are what a cluster costs that has nothing to do.\n\n"
                "**system or unknown above the line**: work outside of jobs, or a "
                "daemon that cannot see who runs. See JouledUnattributedShareHigh in "
                "docs/alerts.md.",
                look.RATIO,
            ),
            [
                graphed(
                    f"""
                    sum by (reason) (
                      cluster_component_reason:jouled_unattributed_energy_joules:rate5m{{
                        {cluster}
                      }}
                    )
                      / on () group_left ()
                    sum(cluster:jouled_node_energy_joules:rate5m{{{cluster}}})
                    """,
                    "{{reason}}",
                )
            ],
            width=8,
            series=panels.colored(look.REASONS),
            steps=((0.2, look.ORANGE),),
            every="30s",
        ),
        graph(
            About(
                "Jobs without series of their own",
                "Jobs above `metrics.max_jobs`, of the nodes with most of them. Their "
                "energy is in that of their tenants, and they get series of their own "
                "if they still run when others have left.\n\n**When there are any**: "
                "raise the setting if Prometheus has the memory, or ask who starts so "
                "many.",
                look.PER_HOUR,
            ),
            [
                graphed(
                    f"topk({_WORST}, rate(jouled_jobs_dropped_total{{{nodes}}}"
                    "[$__rate_interval]) * 3600)",
                    "{{instance}}",
                )
            ],
            width=8,
            every=_SELDOM,
        ),
        graph(
            About(
                "Clocks",
                "Time of the last sample less that of Prometheus, of the nodes that "
                "are furthest ahead and furthest behind. A sample is as old as the "
                "last scrape: up to its interval, and the node's own, behind are as it "
                "should be.\n\n**When it is above the line**, or further behind: see "
                "`chronyc tracking` there. Energy is right all the same, but grams may "
                "be of another hour. A node that fell silent goes on falling behind "
                "for five minutes.",
                look.SECONDS,
            ),
            [
                # Not timestamp(), which looks for each point of each node anew.
                graphed(f"topk(3, {ahead} - time())", "ahead {{instance}}"),
                graphed(f"bottomk(3, {ahead} - time())", "behind {{instance}}"),
            ],
            width=8,
            lowest=None,
            every=_SELDOM,
            steps=((10, look.RED),),
        ),
    ]
