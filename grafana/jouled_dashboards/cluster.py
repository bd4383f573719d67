"""*Cluster*: power, energy and carbon of everything, and what of it is wasted.

It asks what recording rules made, and the series of all nodes only for one moment, so
that it is as quick with thousands of nodes as with one.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.jouled_dashboards import (
    cluster_details,
    cluster_shares,
    links,
    look,
    panels,
    variables,
)
from grafana.jouled_dashboards.cluster_series import (
    ENERGY,
    GRAMS,
    SCHEDULED,
    TODAY,
    WASTE,
    WASTED,
)
from grafana.jouled_dashboards.frame import Panel, board, row
from grafana.jouled_dashboards.panels import About, stat
from grafana.jouled_dashboards.queries import (
    CLUSTER,
    NODES_RULES_S,
    current,
    kwh,
    recorded_sum,
)


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = board(
        links.CLUSTER,
        "Cluster",
        "Power, energy and carbon of a whole cluster, where they go and what is "
        "wasted. For operators and whoever pays. Needs the recording rules of nodes, "
        "tenants and jobs (deploy/prometheus/rules/record-*.yml).",
        [
            variables.datasource(),
            variables.cluster(),
            variables.scheduler(),
            variables.price(),
            variables.currency(),
        ],
        begin="now-6h",
    )
    row(made, "Now and today", [*_so_far(), *_now()])
    row(made, "Where the power goes", cluster_shares.shares())
    row(made, "Waste and efficiency", cluster_shares.efficiency())
    row(made, "Carbon intensity", cluster_details.intensity())
    row(made, "Top jobs", [cluster_details.top_jobs()])
    row(made, "Top nodes", cluster_details.top_nodes(), collapsed=True)
    row(made, "How good the data is", cluster_details.quality(), collapsed=True)
    return made


def _so_far() -> list[Panel]:
    joules = f"sum({recorded_sum(ENERGY, NODES_RULES_S)})"
    return [
        stat(
            About(
                "Power",
                "Of all nodes that answer, at the last scrape. What is missing is "
                "counted below, in *How good the data is*.",
                look.WATTS,
                panels.NEEDS_RULES,
            ),
            current(f"sum(cluster:jouled_node_power_watts:sum{{{CLUSTER}}})"),
            width=6,
            height=5,
            color=look.BLUE,
        ),
        stat(
            About("Energy today", TODAY, look.KWH, panels.NEEDS_RULES),
            current(kwh(joules)),
            width=6,
            height=5,
            color=look.BLUE,
            today=True,
        ),
        stat(
            About(
                "CO2e today",
                "Energy times the carbon intensity at that moment times the PUE. "
                + TODAY,
                look.GRAMS,
                panels.NEEDS_RULES,
            ),
            current(f"sum({recorded_sum(GRAMS, NODES_RULES_S)})"),
            width=6,
            height=5,
            color=look.GREEN,
            today=True,
        ),
        stat(
            About(
                "Cost today, $currency",
                "Energy times the price above, which you can change; the PUE is not "
                "in it. " + TODAY,
                look.PLAIN,
                panels.NEEDS_RULES,
                decimals=2,
            ),
            current(f"{kwh(joules)} * $price"),
            width=6,
            height=5,
            color=look.TEAL,
            today=True,
        ),
    ]


def _now() -> list[Panel]:
    return [
        stat(
            About(
                "Wasted now",
                "Part of all power that does nothing for anybody. " + WASTED,
                look.RATIO,
                panels.NEEDS_RULES,
                decimals=1,
            ),
            current(f"sum({WASTE}) / sum({ENERGY})"),
            color=look.GREEN,
            steps=((0.3, look.YELLOW), (0.5, look.RED)),
        ),
        stat(
            About(
                "Carbon intensity now",
                "What a kilowatt-hour from the grid emits, as the nodes reckon: the "
                "mean over grid zones.",
                look.INTENSITY,
                panels.NEEDS_RULES,
                decimals=0,
            ),
            current(
                "avg(cluster_zone:jouled_carbon_intensity_grams_per_kwh:avg"
                f"{{{CLUSTER}}})"
            ),
            color=look.GREEN,
            steps=look.INTENSITY_STEPS,
            links=[links.to(links.CARBON, "Show the carbon intensity")],
        ),
        stat(
            About(
                "Nodes that answer",
                "Part of the nodes that Prometheus knows. What the others draw is in "
                "no figure here.",
                look.RATIO,
                panels.NEEDS_RULES,
                decimals=1,
            ),
            current(
                f"sum(cluster:jouled_up:sum{{{CLUSTER}}})"
                f" / sum(cluster:jouled_up:count{{{CLUSTER}}})"
            ),
            color=look.RED,
            steps=((0.9, look.ORANGE), (0.99, look.GREEN)),
            links=[links.to(links.HEALTH, "Show which do not answer")],
        ),
        stat(
            About(
                "Nodes",
                "How many nodes answer. Every figure here is of them alone.",
                look.COUNT,
                panels.NEEDS_RULES,
            ),
            current(f"sum(cluster:jouled_up:sum{{{CLUSTER}}})"),
            color=look.BLUE,
        ),
        stat(
            About(
                "Jobs",
                "Jobs of Slurm and pods that run. A job on many nodes is one.",
                look.COUNT,
                panels.NEEDS_JOBS,
            ),
            current(f"sum(cluster_scheduler:jouled_jobs:count{{{SCHEDULED}}})"),
            color=look.BLUE,
        ),
        stat(
            About(
                "GPU use",
                "Mean use of the GPUs that jobs hold, as far as it is known.",
                look.RATIO,
                "no job holds a GPU whose use is known",
                decimals=0,
            ),
            current(
                f"sum(cluster:jouled_job_gpus_busy:sum{{{CLUSTER}}})"
                f" / sum(cluster:jouled_job_gpus_known:sum{{{CLUSTER}}})"
            ),
            color=look.RED,
            steps=((0.2, look.ORANGE), (0.5, look.GREEN)),
        ),
    ]
