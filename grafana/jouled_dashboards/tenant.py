"""*Tenant and user*: what accounts, namespaces and people used, day by day."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.jouled_dashboards import links, look, panels, tenant_details, variables
from grafana.jouled_dashboards.frame import Panel, board, job_events, row
from grafana.jouled_dashboards.panels import About, graph, stat
from grafana.jouled_dashboards.queries import (
    CLUSTER,
    NODES_RULES_S,
    TENANTS_RULES_S,
    current,
    graphed,
    kwh,
    recorded_sum,
    tabled,
)
from grafana.jouled_dashboards.tables import Label, Value, table

TENANT = f'{CLUSTER}, scheduler=~"$scheduler", tenant=~"$tenant"'
USER = f'{TENANT}, user=~"$user"'
# A job has an account or a namespace, and the other is empty.
JOBS = (
    f'{CLUSTER}, scheduler=~"$scheduler", account=~"${{tenant}}|", '
    'namespace=~"${tenant}|", user=~"$user"'
)

_MOST = 50
_MOST_LINES = 12
# What is recorded is the mean of so long: finer points would say it again.
_EVERY = "5m"

_ENERGY = f"cluster_tenant_user:jouled_tenant_energy_joules:rate5m{{{USER}}}"
_GRAMS = f"cluster_tenant_user:jouled_tenant_emissions_grams:rate5m{{{USER}}}"
_SUM_ENERGY = recorded_sum(_ENERGY, TENANTS_RULES_S)
_SUM_GRAMS = recorded_sum(_GRAMS, TENANTS_RULES_S)

_MONTH = (
    " Since the month began, by the clock of the browser; of the whole time range, if "
    "that has a fixed beginning and end."
)


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = board(
        links.TENANT,
        "Tenant and user",
        "What Slurm accounts, Kubernetes namespaces and their users used this month "
        "and day by day, which GPUs they hold without using them, and how their "
        "budgets stand. Needs record-tenants.yml; jobs and GPUs need metrics.level: "
        "job and record-jobs.yml.",
        [
            variables.datasource(),
            variables.cluster(),
            variables.scheduler(),
            variables.tenant(),
            variables.user(),
            variables.idle(),
            variables.price(),
            variables.currency(),
        ],
        # A tenant may have thousands: whoever wants to see some switches them on.
        events=job_events(
            f"{{{JOBS}}}",
            "cluster, scheduler, job_id, user, namespace, pod",
            enabled=False,
        ),
        begin="now-24h",
    ).refresh("1m")
    row(made, "This month", _month())
    row(made, "Who used it", [_tenants(), _users()])
    row(made, "Power and CO2e", _courses())
    row(made, "Day by day", tenant_details.days(_ENERGY, _GRAMS))
    row(made, "GPUs held idle", tenant_details.idle_gpus(JOBS))
    row(made, "Jobs that draw most", [tenant_details.jobs(JOBS)])
    row(made, "Budgets", [tenant_details.budgets()])
    return made


def _month() -> list[Panel]:
    return [
        stat(
            About(
                "Energy",
                "What jobs of the choice used on all nodes." + _MONTH,
                look.KWH,
                panels.NEEDS_TENANTS,
            ),
            current(kwh(f"sum({_SUM_ENERGY})")),
            color=look.BLUE,
        ).time_from("now/M"),
        stat(
            About(
                "CO2e",
                "Energy times the carbon intensity at that moment times the PUE, added "
                "up second by second on the nodes. Location-based: contracts of the "
                "site do not change it." + _MONTH,
                look.GRAMS,
                panels.NEEDS_TENANTS,
            ),
            current(f"sum({_SUM_GRAMS})"),
            color=look.GREEN,
        ).time_from("now/M"),
        stat(
            About(
                "Cost, $currency",
                "Energy times the price at the top. No tax, no hardware: electricity "
                "of the nodes alone, without what the PUE adds." + _MONTH,
                look.PLAIN,
                panels.NEEDS_TENANTS,
                decimals=2,
            ),
            current(f"{kwh(f'sum({_SUM_ENERGY})')} * $price"),
            color=look.BLUE,
        ).time_from("now/M"),
        stat(
            About(
                "Part of the cluster",
                "Of the energy of all nodes, with what no job is charged for. For idle "
                "and unallocated energy see *Cluster*." + _MONTH,
                look.RATIO,
                panels.NEEDS_TENANTS,
                decimals=1,
            ),
            current(
                f"""
                sum(sum_over_time({_ENERGY}[$__range])) * {TENANTS_RULES_S}
                  /
                (sum(sum_over_time(
                  cluster:jouled_node_energy_joules:rate5m{{{CLUSTER}}}[$__range]
                )) * {NODES_RULES_S})
                """
            ),
            color=look.BLUE,
        ).time_from("now/M"),
        stat(
            About(
                "Power now",
                "Mean of the last five minutes, from counters of energy.",
                look.WATTS,
                panels.NEEDS_TENANTS,
            ),
            current(f"sum({_ENERGY})"),
            color=look.BLUE,
        ),
        stat(
            About(
                "Jobs now",
                "Jobs of Slurm and pods of the choice that run now.",
                look.COUNT,
                panels.NEEDS_JOBS,
            ),
            current(f"count(cluster_job:jouled_job_power_watts:sum{{{JOBS}}})"),
            color=look.BLUE,
        ),
    ]


def _tenants() -> Panel:
    return _used(
        "By tenant",
        "cluster, scheduler, tenant",
        [
            Label(
                "tenant",
                "Tenant",
                links.to(
                    links.TENANT,
                    "Show this tenant alone",
                    scheduler=links.field("scheduler"),
                    tenant=links.field("tenant"),
                    user="$__all",
                ),
            ),
            Label("scheduler", "Scheduler", width=110),
        ],
    )


def _users() -> Panel:
    return _used(
        "By user",
        "cluster, scheduler, tenant, user",
        [
            Label(
                "user",
                "User",
                links.to(
                    links.TENANT,
                    "Show this user alone",
                    scheduler=links.field("scheduler"),
                    tenant=links.field("tenant"),
                    user=links.field("user"),
                ),
            ),
            Label("tenant", "Tenant"),
            Label("scheduler", "Scheduler", width=110),
        ],
    )


def _used(title: str, by: str, labels: list[Label]) -> Panel:
    energy = f"sum by ({by}) ({_SUM_ENERGY})"
    most = f"topk({_MOST}, {energy})"

    def told(expression: str) -> str:
        return f"({expression}) and {most}"

    return table(
        About(
            title,
            f"The {_MOST} that used most energy, with what they draw now. A pod has "
            "no user." + _MONTH,
            look.PLAIN,
            panels.NEEDS_TENANTS,
        ),
        labels,
        [
            Value(
                tabled(kwh(most)),
                "Energy",
                look.KWH,
                bar=True,
                color=look.BLUE,
            ),
            Value(
                tabled(told(f"sum by ({by}) ({_SUM_GRAMS})")), "CO2e", look.GRAMS, 100
            ),
            Value(
                tabled(told(f"{kwh(energy)} * $price")),
                "Cost",
                look.PLAIN,
                90,
                decimals=2,
            ),
            Value(
                tabled(told(f"sum by ({by}) ({_ENERGY})")), "Power now", look.WATTS, 110
            ),
        ],
        sort_by="Energy",
        width=12,
    ).time_from("now/M")


def _courses() -> list[Panel]:
    return [
        graph(
            About(
                "Power by tenant",
                f"The {_MOST_LINES} that draw most, from counters of energy. What they "
                "reserved and did not use is charged to them too, as far as "
                "`attribution.idle` says so.",
                look.WATTS,
                panels.NEEDS_TENANTS,
            ),
            [
                graphed(
                    f"topk({_MOST_LINES}, sum by (scheduler, tenant) ({_ENERGY}))",
                    "{{tenant}}",
                )
            ],
            width=8,
            stacked=True,
            every=_EVERY,
        ),
        graph(
            About(
                "Power by user",
                f"The {_MOST_LINES} that draw most, from counters of energy.",
                look.WATTS,
                panels.NEEDS_TENANTS,
            ),
            [
                graphed(
                    f"topk({_MOST_LINES}, {_ENERGY})",
                    "{{user}} {{tenant}}",
                )
            ],
            width=8,
            stacked=True,
            every=_EVERY,
        ),
        graph(
            About(
                "CO2e by tenant",
                f"The {_MOST_LINES} that emit most. It follows the power and the grid: "
                "the same job emits less at hours of a cleaner grid (*Carbon*).",
                look.GRAMS_PER_HOUR,
                panels.NEEDS_TENANTS,
            ),
            [
                graphed(
                    f"topk({_MOST_LINES}, sum by (scheduler, tenant) ({_GRAMS})) "
                    "* 3600",
                    "{{tenant}}",
                )
            ],
            width=8,
            stacked=True,
            every=_EVERY,
        ),
    ]
