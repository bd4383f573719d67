"""Answers that go round the framework, for what machines ask for all day.

No routing, no middleware, one ready-made body.
"""

from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.exposition.negotiation import accepts_gzip, choose_format
from exporter.exposition.render import CONTENT_TYPES, Format

Headers = list[tuple[bytes, bytes]]

_OK = 200
_NOT_MODIFIED = 304

# A page needs its own files and its own API, and nothing else in the world.
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


class ScrapeBodies(Protocol):
    """Has the body of a scrape."""

    def body(self, form: Format, *, gzip: bool) -> bytes | None:
        """Return it, UTF-8; ``None`` as long as there is nothing to tell."""


async def answer_secured(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let an application answer, with headers that keep a browser on a short lead."""

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_SECURITY_HEADERS]
        await send(message)

    await app(scope, receive, send_secured)


async def send_scrape(scrapes: ScrapeBodies, scope: Scope, send: Send) -> None:
    """Answer a scrape in the format and encoding that the client wants."""
    if scope["method"] not in {"GET", "HEAD"}:
        await refuse_method(send)
        return
    accept = b", ".join(header_values(scope, b"accept"))
    encoding = b", ".join(header_values(scope, b"accept-encoding"))
    form = choose_format(accept.decode("latin-1"))
    gzip = accepts_gzip(encoding.decode("latin-1"))
    body = scrapes.body(form, gzip=gzip)
    if body is None:
        await send_body(send, 503, b"no tick is done yet\n", [(b"retry-after", b"1")])
        return
    headers: Headers = [
        (b"content-type", CONTENT_TYPES[form].encode("ascii")),
        (b"vary", b"accept, accept-encoding"),
    ]
    if gzip:
        headers.append((b"content-encoding", b"gzip"))
    await send_body(send, _OK, body, headers)


async def refuse_method(send: Send) -> None:
    """Answer that only GET and HEAD are understood."""
    await send_body(send, 405, b"use GET\n", [(b"allow", b"GET, HEAD")])


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Return every value of a header, whose name is in lower case."""
    return [value for key, value in scope["headers"] if key == name]


async def send_body(send: Send, code: int, body: bytes, headers: Headers) -> None:
    """Send a whole answer.

    Args:
        send: of the request.
        code: the status; a body of another one than 200 is plain text, unless the
            headers name its type.
        body: all of it; a server leaves it out where the method is HEAD.
        headers: beside its length.
    """
    sent = [*headers, (b"x-content-type-options", b"nosniff")]
    if code != _NOT_MODIFIED:
        sent.append((b"content-length", b"%d" % len(body)))
    if code != _OK and body and not any(name == b"content-type" for name, _ in sent):
        sent.append((b"content-type", b"text/plain; charset=utf-8"))
    await send({"type": "http.response.start", "status": code, "headers": sent})
    await send({"type": "http.response.body", "body": body})
