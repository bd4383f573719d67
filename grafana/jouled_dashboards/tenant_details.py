"""The rows of *Tenant and user* on days, on idle GPUs, on jobs and on budgets."""

from grafana_foundation_sdk.models.common import GraphDrawStyle

from grafana.jouled_dashboards import links, look, panels
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, graph, stat
from grafana.jouled_dashboards.queries import (
    CLUSTER,
    JOULES_PER_KWH,
    TENANTS_RULES_S,
    current,
    graphed,
    kwh,
    tabled,
    with_tenant,
)
from grafana.jouled_dashboards.tables import Label, Value, table

_MOST_JOBS = 20
_MOST_TENANTS = 10
_DAYS = "30d"
# Below that nobody says that a GPU is used; the alert has the same figure.
_HARDLY_USED = 0.05

_NO_GPU = "no job holds a GPU, or metrics.level is not job"


def days(energy: str, grams: str) -> list[Panel]:
    """Return the row on days.

    Args:
        energy: selector of recorded watts by tenant and user.
        grams: selector of recorded grams a second.
    """
    return [
        _days(
            "Energy of each day",
            energy,
            f"{TENANTS_RULES_S} / {JOULES_PER_KWH:g}",
            look.KWH,
        ),
        _days("CO2e of each day", grams, str(TENANTS_RULES_S), look.GRAMS),
    ]


def _days(title: str, rate: str, factor: str, unit: str) -> Panel:
    return (
        graph(
            About(
                title,
                f"The last {_DAYS.removesuffix('d')} days, by the clock of the "
                f"browser, of the {_MOST_TENANTS} tenants that used most on a day. "
                "The bar of today grows until midnight. Days before Prometheus "
                "recorded it, or whose data it has dropped, are missing and not zero.",
                unit,
                panels.NEEDS_TENANTS,
            ),
            [
                graphed(
                    f"topk({_MOST_TENANTS}, sum by (scheduler, tenant) "
                    f"(sum_over_time({rate}[1d] offset -1d))) * {factor}",
                    "{{tenant}}",
                )
            ],
            stacked=True,
            every="1d",
        )
        .draw_style(GraphDrawStyle.BARS)
        .time_from(f"now-{_DAYS}/d")
    )


def idle_gpus(jobs: str) -> list[Panel]:
    """Return the row on GPUs that are held and not used; ``jobs`` selects jobs."""
    held = f"cluster_job:jouled_job_gpus:sum{{{jobs}}}"
    use = f"cluster_job:jouled_job_gpu_utilization:ratio{{{jobs}}}"
    power = f"cluster_job:jouled_job_power_watts:sum{{{jobs}}}"
    mean = f"avg_over_time({use}[$idle])"
    idle = f"({held} and {mean} < {_HARDLY_USED} and {use} offset $idle)"
    on_red = (
        "\n\n**When it is red**: nobody else can use these GPUs, and they draw idle "
        "power at the cost of their tenant. Ask whether the job hangs, waits for data, "
        "or is a notebook that somebody forgot."
    )
    columns = "cluster, scheduler, job_id, user, tenant, namespace, pod"
    to_job = links.to(
        links.JOB,
        "Show this job",
        scheduler=links.field("scheduler"),
        job=links.field("job_id"),
    )

    most = f"topk({_MOST_JOBS}, {idle})"

    def told(expression: str) -> str:
        return f"sum by ({columns}) ({with_tenant(expression)})"

    return [
        stat(
            About(
                "GPUs held idle",
                "GPUs of jobs that used less than 5 % of them on the mean of the time "
                "chosen at the top." + on_red,
                look.COUNT,
                _NO_GPU,
            ),
            current(f"sum({idle}) or 0 * sum({held})"),
            color=look.GREEN,
            steps=((1, look.ORANGE), (8, look.RED)),
        ).height(9),
        graph(
            About(
                "GPUs held and used",
                "*held*: GPUs that jobs have. *used*: the same times their "
                "utilisation, where it is known. What lies between is held in vain.",
                look.COUNT,
                _NO_GPU,
            ),
            [
                graphed(f"sum({held})", "held"),
                graphed(f"sum(cluster_job:jouled_job_gpus_busy:sum{{{jobs}}})", "used"),
            ],
            width=8,
            legend="list",
            series=panels.colored({"held": look.YELLOW, "used": look.GREEN}),
            every="5m",
        ),
        table(
            About(
                "Jobs that hold GPUs idle",
                f"The {_MOST_JOBS} with most GPUs. *Use* is the mean over all GPUs of "
                "a job on all its nodes, in the time chosen at the top." + on_red,
                look.PLAIN,
                "no job holds GPUs idle",
            ),
            [
                Label("job_id", "Job", to_job),
                Label("pod", "Pod"),
                Label("user", "User"),
                Label("tenant", "Tenant"),
                Label("scheduler", "Scheduler", width=110),
            ],
            [
                Value(tabled(told(most)), "GPUs", look.COUNT, 70),
                Value(
                    tabled(told(f"{mean} and {most}")),
                    "Use",
                    look.RATIO,
                    80,
                    color=look.RED,
                    decimals=1,
                ),
                Value(
                    tabled(told(f"{power} and {most}")),
                    "Power",
                    look.WATTS,
                    90,
                ),
            ],
            sort_by="GPUs",
            width=12,
            height=9,
        ),
    ]


