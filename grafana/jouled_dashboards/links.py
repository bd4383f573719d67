"""From one dashboard to the next, with the time range and the choices kept."""

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DynamicConfigValue,
)

TAG = "jouled"

CLUSTER = "jouled-cluster"
NODE = "jouled-node"
JOB = "jouled-job"
TENANT = "jouled-tenant"
CARBON = "jouled-carbon"
BUDGETS = "jouled-budgets"
HEALTH = "jouled-health"

_KEPT = "${datasource:queryparam}&${cluster:queryparam}&${__url_time_range}"


def header() -> list[DashboardLink]:
    """Return the links at the top: all dashboards of jouled, side by side."""
    return [
        DashboardLink("jouled")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
        .icon("external link")
        .tooltip("The other dashboards of jouled, for the same time"),
    ]


def to(uid: str, title: str, **chosen: str) -> DynamicConfigValue:
    """Return the property of an override that makes a value a link.

    Args:
        uid: of the dashboard that it leads to.
        title: what a reader is told of it.
        chosen: values of its variables, such as ``job="${__data.fields.job_id}"``.
    """
    return DynamicConfigValue("links", [link(uid, title, **chosen)])


def to_tenant(tenant: str) -> DynamicConfigValue:
    """Return the property of an override that leads to the dashboard of a tenant.

    Args:
        tenant: as ``field()`` or ``label()`` writes it.
    """
    return to(TENANT, "Show this tenant", tenant=tenant)


def to_job(title: str) -> DynamicConfigValue:
    """Return the property of an override that leads to the job of a row of a table.

    Args:
        title: what a reader is told of it.
    """
    return to(
        JOB,
        title,
        scheduler=field("scheduler"),
        job=field("job_id"),
        workload="$__all",
    )


def link(uid: str, title: str, **chosen: str) -> dict[str, object]:
    """Return a data link; arguments are those of ``to``."""
    variables = "".join(f"&var-{name}={value}" for name, value in chosen.items())
    return {
        "title": title,
        "url": f"/d/{uid}?{_KEPT}{variables}",
        "targetBlank": False,
    }


def field(name: str) -> str:
    """Write the value of another column of the same row, for a URL."""
    return f'${{__data.fields["{name}"]:percentencode}}'


def label(name: str) -> str:
    """Write the value of a label of the series, for a URL."""
    return f"${{__field.labels.{name}:percentencode}}"
