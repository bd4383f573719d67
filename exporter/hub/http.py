"""The hub's HTTP surface: intensity, metrics, health, the JSON API and the page.

What machines ask for all day goes round the framework: ``/metrics``, and above all
``/api/v1/intensity``, which every node of the site asks for.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from exporter.exposition.direct import answer_secured, send_scrape
from exporter.exposition.page import COMMON, page_routes
from exporter.hub.api import api_router, direct_router
from exporter.hub.desk import Desk
from exporter.hub.intensity import PATH, send_intensity
from exporter.hub.scrape import HubScrapes
from exporter.hub.slurm import asking

_WEB = Path(__file__).parent / "web"
_PAGE = (
    *(_WEB / name for name in ("index.html", "hub.css", "hub.js")),
    *sorted(_WEB.glob("hub-*.js")),
    *COMMON,
)


class HubApp(FastAPI):
    """The application, with a short way to what machines ask for."""

    desk: Desk
    scrapes: HubScrapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif scope["path"] == PATH:
            await send_intensity(self.desk, scope, send)
        elif scope["path"] == asking.PATH:
            await asking.send_slurm_jobs(self.desk, scope, send)
        elif scope["path"] == "/metrics":
            await send_scrape(self.scrapes, scope, send)
        else:
            await answer_secured(super().__call__, scope, receive, send)

    def openapi(self) -> dict[str, object]:
        """Describe the API, with the routes that requests go round."""
        if self.openapi_schema is None:
            self.openapi_schema = get_openapi(
                title=self.title,
                version=self.version,
                summary=self.summary,
                routes=[*direct_router(self.desk).routes, *self.routes],
            )
        return self.openapi_schema


def create_app(desk: Desk, *, version: str) -> HubApp:
    """Build the application.

    Args:
        desk: what there is to tell.
        version: version of the hub.
    """
    app = HubApp(
        title="jouled hub",
        version=version,
        summary="Carbon intensity for all nodes of a site",
        openapi_url="/openapi.json",
        # Their pages would load scripts from the internet.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.desk = desk
    app.scrapes = HubScrapes(desk, version)
    app.include_router(api_router(desk, version=version))
    app.router.routes.extend(page_routes(*_PAGE))
    _add_health(app, desk)
    return app


def _add_health(app: FastAPI, desk: Desk) -> None:
    async def healthz(_request: Request) -> Response:
        hangs_s = desk.hangs_s
        if hangs_s is not None:
            detail = (
                f"no provider was asked for {hangs_s:.0f} s although one is due; "
                "look at the log, restart"
            )
            return JSONResponse({"status": "stale", "detail": detail}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        if not desk.is_ready:
            detail = "the providers are being asked for the first time"
            return JSONResponse(
                {"status": "starting", "detail": detail}, status_code=503
            )
        return JSONResponse({"status": "ok"})

    app.add_route("/healthz", healthz, include_in_schema=False)
    app.add_route("/readyz", readyz, include_in_schema=False)
