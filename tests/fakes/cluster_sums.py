"""A cluster as Prometheus tells it, for whoever asks for its sums."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tests.fakes.prometheus_server import Ask, Play, matrix, vector

ValueT = TypeVar("ValueT")
Labels = dict[str, str]
Rows = list[tuple[Labels, str]]

NOW = 1_795_344_000.0
MAIN = {"cluster": "main"}

_NAME = r"(?<![A-Za-z0-9_:]){}(?![A-Za-z0-9_:])"


def job(job_id: str, user: str = "ada", **more: str) -> Labels:
    """Return the labels of a job of Slurm, as Prometheus tells them."""
    labels = {
        "scheduler": "slurm",
        "job_id": job_id,
        "user": user,
        "account": "physics",
    }
    return {**MAIN, **labels, "partition": "gpu", **more}


def tenant(name: str, **more: str) -> Labels:
    """Return the labels of a tenant."""
    return {**MAIN, "scheduler": "slurm", "tenant": name, **more}


def component(name: str) -> Labels:
    """Return the labels of a component."""
    return {**MAIN, "component": name}


@dataclass
class ClusterSums:
    """What Prometheus answers, by the name that a question is about.

    Attributes:
        rows: of a vector, by name of a metric or a record; of a course they are told
            again and again.
        plays: in place of rows, by name.
        asked: all questions, in order.
    """

    rows: dict[str, Rows] = field(default_factory=dict)
    plays: dict[str, Play] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, ask: Ask) -> Play:
        """Answer a question."""
        query = ask.form["query"]
        self.asked.append(query)
        play = _first(self.plays, query)
        if play is not None:
            return play
        rows = _first(self.rows, query) or []
        if ask.path.endswith("query"):
            return Play(vector(*rows))
        begin_s, end_s, step_s = (
            int(ask.form[key]) for key in ("start", "end", "step")
        )
        moments = range(begin_s, end_s + 1, step_s)
        by = _by(query)
        return Play(
            matrix(
                *(
                    (_only(labels, by), [[at, value] for at in moments])
                    for labels, value in rows
                )
            )
        )

    def about(self, name: str) -> list[str]:
        """Return the questions that were asked about a name."""
        pattern = _NAME.format(re.escape(name))
        return [query for query in self.asked if re.search(pattern, query)]


def recorded() -> dict[str, Rows]:
    """Return the sums of a cluster of 3,000 nodes with the rules of deploy/."""
    power = "jouled_component_power_watts:sum"
    unattributed = "jouled_unattributed_energy_joules:rate5m"
    return {
        "up": [(MAIN, "3000")],
        "cluster:jouled_node_power_watts:sum": [(MAIN, "1200000")],
        f"cluster_component:{power}": [
            (component("cpu"), "300000"),
            (component("gpu"), "900000"),
        ],
        "cluster_component:jouled_devices_missing:sum": [
            (component("cpu"), "0"),
            (component("gpu"), "3"),
        ],
        "cluster:jouled_node_energy_joules:rate5m": [({}, "1000000")],
        "cluster:jouled_node_emissions_grams:rate5m": [(MAIN, "100")],
        "cluster:jouled_node_emissions_fallback_grams:rate5m": [(MAIN, "25")],
        f"cluster_component_reason:{unattributed}": [
            ({**component("cpu"), "reason": "idle"}, "50000"),
            ({**component("gpu"), "reason": "idle"}, "30000"),
            ({**component("gpu"), "reason": "unallocated"}, "20000"),
        ],
        "cluster_scheduler:jouled_tenant_energy_joules:rate5m": [
            ({**MAIN, "scheduler": "slurm"}, "900000"),
        ],
        "cluster_tenant:jouled_tenant_energy_joules:rate5m": [
            (tenant("physics"), "8e9"),
            (tenant("biology"), "4e9"),
        ],
        "cluster_tenant:jouled_tenant_emissions_grams:rate5m": [
            (tenant("physics"), "70000"),
        ],
        "cluster_job:jouled_job_power_watts:sum": [
            (job("7"), "5000"),
            (job("12", "bob"), "9000"),
        ],
        "cluster_job:jouled_job_energy_joules:sum": [(job("7"), "3.6e6")],
        "cluster_job:jouled_job_emissions_grams:sum": [(job("7"), "400")],
        "cluster_job:jouled_job_nodes:count": [(job("7"), "2")],
        "cluster_job:jouled_job_gpus:sum": [(job("7"), "8")],
        "cluster_job:jouled_job_gpu_utilization:ratio": [(job("7"), "0.75")],
        "jouled_job_info": [({**job("7"), "name": "train"}, "1")],
        "cluster_scheduler:jouled_jobs:count": [({}, "2")],
        "cluster:jouled_job_gpus:sum": [(MAIN, "16")],
        "cluster:jouled_job_gpus_idle:sum": [(MAIN, "4")],
        "cluster_zone:jouled_carbon_intensity_fallback_level:max": [
            ({"zone": "DE"}, "0")
        ],
        "cluster_zone:jouled_carbon_intensity_grams_per_kwh:avg": [
            ({"zone": "DE"}, "321")
        ],
        "jouled_source_info": [
            ({"quality": "estimated", "component": "cpu"}, "12"),
            ({"quality": "simulated", "component": "gpu"}, "3"),
        ],
    }


def _first(table: Mapping[str, ValueT], query: str) -> ValueT | None:
    """Return the entry of the first name that a question has."""
    found = [
        (match.start(), value)
        for name, value in table.items()
        if (match := re.search(_NAME.format(re.escape(name)), query))
    ]
    return min(found, key=lambda one: one[0])[1] if found else None


def _by(query: str) -> str:
    match = re.match(r"sum by \((\w*)\)", query)
    assert match is not None
    return match[1]


def _only(labels: Labels, name: str) -> Labels:
    return {name: labels[name]} if name in labels else {}
