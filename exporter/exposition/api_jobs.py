"""The part of the JSON API that tells of jobs, of now and of the past."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, status

from exporter.config.moments import parse_moment
from exporter.core.archive import JobArchive, JobPage, JobQuery
from exporter.core.errors import ArchiveError
from exporter.core.snapshot import Snapshot
from exporter.exposition.archive_desk import ArchiveDesk
from exporter.exposition.job_answers import job_answer, jobs_answer, record_answer
from exporter.exposition.job_models import JobAnswer, JobsAnswer, JobsQuestion

# Its name in Starlette depends on the release.
_UNPROCESSABLE = 422


def add_job_routes(
    router: APIRouter, latest: Callable[[], Snapshot], archive: JobArchive | None
) -> None:
    """Add the routes below ``/jobs``.

    Args:
        router: where they are added.
        latest: returns the last snapshot.
        archive: knows the jobs of the past; ``None`` if nobody does.
    """
    desk = None if archive is None else ArchiveDesk(archive)

    @router.get(
        "/jobs",
        summary="Jobs on this node: those of now, or any of the archive",
        description="Without parameters: the jobs that run, and those that ended a "
        "while ago. With any: those of the archive, newest first; what it tells of a "
        "job that runs is up to a minute old.",
        responses={status.HTTP_404_NOT_FOUND: {"description": "no archive is kept"}},
    )
    async def jobs(question: Annotated[JobsQuestion, Query()]) -> JobsAnswer:
        snapshot = latest()
        if not question.model_fields_set:
            return jobs_answer(snapshot)
        if desk is None:
            raise HTTPException(
                status.HTTP_404_NOT_FOUND,
                "this node keeps no archive: archive.enabled is false",
            )
        page = await _find(desk, _query(question, snapshot.unix_s))
        return JobsAnswer(
            unix_s=snapshot.unix_s,
            jobs=tuple(record_answer(record) for record in page.records),
            jobs_dropped=snapshot.jobs_dropped,
            jobs_waiting=snapshot.jobs_waiting,
            next_cursor=page.cursor,
        )

    @router.get(
        "/jobs/{job_id}",
        summary="One job on this node, or its last run in the archive",
        responses={status.HTTP_404_NOT_FOUND: {"description": "no such job here"}},
    )
    async def job(
        job_id: str,
        scheduler: Annotated[
            str | None,
            Query(description="needed only if two schedulers use the same id"),
        ] = None,
    ) -> JobAnswer:
        found = [
            job
            for job in latest().jobs
            if job.labels.job_id == job_id
            and scheduler in {None, job.workload.scheduler}
        ]
        # A requeued job has been here before: the last run counts.
        if found:
            return job_answer(max(found, key=lambda job: job.created_unix_s))
        if desk is not None:
            query = JobQuery(job_id=job_id, scheduler=scheduler, limit=1)
            page = await _find(desk, query)
            if page.records:
                return record_answer(page.records[0])
        raise HTTPException(
            status.HTTP_404_NOT_FOUND,
            "no such job on this node, or it ended too long ago",
        )


async def _find(desk: ArchiveDesk, query: JobQuery) -> JobPage:
    try:
        return await desk.find(query)
    except ArchiveError as error:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, str(error)) from error


def _query(question: JobsQuestion, now_unix_s: float) -> JobQuery:
    moments: dict[str, float | None] = {}
    for name, text in (("since", question.since), ("until", question.until)):
        try:
            moments[name] = None if text is None else parse_moment(text, now_unix_s)
        except ValueError as error:
            raise HTTPException(_UNPROCESSABLE, f"{name}: {error}") from error
    return JobQuery(
        since_unix_s=moments["since"],
        until_unix_s=moments["until"],
        user=question.user,
        account=question.account,
        limit=question.limit,
        cursor=question.cursor,
    )
