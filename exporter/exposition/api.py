"""The JSON API of a node: read-only, the last tick and the past."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, status

from exporter.core.archive import JobArchive
from exporter.core.snapshot import HistoryPoint, Snapshot, SnapshotReader
from exporter.exposition.answers import intensity_answer, node_answer
from exporter.exposition.api_jobs import add_job_routes
from exporter.exposition.api_models import NodeAnswer
from exporter.exposition.intensity_models import IntensityAnswer


def api_router(  # noqa: PLR0913 - settings of one surface, all by name
    reader: SnapshotReader,
    archive: JobArchive | None,
    *,
    node: str,
    version: str,
    interval_s: float,
    clock: Callable[[], float],
) -> APIRouter:
    """Build the routes below ``/api/v1``.

    Args:
        reader: where the last snapshot is.
        archive: knows the jobs of the past; ``None`` if nobody does.
        node: name of the node.
        version: version of the daemon.
        interval_s: sampling interval aimed at, s.
        clock: a monotonic clock, s; the daemon starts now.
    """
    started_s = clock()
    router = APIRouter(
        prefix="/api/v1",
        responses={
            status.HTTP_503_SERVICE_UNAVAILABLE: {
                "description": "no tick is done yet, or the archive cannot be read "
                "now; ask again in a moment"
            }
        },
    )

    def latest() -> Snapshot:
        snapshot = reader.latest()
        if snapshot is None:
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE,
                "no tick is done yet; ask again in a moment",
            )
        return snapshot

    # Coroutines, although nothing waits: FastAPI runs plain functions on a
    # pool of threads, which a small daemon has no use for.
    @router.get("/node", summary="The node: power, energy, grams, sources")
    async def node_now(
        history_after_unix_s: Annotated[
            float | None,
            Query(description="add past moments later than this; 0 for all there are"),
        ] = None,
    ) -> NodeAnswer:
        snapshot = latest()
        history: tuple[HistoryPoint, ...] = ()
        if history_after_unix_s is not None:
            history = tuple(
                point
                for point in reader.history()
                if point.unix_s > history_after_unix_s
            )
        return node_answer(
            snapshot,
            history,
            node=node,
            version=version,
            interval_s=interval_s,
            uptime_s=clock() - started_s,
        )

    add_job_routes(router, latest, archive)

    @router.get("/intensity", summary="Carbon intensity in force")
    async def intensity() -> IntensityAnswer:
        return intensity_answer(latest())

    return router