def jobs(selector: str) -> Panel:
    """Return the jobs that draw most now; ``selector`` selects jobs."""
    power = f"cluster_job:jouled_job_power_watts:sum{{{selector}}}"

    def told(expression: str) -> str:
        return with_tenant(f"({expression}) and topk({_MOST_JOBS}, {power})")

    to_job = links.to(
        links.JOB,
        "Show this job on all its nodes",
        scheduler=links.field("scheduler"),
        job=links.field("job_id"),
    )
    return table(
        About(
            "Jobs that draw most",
            f"The {_MOST_JOBS} with most power now, over all their nodes, and what "
            "they used since they began. Nodes that do not answer are missing. The "
            "link leads to the job.",
            look.PLAIN,
            panels.NEEDS_JOBS,
        ),
        [
            Label("job_id", "Job", to_job),
            Label("pod", "Pod"),
            Label("user", "User"),
            Label("tenant", "Tenant"),
            Label("scheduler", "Scheduler", width=110),
            Label("partition", "Partition", width=110),
        ],
        [
            Value(
                tabled(told(power)), "Power now", look.WATTS, bar=True, color=look.BLUE
            ),
            Value(
                tabled(
                    told(kwh(f"cluster_job:jouled_job_energy_joules:sum{{{selector}}}"))
                ),
                "Energy so far",
                look.KWH,
                120,
            ),
            Value(
                tabled(
                    told(f"cluster_job:jouled_job_emissions_grams:sum{{{selector}}}")
                ),
                "CO2e so far",
                look.GRAMS,
                120,
            ),
            Value(
                tabled(told(f"cluster_job:jouled_job_nodes:count{{{selector}}}")),
                "Nodes",
                look.COUNT,
                80,
            ),
            Value(
                tabled(told(f"cluster_job:jouled_job_gpus:sum{{{selector}}}")),
                "GPUs",
                look.COUNT,
                80,
            ),
            Value(
                tabled(
                    told(f"cluster_job:jouled_job_gpu_utilization:ratio{{{selector}}}")
                ),
                "GPU use",
                look.RATIO,
                100,
                color=look.RED,
                steps=((_HARDLY_USED, look.ORANGE), (0.3, look.TEXT)),
                decimals=0,
            ),
        ],
        sort_by="Power now",
    )


def budgets() -> Panel:
    """Return the budgets of the chosen tenants."""
    theirs = f"""
        (
          cluster_budget:jouled_carbon_budget_info:data{{{CLUSTER}, team=~"$tenant"}}
            or
          cluster_budget:jouled_carbon_budget_info:data{{{CLUSTER}, budget=~"$tenant"}}
        )
    """

    def told(ratio: str) -> str:
        return f"""
            {ratio}{{{CLUSTER}}}
              * on (cluster, budget) group_left (team, unit, period)
            {theirs}
        """

    to_budget = links.to(
        links.BUDGETS, "Show this budget", budget=links.field("budget")
    )
    return table(
        About(
            "Budgets of these tenants",
            "Budgets that are called as a chosen tenant, or whose team is. What a "
            "budget counts is in the hub's configuration, and may be more or less than "
            "one tenant.\n\n**When it is red**: agree on what may still run in this "
            "period; *Budgets* has the pace and the projection.",
            look.PLAIN,
            "no budget of that name or team, or no hub with budgets",
        ),
        [
            Label("budget", "Budget", to_budget),
            Label("team", "Team"),
            Label("unit", "Counts", width=100),
            Label("period", "Period", width=100),
        ],
        [
            Value(
                tabled(told("cluster_budget:jouled_carbon_budget_spent:ratio")),
                "Spent",
                look.RATIO,
                bar=True,
                color=look.GREEN,
                steps=((0.8, look.YELLOW), (1, look.RED)),
                highest=1,
                decimals=1,
            ),
            Value(
                tabled(told("cluster_budget:jouled_carbon_budget_elapsed:ratio")),
                "Even pace",
                look.RATIO,
                120,
                decimals=1,
            ),
            Value(
                tabled(told("cluster_budget:jouled_carbon_budget_projected:ratio")),
                "Projected",
                look.RATIO,
                120,
                color=look.GREEN,
                steps=((1, look.YELLOW), (1.05, look.RED)),
                decimals=1,
            ),
        ],
        sort_by="Spent",
        height=8,
    )
