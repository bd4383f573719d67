"""The node's HTTP surface: metrics, health, the JSON API and the page.

``/metrics`` is asked for all day by machines, so it goes round the framework:
no routing, no middleware, one ready-made body. Everything else is asked for by
people and is a FastAPI application.
"""

import platform
import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from exporter.core.archive import JobArchive
from exporter.core.snapshot import SnapshotReader
from exporter.exposition.api import api_router
from exporter.exposition.metric import Level
from exporter.exposition.negotiation import accepts_gzip, choose_format
from exporter.exposition.page import page_routes
from exporter.exposition.render import CONTENT_TYPES
from exporter.exposition.scrape import Scrapes

Headers = list[tuple[bytes, bytes]]

# The page needs its own files and its own API, and nothing else in the world.
_CONTENT_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS: Headers = [
    (b"content-security-policy", _CONTENT_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]

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
            await _send_scrape(self.scrapes, scope, send)
        else:

            async def send_secured(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *_SECURITY_HEADERS]
                await send(message)

            await super().__call__(scope, receive, send_secured)


def create_app(  # noqa: PLR0913 - settings of one surface, all by name
    reader: SnapshotReader,
    *,
    version: str,
    level: Level = "job",
    interval_s: float = 1.0,
    node: str | None = None,
    archive: JobArchive | None = None,
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
    app.scrapes = Scrapes(reader, level, version)
    app.include_router(
        api_router(
            reader,
            archive,
            node=platform.node() if node is None else node,
            version=version,
            interval_s=interval_s,
        )
    )
    app.router.routes.extend(page_routes())
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


async def _send_scrape(scrapes: Scrapes, scope: Scope, send: Send) -> None:
    method = scope["method"]
    if method not in {"GET", "HEAD"}:
        await _send(send, 405, b"use GET\n", [(b"allow", b"GET, HEAD")])
        return
    accept = b", ".join(_values(scope, b"accept"))
    encoding = b", ".join(_values(scope, b"accept-encoding"))
    form = choose_format(accept.decode("latin-1"))
    gzip = accepts_gzip(encoding.decode("latin-1"))
    body = scrapes.body(form, gzip=gzip)
    if body is None:
        await _send(send, 503, b"no tick is done yet\n", [(b"retry-after", b"1")])
        return
    headers: Headers = [
        (b"content-type", CONTENT_TYPES[form].encode("ascii")),
        (b"vary", b"accept, accept-encoding"),
    ]
    if gzip:
        headers.append((b"content-encoding", b"gzip"))
    await _send(send, 200, body, headers)


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


async def _send(send: Send, code: int, body: bytes, headers: Headers) -> None:
    if code != 200:  # noqa: PLR2004 - OK
        headers = [(b"content-type", b"text/plain; charset=utf-8"), *headers]
    await send(
        {
            "type": "http.response.start",
            "status": code,
            "headers": [
                *headers,
                (b"content-length", b"%d" % len(body)),
                (b"x-content-type-options", b"nosniff"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
