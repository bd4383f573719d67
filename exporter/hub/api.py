"""The JSON API of the hub: read-only."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, status

from exporter.carbon.feed import FeedStatus
from exporter.core.units import Seconds
from exporter.hub.api_models import (
    FeedAnswer,
    HubAnswer,
    HubIntensityAnswer,
    SlurmAnswer,
    ZoneAnswer,
    ZonesAnswer,
)
from exporter.hub.board import intensity_answer, zone_answer
from exporter.hub.budgets.api_models import BudgetsAnswer, budgets_answer
from exporter.hub.desk import Desk
from exporter.hub.overview.answering import overview_answer
from exporter.hub.overview.api_models import OverviewAnswer
from exporter.hub.slurm.api_models import SlurmJobsAnswer
from exporter.hub.slurm.keeper import SlurmStanding


def api_router(desk: Desk, *, version: str) -> APIRouter:
    """Build the routes below ``/api/v1``.

    Args:
        desk: what there is to tell.
        version: version of the hub.
    """
    router = APIRouter(prefix="/api/v1")

    # Coroutines, although nothing waits: FastAPI runs plain functions on a
    # pool of threads, which nobody here has a use for.
    @router.get("/zones", summary="All grid zones that can be asked for")
    async def zones() -> ZonesAnswer:
        return ZonesAnswer(
            unix_s=desk.unix_s,
            zones=tuple(
                ZoneAnswer(
                    zone=plan.zone,
                    providers=tuple(one.traits.name for one in plan.providers),
                )
                for plan in desk.site.plans
            ),
        )

    @router.get("/hub", summary="Grid zones, and how those who are asked are doing")
    async def hub() -> HubAnswer:
        unix_s = desk.unix_s
        return HubAnswer(
            unix_s=unix_s,
            version=version,
            started_unix_s=desk.started_unix_s,
            reload_refused=desk.reload_refused,
            zones=tuple(
                zone_answer(board.view(unix_s), unix_s)
                for board in desk.site.boards.values()
            ),
            feeds=tuple(map(_feed, desk.site.poller.statuses)),
            slurm=None if desk.slurm is None else _slurm(desk.slurm),
        )

    @router.get(
        "/overview",
        summary="The cluster as Prometheus knows it",
        description="Asking for it keeps it up to date: Prometheus is asked again and "
        "again for some minutes after the last one who did.",
    )
    async def overview() -> OverviewAnswer:
        desk.overview.look()
        return overview_answer(desk.overview.standing, desk.unix_s)

    @router.get("/budgets", summary="All carbon budgets, and how they stand")
    async def budgets() -> BudgetsAnswer:
        return budgets_answer(desk.budgets, desk.unix_s)

    return router


def direct_router(desk: Desk) -> APIRouter:
    """Build what nodes ask for, for the description of the API alone.

    What is asked for goes round it; see intensity.py and slurm/asking.py.
    """
    router = APIRouter(prefix="/api/v1")

    @router.get(
        "/intensity",
        summary="Carbon intensity in force in one grid zone, with its forecast",
        description="Send the `ETag` of the last answer as `If-None-Match`, and ask "
        "again after `max-age` of `Cache-Control`.",
        responses={
            304: {"description": "nothing changed that matters"},
            400: {"description": "no zone is named"},
            404: {"description": "no such zone is configured; `zones` tells which are"},
        },
    )
    async def intensity(
        zone: Annotated[str, Query(description="the grid zone, such as DE")],
    ) -> HubIntensityAnswer:
        board = desk.site.boards.get(zone.upper())
        if board is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND)
        unix_s = Seconds(desk.unix_s)
        return intensity_answer(board.view(unix_s), unix_s)

    @router.get(
        "/slurm/jobs",
        summary="Jobs of Slurm that hold one node",
        description="Send the `ETag` of the last answer as `If-None-Match`. A node "
        "that Slurm does not know has no jobs.",
        responses={
            304: {"description": "nothing changed"},
            400: {"description": "no node is named"},
            404: {"description": "the hub asks no slurmrestd"},
            503: {"description": "slurmrestd has not told any jobs yet"},
        },
    )
    async def slurm_jobs(
        node: Annotated[str, Query(description="its name in Slurm, such as n01")],
    ) -> SlurmJobsAnswer:
        table = None if desk.slurm is None else desk.slurm.table
        if table is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND)
        return SlurmJobsAnswer.model_validate_json(table.answer(node).body)

    return router


def _slurm(standing: SlurmStanding) -> SlurmAnswer:
    table = standing.table
    return SlurmAnswer(
        jobs=None if table is None else table.size,
        fetched_unix_s=None if table is None else table.fetched_unix_s,
        next_unix_s=standing.next_unix_s,
        error=standing.error,
    )


def _feed(feed: FeedStatus) -> FeedAnswer:
    return FeedAnswer(
        provider=feed.provider,
        zones=feed.zones,
        is_forecast=feed.is_forecast,
        outcome=feed.outcome,
        error=feed.error,
        failures=feed.failures,
        next_unix_s=feed.next_unix_s,
    )
