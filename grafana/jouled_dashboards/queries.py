"""How the dashboards ask Prometheus.

Every selector names the variables it obeys. ``cluster`` may be absent everywhere, in a
site with a single cluster: the choice "All" is ``.*``, which fits an absent label too.

``rate()`` and ``increase()`` see nothing of what a series held when it was first
scraped. Where that matters the description of the panel says so.
"""

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

JOULES_PER_KWH = 3.6e6

CLUSTER = 'cluster=~"$cluster"'
NODE = f'{CLUSTER}, instance=~"$node"'

JOB = f'{CLUSTER}, scheduler=~"$scheduler", job_id=~"$job"'

JOB_LABELS = "cluster, scheduler, job_id, user, account, partition, namespace, pod"
"""What tells one job from another, over all of its nodes."""

NODES_RULES_S = 30
"""How often ``record-nodes.yml`` is evaluated, s; a test compares."""
TENANTS_RULES_S = 60
"""How often ``record-tenants.yml`` is evaluated, s; a test compares."""


def graphed(expression: str, legend: str = "") -> Dataquery:
    """Return a query over the time range, for graphs and states."""
    return _asked(expression).legend_format(legend).range()


def current(expression: str, legend: str = "") -> Dataquery:
    """Return a query of the end of the time range alone, for one number or bars."""
    return _asked(expression).legend_format(legend).instant()


def tabled(expression: str) -> Dataquery:
    """Return a query of the end of the time range, for a column of a table."""
    return _asked(expression).instant().format(PromQueryFormat.TABLE).legend_format("")


def kwh(joules: str) -> str:
    """Write an expression in joules as one in kilowatt-hours."""
    return f"{joules} / {JOULES_PER_KWH:g}"


def last(selector: str) -> str:
    """Write what series told last in the time range, those that ended in it too."""
    return f"last_over_time({selector}[$__range])"


def recorded_sum(rate: str, every_s: int) -> str:
    """Write what a recorded rate adds up to in the time range.

    Unlike ``increase()`` over thousands of counters it reads one series, and counts
    nothing for the time in which nothing was recorded.

    Args:
        rate: selector of a recorded rate, per second.
        every_s: interval of its rule, s.
    """
    return f"sum_over_time({rate}[$__range]) * {every_s}"


def with_tenant(expression: str) -> str:
    """Write jobs with a label ``tenant``: the account or the namespace.

    A job has one of the two, so that joining both is to take the one that is there.
    """
    return f'label_join({expression}, "tenant", "", "account", "namespace")'


def _asked(expression: str) -> Dataquery:
    return Dataquery().datasource(DATASOURCE).expr(_tidy(expression))


def _tidy(expression: str) -> str:
    """Take away what indents an expression in the source alone."""
    lines = expression.strip("\n").splitlines()
    margin = min(
        (len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0
    )
    return "\n".join(line[margin:].rstrip() for line in lines).strip()
