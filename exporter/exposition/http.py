"""The node's HTTP surface: metrics, health, the JSON API and the page.

``/metrics`` is asked for all day by machines, so it goes round the framework (see
direct.py). Everything else is asked for by people and is a FastAPI application.
"""

import platform
import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from exporter.core.archive import JobArchive
from exporter.core.snapshot import SnapshotReader
from exporter.exposition.api import api_router
from exporter.exposition.direct import answer_secured, send_scrape
from exporter.exposition.metric import Level
from exporter.exposition.page import COMMON, WEB, page_routes
from exporter.exposition.scrape import Scrapes

_PAGE = (
    *(WEB / name for name in ("index.html", "node.css")),
    *(WEB / name for name in ("node.js", "node-power.js", "node-jobs.js")),
    *(WEB / name for name in ("node-parts.js", "node-recent.js")),
    *COMMON,
)

# A tick this old means that the sampler hangs, however slow it is set.
_STALE_S = 10.0
_STALE_INTERVALS = 5


class NodeApp(FastAPI):
    """The application, with a short way to ``/metrics``."""

    scrapes: Scrapes

    def set_level(self, level: Level) -> None:
        """Set how far ``/metrics`` goes from now on."""
        self.scrapes.set_level(level)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif scope["path"] == "/metrics":
            await send_scrape(self.scrapes, scope, send)
        else:
            await answer_secured(super().__call__, scope, receive, send)


def create_app(  # noqa: PLR0913 - settings of one surface, all by name
    reader: SnapshotReader,
    *,
    version: str,
    level: Level = "job",
    interval_s: float = 1.0,
    node: str | None = None,
    archive: JobArchive | None = None,
    info_labels: tuple[str, ...] = (),
    clock: Callable[[], float] = time.monotonic,
) -> NodeApp:
    """Build the application.

    Args:
        reader: where the last snapshot is.
        version: version of the daemon.
        level: how far ``/metrics`` goes: the node, its tenants, or every job.
        interval_s: sampling interval aimed at, s, > 0.
        node: name of the node; ``None``: the machine's own.
        archive: knows the jobs of the past; ``None`` if nobody does.
        info_labels: labels of ``job_info`` that this site adds.
        clock: CLOCK_MONOTONIC, the clock of ``Snapshot.time_s``, s.
    """
    app = NodeApp(
        title="jouled",
        version=version,
        summary="Energy and carbon of one node and of the jobs on it",
        openapi_url="/openapi.json",
        # Their pages would load scripts from the internet.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.scrapes = Scrapes(reader, level, version, info_labels)
    app.include_router(
        api_router(
            reader,
            archive,
            node=platform.node() if node is None else node,
            version=version,
            interval_s=interval_s,
            clock=clock,
        )
    )
    app.router.routes.extend(page_routes(*_PAGE))
    _add_health(app, reader, max(_STALE_S, _STALE_INTERVALS * interval_s), clock)
    return app


def _add_health(
    app: FastAPI, reader: SnapshotReader, stale_s: float, clock: Callable[[], float]
) -> None:
    started_s = clock()

    async def healthz(_request: Request) -> Response:
        snapshot = reader.latest()
        last_s = started_s if snapshot is None else snapshot.time_s
        age_s = clock() - last_s
        if age_s > stale_s:
            return JSONResponse(
                {
                    "status": "stale",
                    "detail": f"no tick for {age_s:.1f} s; more than {stale_s:.0f} s "
                    "means that the sampler hangs: look at the log, restart",
                },
                status_code=503,
            )
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        if reader.latest() is None:
            return JSONResponse(
                {"status": "starting", "detail": "no tick is done yet"}, status_code=503
            )
        return JSONResponse({"status": "ok"})

    app.add_route("/healthz", healthz, include_in_schema=False)
    app.add_route("/readyz", readyz, include_in_schema=False)
