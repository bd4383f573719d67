"""All dashboards there are."""

from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.jouled_dashboards import (
    budgets,
    carbon,
    cluster,
    health,
    job,
    node,
    tenant,
)
from grafana.jouled_dashboards.frame import rendered

FOLDER = Path(__file__).resolve().parent.parent / "dashboards"

DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "budgets.json": budgets.dashboard,
    "carbon.json": carbon.dashboard,
    "cluster.json": cluster.dashboard,
    "health.json": health.dashboard,
    "job.json": job.dashboard,
    "node.json": node.dashboard,
    "tenant.json": tenant.dashboard,
}
"""Each dashboard by the name of its file."""


def texts() -> Mapping[str, str]:
    """Return the JSON of every dashboard by the name of its file."""
    return {name: rendered(make()) for name, make in DASHBOARDS.items()}
