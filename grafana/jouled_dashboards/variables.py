"""What a reader chooses at the top of a dashboard.

Each is a query of names of labels alone, so that it is quick with thousands of nodes.
"All" is ``.*`` and not a list of all values: it is short, and fits absent labels.
"""

from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
    TextBoxVariable,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.jouled_dashboards import queries

Variable = Builder[VariableModel]

# As Grafana numbers the kinds of such queries.
_LABEL_VALUES, _QUERY_RESULT = 1, 3
# As many as a selector can name.
_NEWEST = 500

_ALL = VariableOption(selected=True, text="All", value="$__all")


def datasource() -> Variable:
    """Return the choice of a Prometheus, or of what speaks like one."""
    return (
        DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes jouled.")
        .type("prometheus")
    )


def cluster() -> Variable:
    """Return the choice of clusters; "All" also without a label ``cluster``."""
    return (
        _choice("cluster", "label_values(jouled_build_info, cluster)")
        .label("Cluster")
        .description("With a single cluster the label may be missing: leave it at All.")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(_ALL)
    )


def node() -> Variable:
    """Return the choice of one node; its port is not shown."""
    return (
        _choice(
            "node",
            f"label_values(jouled_node_power_watts{{{queries.CLUSTER}}}, instance)",
        )
        .label("Node")
        .description("One node, by the name that Prometheus gives it.")
        .regex("/^(?<value>(?<text>[^:]+).*)$/")
    )


def scheduler() -> Variable:
    """Return the choice of Slurm, Kubernetes or both."""
    query = f"label_values(jouled_tenant_energy_joules_total{{{queries.CLUSTER}}}"
    return (
        _choice("scheduler", f"{query}, scheduler)")
        .label("Scheduler")
        .description("Who started the jobs.")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(_ALL)
    )


def tenant() -> Variable:
    """Return the choice of Slurm accounts and Kubernetes namespaces."""
    selector = f'{queries.CLUSTER}, scheduler=~"$scheduler"'
    return (
        _choice(
            "tenant",
            f"label_values(jouled_tenant_energy_joules_total{{{selector}}}, tenant)",
        )
        .label("Tenant")
        .description("A Slurm account or a Kubernetes namespace.")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(_ALL)
    )


def user() -> Variable:
    """Return the choice of users of the chosen tenants."""
    selector = f'{queries.CLUSTER}, scheduler=~"$scheduler", tenant=~"$tenant"'
    return (
        _choice(
            "user",
            f"label_values(jouled_tenant_energy_joules_total{{{selector}}}, user)",
        )
        .label("User")
        .description("Who started the jobs. Pods have no user: leave it at All.")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(_ALL)
    )


def workload() -> Variable:
    """Return the choice of what pods are a part of, such as a Deployment."""
    selector = f'{queries.CLUSTER}, scheduler=~"$scheduler", workload_name!=""'
    return (
        _choice(
            "workload", f"label_values(jouled_job_info{{{selector}}}, workload_name)"
        )
        .label("Workload")
        .description(
            "What pods are a part of: a Job, a Deployment … Jobs of Slurm have none."
        )
        .include_all(include_all=True)
        .all_value(".*")
        .current(_ALL)
    )


def job() -> Variable:
    """Return the choice of jobs: the newest that fit all other choices."""
    start = "jouled_job_start_timestamp_seconds"
    # A job has an account or a namespace; the other label is absent.
    chosen = (
        f'{queries.CLUSTER}, scheduler=~"$scheduler", user=~"$user", '
        'account=~"${tenant}|", namespace=~"${tenant}|"'
    )
    named = f'{queries.CLUSTER}, scheduler=~"$scheduler", workload_name=~"$workload"'
    # In one line, as Grafana wants it.
    query = (
        f"query_result(topk({_NEWEST}, max by (job_id) ({start}{{{chosen}}}"
        " and on (cluster, instance, scheduler, job_id)"
        f" jouled_job_info{{{named}}})))"
    )
    return (
        QueryVariable("job")
        .label("Job")
        .description(
            f"One job, several, or all that fit the other choices: the {_NEWEST} "
            "newest at the end of the time range are listed. The id of any other can "
            "be typed."
        )
        .datasource(queries.DATASOURCE)
        .query(
            {"qryType": _QUERY_RESULT, "query": query, "refId": "variable-job"},
        )
        .regex('/job_id="([^"]+)"/')
        # Not when the time range changes: the job that is looked at has to stay.
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.NATURAL_DESC)
        .multi(multi=True)
        .include_all(include_all=True)
        .allow_custom_value(allow_custom_value=True)
    )


def zone() -> Variable:
    """Return the choice of grid zones, as nodes and hub tell of them."""
    series = f"jouled_carbon_intensity_fallback_level{{{queries.CLUSTER}}}"
    return (
        _choice("zone", f"label_values({series}, zone)")
        .label("Grid zone")
        .description("Whose electricity the nodes use.")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(_ALL)
    )


def budget() -> Variable:
    """Return the choice of the budgets that the hub keeps."""
    series = f"jouled_carbon_budget_info{{{queries.CLUSTER}}}"
    return (
        _choice("budget", f"label_values({series}, budget)")
        .label("Budget")
        .description("By the names in the hub's configuration.")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(_ALL)
    )


def idle() -> Variable:
    """Return the choice of how long a GPU has to be unused to count as held idle."""
    return (
        CustomVariable("idle")
        .label("Idle for")
        .description("How long a job's GPUs were hardly used on the mean.")
        .values("10m,30m,1h,3h,12h")
        .current(VariableOption(selected=True, text="30m", value="30m"))
    )


def price() -> Variable:
    """Return the price of a kilowatt-hour, which a reader types."""
    return (
        TextBoxVariable("price")
        .label("Price of 1 kWh")
        .description("A number with a point, in the currency beside it.")
        .default_value("0.30")
        .current(VariableOption(selected=True, text="0.30", value="0.30"))
    )


def currency() -> Variable:
    """Return the name of the currency, which a reader types."""
    return (
        TextBoxVariable("currency")
        .label("Currency")
        .description("Shown beside costs; nothing is converted.")
        .default_value("EUR")
        .current(VariableOption(selected=True, text="EUR", value="EUR"))
    )


def _choice(name: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .datasource(queries.DATASOURCE)
        .query({"qryType": _LABEL_VALUES, "query": query, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
    )
