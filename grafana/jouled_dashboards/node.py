"""*Node*: what one node draws, for whom, and how that is known."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.jouled_dashboards import links, look, node_details, panels, variables
from grafana.jouled_dashboards.frame import Panel, board, job_events, row
from grafana.jouled_dashboards.panels import About, graph, stat
from grafana.jouled_dashboards.queries import (
    JOB_LABELS,
    NODE,
    current,
    graphed,
    kwh,
    tabled,
    with_tenant,
)
from grafana.jouled_dashboards.tables import Label, Value, table

_BY_JOB = "scheduler, job_id, user, namespace, pod"
_MOST_JOBS = 30

_JOBS = f"rate(jouled_job_energy_joules_total{{{NODE}}}[$__rate_interval])"
_UNATTRIBUTED = (
    f"rate(jouled_unattributed_energy_joules_total{{{NODE}}}[$__rate_interval])"
)
_TOTAL = f"rate(jouled_node_energy_joules_total{{{NODE}}}[$__rate_interval])"
_EACH_JOB = f"sum by ({_BY_JOB}) ({_JOBS})"


_REASONS = """
**idle**: what the node would draw with nothing to do, as far as no job reserved it. By
`attribution.idle: reserved` a job pays for the idle power of the CPUs and the memory it
reserved.
**system**: the operating system and its daemons.
**unallocated**: a GPU, or a part of one, that nobody holds.
**unknown**: energy of a time in which nobody could tell who was running."""


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = board(
        links.NODE,
        "Node",
        "What one node draws, for which jobs, and how that is known. For operators, "
        "and for users who want to see the whole node their job runs on. Needs no "
        "recording rules.",
        [
            variables.datasource(),
            variables.cluster(),
            variables.node(),
        ],
        events=job_events(f"{{{NODE}}}", _BY_JOB),
        begin="now-3h",
    )
    row(made, "Now", _now())
    row(made, "Where the power goes", _shares())
    row(made, "Jobs", [_jobs()])
    row(made, "Devices", node_details.devices())
    row(made, "Carbon", node_details.carbon(), collapsed=True)
    row(made, "Sources: how this is known", node_details.sources(), collapsed=True)
    return made


def _now() -> list[Panel]:
    unattributed = f"increase(jouled_unattributed_energy_joules_total{{{NODE}}}"
    energy = f"increase(jouled_node_energy_joules_total{{{NODE}}}[$__range])"
    return [
        stat(
            About(
                "Power",
                "Mean power of all devices that can be read, in the last sampling "
                "interval. *Devices missing* are not in it.",
                look.WATTS,
            ),
            current(f"sum(jouled_node_power_watts{{{NODE}}})"),
            color=look.BLUE,
        ),
        stat(
            About(
                "Energy in this time",
                "What the node's counters grew by in the time range. A node whose "
                "first scrape lies within it is counted from that scrape on.",
                look.KWH,
            ),
            current(kwh(f"sum({energy})")),
            color=look.BLUE,
        ),
        stat(
            About(
                "CO2e in this time",
                "Energy times the carbon intensity at that moment times the PUE, added "
                "up second by second.",
                look.GRAMS,
            ),
            current(
                f"sum(increase(jouled_node_emissions_grams_total{{{NODE}}}[$__range]))"
            ),
            color=look.GREEN,
        ),
        stat(
            About(
                "Charged to nobody",
                "Part of the energy in this time that no job is charged for, whatever "
                "the reason. The graph below has the reasons.",
                look.RATIO,
                decimals=1,
            ),
            current(f"sum({unattributed}[$__range])) / sum({energy})"),
            width=3,
            color=look.GREEN,
            steps=((0.5, look.YELLOW), (0.8, look.ORANGE)),
        ),
        stat(
            About(
                "CPUs busy",
                "Part of all CPUs that was busy in the last sampling interval.",
                look.RATIO,
                decimals=0,
            ),
            current(f"avg(jouled_cpu_busy_ratio{{{NODE}}})"),
            width=3,
            color=look.BLUE,
        ),
        stat(
            About(
                "Jobs",
                "Jobs of Slurm and pods that run here now.",
                look.COUNT,
                "none, or metrics.level is not job",
            ),
            current(f"count(count by ({_BY_JOB}) (jouled_job_power_watts{{{NODE}}}))"),
            width=3,
            color=look.BLUE,
        ),
        stat(
            About(
                "Devices missing",
                "Devices that were read before and cannot be read now, such as a GPU "
                "that fell off the bus. What they draw is in no figure here: power "
                "and energy that fall meanwhile are no saving. *Sources*, below, say "
                "why.",
                look.COUNT,
            ),
            current(f"sum(jouled_devices_missing{{{NODE}}})"),
            width=3,
            color=look.GREEN,
            steps=((1, look.ORANGE),),
        ),
    ]


def _shares() -> list[Panel]:
    stacked = graph(
        About(
            "Power by job, and what is charged to nobody",
            "Everything the node draws: the stack reaches the dashed line, which is "
            "the node itself. All of it comes from the same counters of energy.\n"
            + _REASONS
            + "\n\n**jobs not told apart**: charged to jobs that have no series of "
            "their own here: those that began or ended within the last interval, those "
            "above `metrics.max_jobs`, and all if `metrics.level` is not `job`.",
            look.WATTS,
        ),
        [
            graphed(f"topk({_MOST_JOBS}, {_EACH_JOB})", "{{user}} {{job_id}} {{pod}}"),
            graphed(
                f"""
                sum({_JOBS})
                  - sum(topk({_MOST_JOBS}, {_EACH_JOB}))
                  > 0.001
                """,
                "other jobs",
            ),
            graphed(f"sum by (reason) ({_UNATTRIBUTED})", "nobody: {{reason}}"),
            graphed(
                f"""
                sum({_TOTAL})
                  - (sum({_JOBS}) or vector(0))
                  - (sum({_UNATTRIBUTED}) or vector(0))
                  > on () 0.001 * sum({_TOTAL})
                """,
                "jobs not told apart",
            ),
            graphed(f"sum({_TOTAL})", "node"),
        ],
        width=16,
        height=12,
        stacked=True,
        series={
            **panels.nobody(),
            "other jobs": [look.fixed("#B7A6D9")],
            "jobs not told apart": [look.fixed("#D8D9DA")],
            "node": panels.total_line(),
        },
        patterns={
            panels.all_but("nobody: ", "node$", "other jobs", "jobs not"): [
                links.to(
                    links.JOB,
                    "Show this job on all its nodes",
                    scheduler=links.label("scheduler"),
                    job=links.label("job_id"),
                    workload="$__all",
                )
            ]
        },
        right=True,
    )
    components = graph(
        About(
            "Power by component",
            "Everything the node draws, by where. *platform* is what is left of a "
            "meter of the whole node: fans, network, losses of the power supply. "
            "It is absent without such a meter.",
            look.WATTS,
        ),
        [
            graphed(
                "sum by (component) (rate("
                f"jouled_component_energy_joules_total{{{NODE}}}[$__rate_interval]))",
                "{{component}}",
            ),
        ],
        width=8,
        height=12,
        stacked=True,
        series=panels.colored(look.COMPONENTS),
    )
    return [stacked, components]


def _jobs() -> Panel:
    def told(expression: str) -> str:
        return with_tenant(f"sum by ({JOB_LABELS}) ({expression})")

    to_job = links.to_job("Show this job on all its nodes")
    return table(
        About(
            "Jobs of this node",
            "Jobs that ran here in the time range, and what they used on this node "
            "since they began. The link leads to the job on all its nodes. A job that "
            "ended before the end of the time range has no power.",
            look.PLAIN,
            panels.NEEDS_JOBS,
        ),
        [
            Label("job_id", "Job", to_job, 160),
            Label("user", "User"),
            Label("tenant", "Tenant", links.to_tenant(links.field("tenant"))),
            Label("pod", "Pod"),
            Label("scheduler", "Scheduler", width=110),
            Label("partition", "Partition", width=110),
        ],
        [
            Value(
                tabled(told(f"jouled_job_power_watts{{{NODE}}}")),
                "Power now",
                look.WATTS,
                bar=True,
                color=look.BLUE,
            ),
            Value(
                tabled(
                    told(
                        kwh(
                            "last_over_time("
                            f"jouled_job_energy_joules_total{{{NODE}}}[$__range])"
                        )
                    )
                ),
                "Energy so far",
                look.KWH,
            ),
            Value(
                tabled(
                    told(
                        "last_over_time("
                        f"jouled_job_emissions_grams_total{{{NODE}}}[$__range])"
                    )
                ),
                "CO2e so far",
                look.GRAMS,
            ),
            Value(
                tabled(told(f"jouled_job_gpus{{{NODE}}}")),
                "GPUs",
                look.COUNT,
                width=80,
            ),
            Value(
                tabled(told(f"jouled_job_gpu_utilization_ratio{{{NODE}}}")),
                "GPU use",
                look.RATIO,
                width=110,
                color=look.RED,
                steps=((0.05, look.ORANGE), (0.3, look.TEXT)),
                decimals=0,
            ),
        ],
        sort_by="Power now",
    )
