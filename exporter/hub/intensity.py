"""``/api/v1/intensity``, which every node asks for again and again.

It goes round the framework: one look at a table, one comparison of tags, one body
that was written when the value came.
"""

import json
from urllib.parse import parse_qs

from starlette.types import Scope, Send

from exporter.exposition.direct import (
    Headers,
    header_values,
    refuse_method,
    send_body,
)
from exporter.hub.desk import Desk

PATH = "/api/v1/intensity"

_JSON = (b"content-type", b"application/json")


async def send_intensity(desk: Desk, scope: Scope, send: Send) -> None:
    """Answer one request."""
    if scope["method"] not in {"GET", "HEAD"}:
        await refuse_method(send)
        return
    zone = parse_qs(scope["query_string"].decode("latin-1")).get("zone", [""])[-1]
    board = desk.site.boards.get(zone.upper())
    if board is None:
        code = 404 if zone else 400
        desk.requests[code] += 1
        await send_body(send, code, _no_such_zone(desk, code), [_JSON])
        return
    unix_s = desk.unix_s
    prepared, max_age_s = board.answer(unix_s)
    headers: Headers = [
        (b"etag", prepared.etag),
        (b"cache-control", b"max-age=%d" % max_age_s),
    ]
    if is_known(scope, prepared.etag):
        desk.requests[304] += 1
        await send_body(send, 304, b"", headers)
        return
    desk.requests[200] += 1
    await send_body(send, 200, prepared.body(unix_s), [_JSON, *headers])


def is_known(scope: Scope, etag: bytes) -> bool:
    """Whether the client has it already (RFC 9110, 13.1.2: the weak comparison)."""
    opaque = etag.removeprefix(b"W/")
    for value in header_values(scope, b"if-none-match"):
        for tag in value.split(b","):
            said = tag.strip()
            if said == b"*" or said.removeprefix(b"W/") == opaque:
                return True
    return False


def _no_such_zone(desk: Desk, code: int) -> bytes:
    zones = [board.zone for board in desk.site.boards.values()]
    detail = (
        "no such zone here; the file of the hub names them"
        if code == 404  # noqa: PLR2004 - not found
        else "which zone? ask for one, such as ?zone=DE"
    )
    return json.dumps({"detail": detail, "zones": zones}).encode()
