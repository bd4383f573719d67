"""The rows of *Health* on the daemons themselves and on the hub."""

from grafana_foundation_sdk.builders.prometheus import Dataquery

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, graph, stat
from grafana.jouled_dashboards.queries import current, graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table
from grafana.jouled_dashboards.timelines import timeline

_NO_HUB = "no hub is scraped"
_MOST = 10
# Distance of points where each node is asked: of thousands a finer graph is slow.
_SELDOM = "2m"


def daemons(nodes: str) -> list[Panel]:
    """Return the row on daemons; ``nodes`` selects nodes."""
    cpu = f"rate(process_cpu_seconds_total{{{nodes}}}[$__rate_interval])"
    memory = f"process_resident_memory_bytes{{{nodes}}}"
    kept = f'jouled_source_up{{{nodes}, source=~"archive|checkpoint"}}'
    lost = f'jouled_source_errors_total{{{nodes}, source=~"archive|checkpoint"}}'
    return [
        graph(
            About(
                "CPU of the daemons",
                "Cores, across nodes: half of them use less than *median*, 99 of 100 "
                "less than *99 %*. A node with 8 GPUs takes a few thousandths of a "
                "core at one sample a second.",
                look.RATIO,
            ),
            _quantiles(cpu),
            width=8,
            every=_SELDOM,
        ),
        graph(
            About(
                "Memory of the daemons",
                "Resident memory, across nodes. It grows with jobs, and not with time."
                "\n\n**When it only grows**: tell us, with the number of jobs; a "
                "restart loses nothing.",
                look.BYTES,
            ),
            _quantiles(memory),
            width=8,
            every=_SELDOM,
        ),
        table(
            About(
                "Checkpoint and archive",
                "Faults in the time range of what daemons keep, by reason. Without the "
                "checkpoint counters start from 0 when the daemon restarts; without "
                "the archive jobs that end have no record. **dropped**: records that "
                "were lost for good.\n\n**What to do**: most often the disk is full "
                "(`df`), or the directory is not the daemon's.",
                look.COUNT,
                "both are written on all nodes",
            ),
            [
                Label("source", "What"),
                Label("reason", "Reason"),
            ],
            [
                Value(
                    tabled(f"sum by (source, reason) (increase({lost}[$__range]) > 0)"),
                    "Faults",
                    look.COUNT,
                    90,
                    color=look.ORANGE,
                    decimals=0,
                ),
            ],
            sort_by="Faults",
            width=4,
            height=9,
            clusters=False,
        ),
        stat(
            About(
                "Nodes that keep nothing",
                "Nodes whose checkpoint or archive cannot be written now.\n\n**When it "
                "is red**: repair it before the daemon is restarted.",
                look.COUNT,
            ),
            current(f"sum(max by (cluster, instance) ({kept} == bool 0))"),
            width=4,
            color=look.GREEN,
            steps=((1, look.RED),),
        ).height(9),
    ]


def hub(cluster: str, hubs: str) -> list[Panel]:
    """Return the row on the hub.

    Args:
        cluster: selects clusters.
        hubs: selects hubs.
    """
    calls = f"jouled_carbon_fetches_total{{{hubs}, outcome"
    slurm = f"jouled_slurm_last_success_timestamp_seconds{{{cluster}}}"
    answers = {
        "1": ("answers", look.GREEN),
        "0": ("silent", look.RED),
    }
    reloaded = {
        "1": ("taken on", look.GREEN),
        "0": ("refused", look.RED),
    }
    return [
        timeline(
            About(
                "Hubs that answer",
                "Each hub as Prometheus sees it.\n\n**When one is silent**: "
                "`systemctl status jouled-hub`. With two hubs nodes take the other; "
                "with one they go on with the last good value for 6 hours.",
                look.PLAIN,
                _NO_HUB,
            ),
            [graphed(f"topk({_MOST}, up{{{hubs}}})", "{{instance}}")],
            look.words(answers),
            width=8,
            color=look.RED,
            steps=((1, look.GREEN),),
        ),
        timeline(
            About(
                "Last reload of the hub's configuration",
                "**Refused**: it goes on with the old one, so that a new budget or "
                "grid zone is not there. The log names the key and the remedy.",
                look.PLAIN,
                _NO_HUB,
            ),
            [
                graphed(
                    f"topk({_MOST}, "
                    f"jouled_hub_config_last_reload_successful{{{hubs}}})",
                    "{{instance}}",
                )
            ],
            look.words(reloaded),
            width=8,
            color=look.RED,
            steps=((1, look.GREEN),),
        ),
        graph(
            About(
                "Age of the jobs of Slurm",
                "Time since slurmrestd last told the hub the jobs of the cluster. "
                "Absent if the hub is not configured to ask it.\n\n**When it grows**: "
                "`jouled_slurm_fetches_total` says why, by outcome; jobs stay as they "
                "are meanwhile.",
                look.SECONDS,
                "the hub does not ask slurmrestd",
            ),
            [graphed(f"time() - max by (cluster) ({slurm})", "{{cluster}}")],
            width=8,
            height=7,
            steps=((600, look.RED),),
        ),
        graph(
            About(
                "Calls to providers that failed",
                "By provider and outcome. A few are usual: providers have bad minutes."
                "\n\n**When they go on**: *Carbon* has what each outcome means for the "
                "figures, docs/carbon.md what to do about it.",
                look.PER_HOUR,
                "no call failed, or no hub is scraped",
            ),
            [
                graphed(
                    f"topk({_MOST}, sum by (provider, outcome) "
                    f'(rate({calls}!="ok"}}[$__rate_interval])) * 3600)',
                    "{{provider}} {{outcome}}",
                )
            ],
            width=8,
        ),
        graph(
            About(
                "Refreshes of budgets",
                "How often the hub added up all budgets, by what it came to. Anything "
                "but *ok* is a matter of the way to its Prometheus; see *Budgets*.",
                look.PER_HOUR,
                "no hub with budgets",
            ),
            [
                graphed(
                    "sum by (outcome) (rate(jouled_carbon_budget_refreshes_total"
                    f"{{{hubs}}}[$__rate_interval])) * 3600",
                    "{{outcome}}",
                )
            ],
            width=8,
            stacked=True,
            series={"ok": [look.fixed(look.GREEN)]},
        ),
        graph(
            About(
                "Memory of the hubs",
                "Resident memory. It grows with budgets, and with the jobs of Slurm.",
                look.BYTES,
                _NO_HUB,
            ),
            [
                graphed(
                    f"topk({_MOST}, process_resident_memory_bytes{{{hubs}}})",
                    "{{instance}}",
                )
            ],
            width=8,
        ),
    ]


def _quantiles(expression: str) -> list[Dataquery]:
    return [
        graphed(f"quantile(0.5, {expression})", "median"),
        graphed(f"quantile(0.99, {expression})", "99 %"),
        graphed(f"max({expression})", "most"),
    ]
