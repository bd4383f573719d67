"""The rows of *Cluster* on carbon, single jobs and nodes, and the quality of data."""

from grafana.jouled_dashboards import links, look, panels
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, bars, graph, stat
from grafana.jouled_dashboards.queries import (
    CLUSTER,
    current,
    graphed,
    kwh,
    tabled,
    with_tenant,
)
from grafana.jouled_dashboards.tables import Label, Value, table

_MOST_JOBS, _MOST_NODES = 20, 15
_HORIZONS = ("1h", "3h", "6h", "12h", "24h")

_POWER = (
    f'cluster_top_job:jouled_job_power_watts:sum{{{CLUSTER}, scheduler=~"$scheduler"}}'
)
_FORECAST = "cluster_zone_horizon:jouled_carbon_intensity_forecast_grams_per_kwh:avg"


def intensity() -> list[Panel]:
    """Return the row on carbon intensity."""
    forecast = [
        current(
            f'avg by (zone) ({_FORECAST}{{{CLUSTER}, horizon="{horizon}"}})',
            f"{{{{zone}}}} in {horizon.removesuffix('h')} h",
        )
        for horizon in _HORIZONS
    ]
    now = current(
        "avg by (zone) "
        f"(cluster_zone:jouled_carbon_intensity_grams_per_kwh:avg{{{CLUSTER}}})",
        "{{zone}} now",
    )
    return [
        graph(
            About(
                "Carbon intensity in force",
                "What a kilowatt-hour from the grid emits, as the nodes reckon, for "
                "each grid zone. A flat line is a constant, or data that is not live.",
                look.INTENSITY,
                panels.NEEDS_RULES,
            ),
            [
                graphed(
                    "avg by (zone) (cluster_zone:"
                    f"jouled_carbon_intensity_grams_per_kwh:avg{{{CLUSTER}}})",
                    "{{zone}}",
                )
            ],
            width=12,
            steps=look.INTENSITY_STEPS,
            every="30s",
        ),
        bars(
            About(
                "Now and forecast",
                "What is expected of the grid at one moment, so long from now. Work "
                "that can wait costs less carbon where the bar is short. Hours "
                "without a bar are beyond the forecast.",
                look.INTENSITY,
                "no forecast: the provider of carbon intensity has none",
                decimals=0,
            ),
            [now, *forecast],
            width=6,
            color=look.GREEN,
            steps=look.INTENSITY_STEPS,
        ),
        graph(
            About(
                "CO2e",
                "Grams an hour of all nodes: power times intensity times PUE. *on "
                "fallback data* is the part for which no live intensity was known; it "
                "is in *all* too.",
                look.GRAMS_PER_HOUR,
                panels.NEEDS_RULES,
            ),
            [
                graphed(
                    f"sum(cluster:jouled_node_emissions_grams:rate5m{{{CLUSTER}}})"
                    " * 3600",
                    "all",
                ),
                graphed(
                    "sum(cluster:jouled_node_emissions_fallback_grams:rate5m"
                    f"{{{CLUSTER}}}) * 3600",
                    "on fallback data",
                ),
            ],
            width=6,
            series={
                "all": [look.fixed(look.GREEN)],
                "on fallback data": [look.fixed(look.ORANGE)],
            },
            every="30s",
        ),
    ]


def top_jobs() -> Panel:
    """Return the table of the jobs that draw the most."""
    most = f"topk({_MOST_JOBS}, {_POWER})"

    def of_them(name: str) -> str:
        return f"cluster_top_job:{name}{{{CLUSTER}}} and {most}"

    return table(
        About(
            "Jobs that draw the most",
            f"The {_MOST_JOBS} jobs with the most power at the end of the time range, "
            "over all of their nodes, and what they used so far. The link leads to the "
            "job.",
            look.PLAIN,
            panels.NEEDS_JOBS,
        ),
        [
            Label(
                "job_id",
                "Job",
                links.to_job("Show this job"),
                160,
            ),
            Label("user", "User"),
            Label("tenant", "Tenant", links.to_tenant(links.field("tenant"))),
            Label("pod", "Pod"),
            Label("scheduler", "Scheduler", width=110),
            Label("partition", "Partition", width=110),
        ],
        [
            Value(
                tabled(with_tenant(most)),
                "Power now",
                look.WATTS,
                bar=True,
                color=look.BLUE,
            ),
            Value(
                tabled(with_tenant(of_them("jouled_job_nodes:count"))),
                "Nodes",
                look.COUNT,
                width=80,
            ),
            Value(
                tabled(
                    with_tenant(kwh(f"({of_them('jouled_job_energy_joules:sum')})"))
                ),
                "Energy so far",
                look.KWH,
            ),
            Value(
                tabled(with_tenant(of_them("jouled_job_emissions_grams:sum"))),
                "CO2e so far",
                look.GRAMS,
            ),
            Value(
                tabled(with_tenant(of_them("jouled_job_gpus:sum"))),
                "GPUs",
                look.COUNT,
                width=80,
            ),
            Value(
                tabled(with_tenant(of_them("jouled_job_gpu_utilization:ratio"))),
                "GPU use",
                look.RATIO,
                width=110,
                color=look.RED,
                steps=((0.05, look.ORANGE), (0.3, look.TEXT)),
                decimals=0,
            ),
        ],
        sort_by="Power now",
        height=12,
    )


