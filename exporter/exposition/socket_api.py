"""What programs of this node may ask and tell, over the Unix socket of the daemon.

It is HTTP too, so that curl will do. Only root and the daemon's own user are
answered.
"""

import asyncio
import json
import math
import re

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.core.snapshot import JobTotals, Snapshot, SnapshotReader
from exporter.exposition.job_answers import job_answer
from exporter.exposition.job_ends import JobEnds
from exporter.exposition.local_socket import is_trusted

_JOB_ID = re.compile(r"\d{1,10}", re.ASCII)
_LARGEST_BODY_BYTES = 4096
_LONGEST_WAIT_S = 5.0
_POLL_S = 0.05


def create_socket_app(reader: SnapshotReader, ends: JobEnds) -> ASGIApp:
    """Build the application of the Unix socket.

    ``POST /v1/slurm/job-end`` with ``{"job_id": "123"}`` says that a job has ended.
    ``GET /v1/slurm/jobs/123/summary?wait=2`` asks for what it used, as
    ``/api/v1/jobs/123`` does, but waits for up to 2 s until its end is in it.

    Args:
        reader: where the last snapshot is.
        ends: remembers which jobs have ended.
    """

    async def job_end(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _problem(413, f"send at most {_LARGEST_BODY_BYTES} bytes")
        job_id = _job_id_in(body)
        if job_id is None:
            return _problem(400, 'send {"job_id": "123"}, digits as text')
        ends.note(job_id)
        return Response(status_code=204)

    async def summary(request: Request) -> Response:
        job_id = request.path_params["job_id"]
        wait_s = _wait_s(request.query_params.get("wait", "0"))
        if not _JOB_ID.fullmatch(job_id) or wait_s is None:
            return _problem(400, "ask for /v1/slurm/jobs/123/summary?wait=2, at most 5")
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + wait_s
        while True:
            snapshot = reader.latest()
            job = None if snapshot is None else _last_run(snapshot, job_id)
            told_s = ends.told_unix_s(job_id)
            if snapshot is not None and job is not None:
                is_over = job.end_unix_s is not None or (
                    # What began after it was told contains all that it used.
                    told_s is not None and snapshot.unix_s > told_s
                )
                if is_over or loop.time() >= deadline_s:
                    return _answer(job)
            if loop.time() >= deadline_s:
                return _problem(404, "no such job here, or it ended too long ago")
            await asyncio.sleep(_POLL_S)

    return _OnlyTrusted(
        Starlette(
            routes=[
                Route("/v1/slurm/job-end", job_end, methods=["POST"]),
                Route("/v1/slurm/jobs/{job_id}/summary", summary),
            ]
        )
    )


class _OnlyTrusted:
    """Answers root and the daemon's own user; ``Connection`` says who it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        uid = scope.get("state", {}).get("peer_uid")
        if uid is not None and is_trusted(uid):
            await self._app(scope, receive, send)
        else:
            refusal = _problem(403, "only root and the user of jouled may ask here")
            await refusal(scope, receive, send)


def _last_run(snapshot: Snapshot, job_id: str) -> JobTotals | None:
    """Find a job; of a requeued one the last run."""
    runs = [
        job
        for job in snapshot.jobs
        if job.workload.scheduler == "slurm" and job.labels.job_id == job_id
    ]
    return max(runs, key=lambda job: job.created_unix_s, default=None)


def _answer(job: JobTotals) -> Response:
    return Response(job_answer(job).model_dump_json(), media_type="application/json")


def _problem(code: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status_code=code)


async def _body(request: Request) -> bytes | None:
    """Read the body; ``None`` if it is too large, without reading the rest."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST_BODY_BYTES:
                return None
    except ClientDisconnect:
        return b""
    return body


def _job_id_in(body: bytes) -> str | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    job_id = told.get("job_id") if isinstance(told, dict) else None
    if isinstance(job_id, str) and _JOB_ID.fullmatch(job_id):
        return job_id
    return None


def _wait_s(text: str) -> float | None:
    try:
        wait_s = float(text)
    except ValueError:
        return None
    return wait_s if math.isfinite(wait_s) and 0 <= wait_s <= _LONGEST_WAIT_S else None
