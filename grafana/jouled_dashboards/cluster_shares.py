"""The rows of *Cluster* on where the power goes, and how well it is used."""

from grafana.jouled_dashboards import links, look, panels
from grafana.jouled_dashboards.cluster_series import (
    ENERGY,
    SCHEDULED,
    TENANT_POWER,
    TODAY,
    UNATTRIBUTED,
    WASTED,
)
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, bars, graph
from grafana.jouled_dashboards.queries import (
    CLUSTER,
    NODES_RULES_S,
    TENANTS_RULES_S,
    current,
    graphed,
    kwh,
    recorded_sum,
)

_MOST = 10


def shares() -> list[Panel]:
    """Return the row on where the power goes."""
    by_tenant = f"sum by (tenant) ({TENANT_POWER})"
    # The same tenants at every point of the graph: those with the most energy in it.
    most = (
        f"topk({_MOST}, sum by (tenant) "
        f"(sum_over_time({TENANT_POWER}[$__range] @ end())))"
    )
    total = graphed(f"sum({ENERGY})", "all nodes")
    return [
        graph(
            About(
                "By component",
                "Power of all nodes from counters of energy, so that nothing between "
                "two scrapes is missed. *platform* is what is left of meters of whole "
                "nodes: fans, network, losses of power supplies.",
                look.WATTS,
                panels.NEEDS_RULES,
            ),
            [
                graphed(
                    "sum by (component) (cluster_component:"
                    f"jouled_component_energy_joules:rate5m{{{CLUSTER}}})",
                    "{{component}}",
                ),
                total,
            ],
            width=8,
            stacked=True,
            series={
                **panels.colored(look.COMPONENTS),
                "all nodes": panels.total_line(),
            },
            every="30s",
        ),
        graph(
            About(
                "By scheduler, and what nobody is charged for",
                "What jobs are charged for, and the rest by its reason; together they "
                "are all nodes. " + WASTED + " *system*: the operating systems. "
                "*unknown*: nobody could tell who was running.",
                look.WATTS,
                panels.NEEDS_RULES,
            ),
            [
                graphed(
                    "sum by (scheduler) (cluster_scheduler:"
                    f"jouled_tenant_energy_joules:rate5m{{{SCHEDULED}}})",
                    "{{scheduler}}",
                ),
                graphed(f"sum by (reason) ({UNATTRIBUTED})", "nobody: {{reason}}"),
                total,
            ],
            width=8,
            stacked=True,
            series={
                **panels.colored(look.SCHEDULERS),
                **panels.nobody(),
                "all nodes": panels.total_line(),
            },
            every="1m",
        ),
        graph(
            About(
                "By tenant",
                f"The {_MOST} accounts and namespaces with the most energy in the time "
                "range, and all others together.",
                look.WATTS,
                panels.NEEDS_TENANTS,
            ),
            [
                graphed(f"{by_tenant} and {most}", "{{tenant}}"),
                graphed(
                    f"sum({TENANT_POWER}) - sum({by_tenant} and {most}) > 0.001",
                    "other tenants",
                ),
            ],
            width=8,
            stacked=True,
            series={"other tenants": [look.fixed(look.REASONS["idle"])]},
            patterns={
                panels.all_but("other tenants"): [
                    links.to_tenant(links.label("tenant"))
                ]
            },
            every="1m",
        ),
        bars(
            About(
                "Tenants today",
                f"Energy of the {_MOST} tenants with the most of it. " + TODAY,
                look.KWH,
                panels.NEEDS_TENANTS,
                decimals=1,
            ),
            [
                current(
                    kwh(
                        f"sort_desc(topk({_MOST}, sum by (tenant) "
                        f"({recorded_sum(TENANT_POWER, TENANTS_RULES_S)})))"
                    ),
                    "{{tenant}}",
                )
            ],
            width=12,
            links=[links.to_tenant(links.label("tenant"))],
            today=True,
        ),
        bars(
            About(
                "Charged to nobody today",
                "Energy that no job is charged for, by component and reason. " + TODAY,
                look.KWH,
                panels.NEEDS_RULES,
                decimals=1,
            ),
            [
                current(
                    kwh(
                        "sort_desc(sum by (component, reason) "
                        f"({recorded_sum(UNATTRIBUTED, NODES_RULES_S)}))"
                    ),
                    "{{component}}: {{reason}}",
                )
            ],
            width=12,
            color=look.REASONS["idle"],
            today=True,
        ),
    ]


def efficiency() -> list[Panel]:
    """Return the row on waste and efficiency."""
    return [
        graph(
            About(
                "Wasted power",
                "Power that does nothing for anybody. " + WASTED,
                look.WATTS,
                panels.NEEDS_RULES,
            ),
            [
                graphed(
                    "sum by (reason) (cluster_component_reason:"
                    "jouled_unattributed_energy_joules:rate5m"
                    f'{{{CLUSTER}, reason=~"idle|unallocated"}})',
                    "nobody: {{reason}}",
                )
            ],
            width=8,
            stacked=True,
            series=panels.nobody(),
            every="30s",
        ),
        graph(
            About(
                "Efficiency",
                "*charged to jobs*: part of all energy that some job is charged for. "
                "*GPU use*: mean use of the GPUs that jobs hold, as far as it is "
                "known.",
                look.RATIO,
                panels.NEEDS_RULES,
            ),
            [
                graphed(
                    "sum(cluster_scheduler:jouled_tenant_energy_joules:rate5m"
                    f"{{{CLUSTER}}}) / sum({ENERGY})",
                    "charged to jobs",
                ),
                graphed(
                    f"sum(cluster:jouled_job_gpus_busy:sum{{{CLUSTER}}})"
                    f" / sum(cluster:jouled_job_gpus_known:sum{{{CLUSTER}}})",
                    "GPU use",
                ),
            ],
            width=8,
            highest=1,
            series={
                "charged to jobs": [look.fixed(look.BLUE)],
                "GPU use": [look.fixed(look.GREEN)],
            },
            every="1m",
        ),
        graph(
            About(
                "GPUs held by jobs",
                "*hardly used*: used below 5 %, counted for each job and node. They "
                "draw power, and nobody else can have them.",
                look.COUNT,
                "no job holds a GPU",
            ),
            [
                graphed(f"sum(cluster:jouled_job_gpus:sum{{{CLUSTER}}})", "held"),
                graphed(
                    f"sum(cluster:jouled_job_gpus_idle:sum{{{CLUSTER}}})", "hardly used"
                ),
            ],
            width=8,
            series={
                "held": [look.fixed(look.BLUE)],
                "hardly used": [look.fixed(look.ORANGE)],
            },
            every="1m",
        ),
    ]
