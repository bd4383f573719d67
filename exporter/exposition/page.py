"""A page for a person: a few files of this package, no build, no network."""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.exposition.negotiation import accepts_gzip

WEB = Path(__file__).parent / "web"
"""The files of the node's page, and those that every page has."""

COMMON = tuple(
    WEB / name
    for name in (
        *("base.css", "parts.css", "charts.css", "theme.js"),
        *("words.js", "page.js", "table.js", "charts.js", "forecast.js", "feed.js"),
    )
)
"""What every page is made with."""

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class _File:
    """One file, packed once, with a tag that changes when it does."""

    packed: bytes
    content_type: str
    etag: str

    def answer(self, request: Request) -> Response:
        headers = {
            "cache-control": "no-cache",
            "etag": self.etag,
            "vary": "accept-encoding",
        }
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        body = self.packed
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers["content-encoding"] = "gzip"
        else:
            body = zlib.decompress(body, zlib.MAX_WBITS | 16)
        return Response(body, headers=headers, media_type=self.content_type)


def page_routes(*files: Path) -> list[Route]:
    """Build the routes of a page's files; they answer GET and HEAD.

    Args:
        files: each is found under its name, ``index.html`` at the top.
    """
    return [_route(file) for file in files]


def _route(path: Path) -> Route:
    body = path.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    file = _File(
        packed=packer.compress(body) + packer.flush(),
        content_type=_CONTENT_TYPES[path.suffix],
        etag=f'"{hashlib.sha256(body).hexdigest()[:16]}"',
    )

    async def endpoint(request: Request) -> Response:
        return file.answer(request)

    place = "/" if path.name == "index.html" else f"/{path.name}"
    return Route(place, endpoint, methods=["GET"], include_in_schema=False)
