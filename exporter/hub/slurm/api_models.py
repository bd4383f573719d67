"""What ``/api/v1/slurm/jobs`` answers."""

from pydantic import BaseModel, ConfigDict, Field


class SlurmJobAnswer(BaseModel):
    """A job that holds the node."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    name: str
    user: str = Field(description='"" if Slurm does not tell')
    uid: int | None
    account: str
    partition: str
    array_job_id: str = Field(description='"" if it is of no array')
    array_task_id: str
    het_job_id: str = Field(description='"" if it is of no heterogeneous job')
    node_list: str = Field(description="as Slurm writes it; cut if it is long")
    start_unix_s: float
    time_limit_s: float | None = Field(description="null if there is no limit")
    state: str


class SlurmJobsAnswer(BaseModel):
    """The jobs of one node."""

    model_config = ConfigDict(frozen=True)

    fetched_unix_s: float = Field(description="when slurmrestd told them")
    jobs: tuple[SlurmJobAnswer, ...]
