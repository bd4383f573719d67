"""Answers of slurmrestd, in the shapes of Slurm 22.05 and of later versions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fakes.carbon_server import CarbonServer, Play
from tests.fakes.server_thread import server_in_thread

START_S = 1_795_333_222
VERSIONS = ("v0.0.38", "v0.0.9")
JOBS_PATH = "/slurm/v0.0.38/jobs"


def old_row(**changes: object) -> dict[str, object]:
    """Return a job as v0.0.38 tells it."""
    return {
        "account": "physics",
        "array_job_id": 0,
        "array_task_id": None,
        "flags": ["JOB_WAS_RUNNING"],
        "het_job_id": 0,
        "job_id": 2,
        "job_resources": {"nodes": "n[01-02]", "allocated_hosts": 2},
        "job_state": "RUNNING",
        "name": "train",
        "nodes": "n[01-02]",
        "partition": "batch",
        "start_time": START_S,
        "time_limit": 5,
        "user_id": 1001,
        "user_name": "alice",
    } | changes


def new_row(**changes: object) -> dict[str, object]:
    """Return the same job as versions since v0.0.40 tell it."""
    return (
        old_row(
            array_job_id=_number(0),
            array_task_id={"set": False, "infinite": False, "number": 0},
            het_job_id=_number(0),
            job_state=["RUNNING"],
            start_time=_number(START_S),
            time_limit=_number(5),
        )
        | changes
    )


def answer(*rows: object) -> str:
    """Return a whole answer."""
    return json.dumps({"meta": {}, "errors": [], "jobs": rows})


@contextmanager
def played_rest(*rows: object) -> Iterator[CarbonServer]:
    """Play a slurmrestd that has some jobs."""
    with server_in_thread() as server:
        paths: dict[str, object] = {f"/slurm/{one}/jobs": {} for one in VERSIONS}
        paths["/slurmdb/v0.0.40/jobs"] = {}
        server.play("/openapi/v3", Play(json.dumps({"paths": paths}).encode()))
        server.play(JOBS_PATH, Play(answer(*rows).encode()))
        yield server


def _number(number: int) -> dict[str, object]:
    return {"set": True, "infinite": False, "number": number}
