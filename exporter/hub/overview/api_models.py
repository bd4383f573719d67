"""What ``/api/v1/overview`` answers; every field that is a quantity names its unit.

What is not known is ``null``, never 0, and ``missing`` says why. An empty list is an
answer: there are none.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Watts = Annotated[float | None, Field(description="W")]
Joules = Annotated[float | None, Field(description="J")]
Grams = Annotated[float | None, Field(description="gCO2e, location-based")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class PrometheusAnswer(_Answer):
    """How it stands with the Prometheus that is asked."""

    host: str
    outcome: Annotated[
        str, Field(description='of the last refresh, as in the metrics; "" before it')
    ]
    error: Annotated[str, Field(description='why it failed; "" if it did not')]
    failing_since_unix_s: float | None
    refresh_duration_s: float | None


class MissingAnswer(_Answer):
    """A part of the overview that is not known."""

    part: str
    why: Annotated[
        Literal["absent", "rules", "overload", "nonsense"],
        Field(
            description="nobody tells it; too much to ask for without recording rules; "
            "Prometheus gave up; or it did not answer as it should"
        ),
    ]
    remedy: str


class ClusterAnswer(_Answer):
    """One cluster."""

    cluster: Annotated[str, Field(description='its label; "" if it has none')]
    nodes: int
    nodes_up: int
    power_w: Watts


class NodeAnswer(_Answer):
    """One node, as Prometheus calls it."""

    cluster: str
    instance: str


class FaultAnswer(NodeAnswer):
    """A source of a node that is there and cannot be read."""

    source: str
    reason: Annotated[str, Field(description="denied, faulty or timeout")]


class NodesAnswer(_Answer):
    """How the nodes are."""

    known: int
    up: int
    down: Annotated[
        tuple[NodeAnswer, ...], Field(description="the first that do not answer")
    ]
    faults: Annotated[
        tuple[FaultAnswer, ...] | None, Field(description="the first of them")
    ]
    faulty: Annotated[int | None, Field(description="nodes with such faults")]
    estimated: Annotated[
        dict[str, int] | None,
        Field(description="nodes where a component is estimated, by component"),
    ]
    simulated: Annotated[int | None, Field(description="nodes that are not there")]


class PowerAnswer(_Answer):
    """Power now."""

    total_w: Watts
    components_w: dict[str, float] | None
    schedulers_w: Annotated[
        dict[str, float] | None, Field(description="of all jobs, lately")
    ]
    unattributed_w: Annotated[
        dict[str, float] | None,
        Field(description="that no job is charged for, by reason, lately"),
    ]
    devices_missing: Annotated[
        dict[str, int] | None,
        Field(
            description="devices that were read before and cannot be read now, by "
            "component: what they draw is in no figure"
        ),
    ]


class CourseAnswer(_Answer):
    """Power of the last hours; null where nothing is known."""

    begin_unix_s: float
    step_s: float
    components_w: dict[str, tuple[float | None, ...]]


class TotalAnswer(_Answer):
    """Something added up over the last 24 hours."""

    amount: Annotated[float, Field(description="J or gCO2e")]
    known_s: Annotated[float, Field(description="for how much of the time it is known")]


class TenantAnswer(_Answer):
    """A Slurm account or a Kubernetes namespace."""

    cluster: str
    scheduler: str
    tenant: str
    energy_j: Annotated[float, Field(description="J in the last 24 hours")]
    emissions_g: Grams
    power_w: Watts


class DayAnswer(_Answer):
    """The last 24 hours."""

    end_unix_s: float
    energy_j: TotalAnswer | None
    emissions_g: TotalAnswer | None
    tenants: Annotated[
        tuple[TenantAnswer, ...] | None,
        Field(description="those with the most energy, first the most"),
    ]


class JobAnswer(_Answer):
    """A job over all its nodes."""

    cluster: str
    scheduler: str
    job_id: str
    name: Annotated[str, Field(description='"" if nobody tells')]
    user: str
    account: str
    partition: str
    namespace: str
    pod: str
    power_w: Annotated[float, Field(description="W")]
    energy_j: Joules
    emissions_g: Grams
    nodes: int | None
    gpus: float | None
    gpu_utilization_ratio: float | None


class JobsAnswer(_Answer):
    """The jobs that run."""

    running: int | None
    gpus_held: float | None
    gpus_hardly_used: float | None
    largest: Annotated[
        tuple[JobAnswer, ...] | None,
        Field(description="those that draw the most power, first the most"),
    ]


class NodesZoneAnswer(_Answer):
    """A grid zone that nodes are in."""

    zone: str
    intensity_g_per_kwh: Annotated[
        float | None, Field(description="what nodes reckon with, on the mean")
    ]
    fallback_level: Annotated[int, Field(description="the worst of any node")]


class OverviewAnswer(_Answer):
    """The cluster as Prometheus knows it."""

    unix_s: float
    observed_unix_s: Annotated[
        float | None, Field(description="the moment that the figures speak of")
    ]
    prometheus: Annotated[
        PrometheusAnswer | None, Field(description="null if the hub knows of none")
    ]
    complete: Annotated[
        bool, Field(description="false if Prometheus said that parts are missing")
    ]
    clusters: tuple[ClusterAnswer, ...]
    nodes: NodesAnswer | None
    power: PowerAnswer
    emissions_g_per_s: float | None
    emissions_fallback_ratio: Annotated[
        float | None, Field(description="part of it on fallback figures of the grid")
    ]
    course: CourseAnswer | None
    day: DayAnswer | None
    jobs: JobsAnswer
    zones: tuple[NodesZoneAnswer, ...]
    missing: tuple[MissingAnswer, ...]