def top_nodes() -> list[Panel]:
    """Return the nodes that draw the most, and those that waste the most."""
    power = f"jouled_node_power_watts{{{CLUSTER}}}"
    waste = (
        "sum by (cluster, instance) (rate(jouled_unattributed_energy_joules_total"
        f'{{{CLUSTER}, reason=~"idle|unallocated"}}[5m]))'
    )
    node = Label(
        "instance",
        "Node",
        links.to(links.NODE, "Show this node", node=links.field("instance")),
    )
    return [
        table(
            About(
                "Nodes that draw the most",
                f"The {_MOST_NODES} nodes with the most power at the last scrape.",
                look.PLAIN,
            ),
            [node],
            [
                Value(
                    tabled(
                        f"topk({_MOST_NODES}, sum by (cluster, instance) ({power}))"
                    ),
                    "Power now",
                    look.WATTS,
                    bar=True,
                    color=look.BLUE,
                )
            ],
            sort_by="Power now",
            width=12,
        ),
        table(
            About(
                "Nodes that waste the most",
                f"The {_MOST_NODES} nodes with the most power that does nothing for "
                "anybody, in the last five minutes: idle, and GPUs that nobody holds. "
                "Such a node could be switched off, or be given work.",
                look.PLAIN,
            ),
            [node],
            [
                Value(
                    tabled(f"topk({_MOST_NODES}, {waste})"),
                    "Wasted",
                    look.WATTS,
                    bar=True,
                    color=look.REASONS["unallocated"],
                )
            ],
            sort_by="Wasted",
            width=12,
        ),
    ]


def quality() -> list[Panel]:
    """Return the row on what the figures rest on."""
    return [
        stat(
            About(
                "CO2e on fallback data",
                "Part of all grams, in the last five minutes, that was computed "
                "without a live carbon intensity: on the last good value or a yearly "
                "figure.",
                look.RATIO,
                "none: no CO2e at all",
                decimals=1,
            ),
            current(
                "sum(cluster:jouled_node_emissions_fallback_grams:rate5m"
                f"{{{CLUSTER}}})"
                f" / sum(cluster:jouled_node_emissions_grams:rate5m{{{CLUSTER}}})"
            ),
            width=5,
            color=look.GREEN,
            steps=look.FALLBACK_STEPS,
        ),
        stat(
            About(
                "Nodes that only estimate",
                "Nodes on which no meter can be read, as in most virtual machines: "
                "their power is computed from the use of their CPUs. Take it as a "
                "hint.",
                look.COUNT,
                panels.NEEDS_RULES,
            ),
            current(
                f"""
                sum(cluster:jouled_nodes_estimated:count{{{CLUSTER}}})
                  or
                0 * sum(cluster:jouled_up:sum{{{CLUSTER}}})
                """
            ),
            width=5,
            color=look.TEXT,
            steps=((1, look.ORANGE),),
        ),
        stat(
            About(
                "Nodes that do not answer",
                "Prometheus knows them and cannot scrape them. Their energy is in no "
                "figure until they answer; then their counters tell what was missed.",
                look.COUNT,
                panels.NEEDS_RULES,
            ),
            current(
                f"sum(cluster:jouled_up:count{{{CLUSTER}}})"
                f" - sum(cluster:jouled_up:sum{{{CLUSTER}}})"
            ),
            width=5,
            color=look.GREEN,
            steps=((1, look.ORANGE),),
        ),
        stat(
            About(
                "Devices missing",
                "Devices of nodes that answer, such as a GPU that fell off the bus, "
                "that were read before and cannot be read now. What they draw is in "
                "no figure until then: power and energy that fall meanwhile are no "
                "saving.",
                look.COUNT,
                panels.NEEDS_RULES,
            ),
            current(f"sum(cluster_component:jouled_devices_missing:sum{{{CLUSTER}}})"),
            width=5,
            color=look.GREEN,
            steps=((1, look.ORANGE),),
        ),
        stat(
            About(
                "PUE",
                "Power usage effectiveness that grams are multiplied by, as "
                "configured: the mean of all nodes.",
                look.PLAIN,
                decimals=2,
            ),
            current(f"avg(jouled_pue_ratio{{{CLUSTER}}})"),
            width=4,
            color=look.BLUE,
        ),
    ]
