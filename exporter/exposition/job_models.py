"""What the JSON API says of jobs, and what it can be asked of past ones."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from exporter.config.moments import MOMENT_TEXT
from exporter.core.archive import JobState
from exporter.core.model import Component
from exporter.exposition.api_models import Answer


class GpuHoldAnswer(Answer):
    """A GPU that a job holds, or its part of one."""

    device: Annotated[str, Field(description="as among the devices of the node")]
    share: Annotated[float, Field(description="the part that was reserved, 0..1")]


class JobAnswer(Answer):
    """One job on this node; energy and grams count from its first sight here."""

    scheduler: str
    job_id: str
    user: str
    account: str
    partition: str
    namespace: str
    pod: str
    info: dict[str, str]
    running: bool
    power_w: Annotated[float | None, Field(description="null once it ended, W")]
    components_w: dict[Component, float]
    energy_j: Annotated[
        float | None, Field(description="null if the node can tell of none, J")
    ]
    components_j: dict[Component, float]
    emissions_g: float
    cpu_s: float
    gpus: float | None
    gpus_held: Annotated[
        tuple[GpuHoldAnswer, ...],
        Field(description="which ones; empty once it ended, and of the archive"),
    ]
    gpu_utilization_ratio: float | None
    memory_bytes: int | None
    created_unix_s: float
    start_unix_s: float | None
    end_unix_s: float | None
    projected_energy_j: Annotated[
        float | None, Field(description="at the end of its time limit, J")
    ]
    projected_emissions_g: Annotated[
        float | None, Field(description="at the end of its time limit, g")
    ]
    progress_ratio: float | None
    state: Annotated[
        JobState,
        Field(description='"lost": daemon or node went away while it was running'),
    ]
    last_seen_unix_s: Annotated[
        float | None,
        Field(description="up to when the archive tells; null: up to the last tick"),
    ]
    estimated_energy_j: Annotated[
        float, Field(description="the part of energy_j that comes from estimates, J")
    ]
    measured_ratio: Annotated[
        float | None, Field(description="the measured part of energy_j, 0..1")
    ]
    fallback_emissions_g: Annotated[
        float, Field(description="the part computed on fallback intensity, g")
    ]
    fallback_ratio: Annotated[
        float | None, Field(description="the same as a part of emissions_g, 0..1")
    ]
    market_emissions_g: Annotated[
        float | None,
        Field(
            description="by the site's contracts, g; null if not counted or archived"
        ),
    ]
    embodied_g: Annotated[
        float | None,
        Field(description="its part of making the node, g; null likewise"),
    ]
    peak_power_w: Annotated[
        float | None, Field(description="the most in any one interval, W")
    ]
    gpu_held_s: Annotated[
        float | None,
        Field(description="GPUs held times time, s; null if it never held any"),
    ]
    gpu_idle_s: Annotated[
        float | None,
        Field(description="the part of gpu_held_s in which they did nothing, s"),
    ]
    gpu_use_ratio: Annotated[
        float | None, Field(description="mean since it was first seen, 0..1")
    ]


class JobsAnswer(Answer):
    """Jobs on this node: those of now, or those of the archive."""

    unix_s: float
    jobs: tuple[JobAnswer, ...]
    jobs_dropped: Annotated[
        int,
        Field(
            description="jobs that found no place because of the cap on exported jobs, "
            "since boot; some of them may have got one later"
        ),
    ]
    jobs_waiting: Annotated[
        int, Field(description="jobs that run now and are not exported for that reason")
    ]
    next_cursor: Annotated[
        int | None,
        Field(description="cursor= for older jobs of the archive; null: no more"),
    ] = None


class JobsQuestion(BaseModel):
    """Which jobs of the archive are wanted."""

    # A misspelt name would quietly ask for everybody's.
    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Annotated[
        str | None, Field(description=f"last seen then or later: {MOMENT_TEXT}")
    ] = None
    until: Annotated[str | None, Field(description="last seen before; as since")] = None
    user: str | None = None
    account: Annotated[
        str | None, Field(description="Slurm account or Kubernetes namespace")
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[
        int | None,
        Field(ge=1, le=2**62, description="next_cursor of the answer before"),
    ] = None
