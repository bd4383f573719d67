"""``/api/v1/slurm/jobs``, which the nodes of a cluster ask for twice a minute."""

import json
from urllib.parse import parse_qs

from starlette.types import Scope, Send

from exporter.exposition.direct import Headers, refuse_method, send_body
from exporter.hub.desk import Desk
from exporter.hub.intensity import is_known

PATH = "/api/v1/slurm/jobs"

_JSON = (b"content-type", b"application/json")
_LEAST_MAX_AGE_S = 5
_MOST_MAX_AGE_S = 300
# What slurmrestd takes to answer after it was asked.
_ANSWER_S = 2.0


async def send_slurm_jobs(desk: Desk, scope: Scope, send: Send) -> None:
    """Answer one request."""
    if scope["method"] not in {"GET", "HEAD"}:
        await refuse_method(send)
        return
    standing = desk.slurm
    if standing is None:
        detail = "this hub asks no slurmrestd; its file says nothing of slurm"
        await _refuse(send, 404, detail)
        return
    node = parse_qs(scope["query_string"].decode("latin-1")).get("node", [""])[-1]
    if not node:
        await _refuse(send, 400, "which node? ask for one, such as ?node=n01")
        return
    if standing.table is None:
        detail = "slurmrestd has not told any jobs yet"
        await _refuse(send, 503, detail, (b"retry-after", b"30"))
        return
    prepared = standing.table.answer(node)
    fresh_for_s = int(standing.next_unix_s + _ANSWER_S - desk.unix_s)
    max_age_s = max(_LEAST_MAX_AGE_S, min(_MOST_MAX_AGE_S, fresh_for_s))
    headers: Headers = [
        (b"etag", prepared.etag),
        (b"cache-control", b"max-age=%d" % max_age_s),
    ]
    if is_known(scope, prepared.etag):
        await send_body(send, 304, b"", headers)
        return
    await send_body(send, 200, prepared.body, [_JSON, *headers])


async def _refuse(
    send: Send, code: int, detail: str, *headers: tuple[bytes, bytes]
) -> None:
    body = json.dumps({"detail": detail}).encode()
    await send_body(send, code, body, [_JSON, *headers])
