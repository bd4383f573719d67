"""What is known of the cluster at one moment: immutable, and all that a page reads.

A figure that is not known is ``None``; ``Overview.missing`` says why. An empty list is
an answer: there are none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Part = Literal[
    "nodes",
    "power",
    "components",
    "schedulers",
    "unattributed",
    "grams",
    "course",
    "day",
    "tenants",
    "jobs",
    "running",
    "zones",
    "faults",
]
Why = Literal["absent", "rules", "overload", "nonsense"]


@dataclass(frozen=True, slots=True)
class Missing:
    """A part of the overview that is not known.

    Attributes:
        part: which.
        why: nobody tells it (``absent``); too much to ask for without recording
            rules (``rules``); Prometheus gave up, or its answer was too large or too
            late (``overload``); or it was no answer (``nonsense``).
        remedy: what to do, a sentence or two.
    """

    part: Part
    why: Why
    remedy: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster; of several, Prometheus tells them apart by the label ``cluster``.

    Attributes:
        name: the label; "" if there is none.
        nodes: how many nodes Prometheus knows.
        up: how many of them answer it.
        power_w: power of all nodes, W.
    """

    name: str
    nodes: int
    up: int
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Node:
    """One node, as Prometheus calls it."""

    cluster: str
    instance: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A source of a node that is there and cannot be read.

    Attributes:
        node: whose.
        source: its name.
        reason: denied, faulty or timeout.
    """

    node: Node
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Nodes:
    """How the nodes are.

    Attributes:
        known: how many Prometheus knows.
        up: how many answer it.
        down: the first of those that do not.
        faults: the first sources that cannot be read; ``None`` if nobody knows.
        faulty: on how many nodes there are such sources.
        estimated: on how many nodes a component is estimated, not measured, by
            component; ``None`` if nobody knows.
        simulated: how many nodes are not there at all; likewise.
    """

    known: int
    up: int
    down: tuple[Node, ...] = ()
    faults: tuple[Fault, ...] | None = None
    faulty: int | None = None
    estimated: Mapping[str, int] | None = None
    simulated: int | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """Power of the last hours, by component.

    Attributes:
        begin_s: the first moment, Unix time, s.
        step_s: from one moment to the next, s.
        components_w: W at each moment; ``None`` where nothing is known.
    """

    begin_s: int
    step_s: int
    components_w: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class Total:
    """Something added up over the last 24 hours.

    Attributes:
        amount: J or gCO2e.
        known_s: for how much of the time it is known, s.
    """

    amount: float
    known_s: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """A Slurm account or a Kubernetes namespace.

    Attributes:
        energy_j: in the last 24 hours, J.
        emissions_g: likewise, gCO2e.
        power_w: lately, W.
    """

    cluster: str
    scheduler: str
    tenant: str
    energy_j: float
    emissions_g: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job over all its nodes.

    Attributes:
        labels: ``cluster`` and those of a job: who it is and whose.
        name: as its owner calls it; "" if nobody tells.
        power_w: now, W.
        energy_j: so far, of what its nodes tell, J.
        emissions_g: likewise, gCO2e.
        nodes: on how many it runs.
        gpus: how many it holds.
        gpu_utilization: of those, 0..1.
    """

    labels: Mapping[str, str]
    name: str
    power_w: float
    energy_j: float | None
    emissions_g: float | None
    nodes: int | None
    gpus: float | None
    gpu_utilization: float | None


@dataclass(frozen=True, slots=True)
class Zone:
    """A grid zone that nodes are in.

    Attributes:
        zone: its name.
        intensity_g_per_kwh: what nodes reckon with, on the mean.
        level: the worst fallback level of any node.
    """

    zone: str
    intensity_g_per_kwh: float | None
    level: int


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours; read less often than the rest.

    Attributes:
        at_s: their end, Unix time, s.
        energy: of all nodes, J.
        emissions: gCO2e.
        tenants: those with the most energy, first the most.
    """

    at_s: float
    energy: Total | None = None
    emissions: Total | None = None
    tenants: tuple[Tenant, ...] | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """The cluster at one moment.

    Attributes:
        at_s: the moment, Unix time, s.
        complete: Prometheus did not say that parts are missing.
        clusters: in order of their names.
        nodes: how they are; ``None`` if Prometheus knows none.
        power_w: of all nodes, W.
        grams_per_s: gCO2e a second.
        fallback_ratio: part of that on fallback figures of the grid, 0..1.
        components_w: W by component.
        schedulers_w: W of all jobs, by scheduler.
        unattributed_w: W that no job is charged for, by reason.
        devices_missing: how many devices are in none of these, because they cannot be
            read now, by component.
        course: power of the last hours.
        day: the last 24 hours.
        jobs: those that draw the most, first the most.
        running: how many jobs run.
        gpus: how many GPUs jobs hold.
        gpus_idle: how many of them are hardly used.
        zones: grid zones of the nodes.
        missing: what is not known, and why.
    """

    at_s: float
    complete: bool = True
    clusters: tuple[Cluster, ...] = ()
    nodes: Nodes | None = None
    power_w: float | None = None
    grams_per_s: float | None = None
    fallback_ratio: float | None = None
    components_w: Mapping[str, float] | None = None
    schedulers_w: Mapping[str, float] | None = None
    unattributed_w: Mapping[str, float] | None = None
    devices_missing: Mapping[str, int] | None = None
    course: Course | None = None
    day: Day | None = None
    jobs: tuple[Job, ...] | None = None
    running: int | None = None
    gpus: float | None = None
    gpus_idle: float | None = None
    zones: tuple[Zone, ...] = ()
    missing: tuple[Missing, ...] = field(default_factory=tuple)
