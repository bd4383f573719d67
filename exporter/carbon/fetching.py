"""How providers are asked: the one place with the rules of fetching.

Every request has a deadline for each of its steps and one for the whole, and its
answer a greatest size, which is counted while it comes in: a compressed one by
what it becomes. Nothing but 200 is an answer, or what a provider declares to be
one. A redirect is followed on the same host only, so that no token is carried
elsewhere. An answer that came with an ETag is asked for again under condition.

Tokens travel in headers or in the query of a request, and an HTTP library shows
requests in its log and in its exceptions. So its log is shut off, and none of its
exceptions leaves this file: what is said of them is written here.
"""

import asyncio
import contextlib
import logging
import time
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NoReturn

import httpx

from exporter.carbon.answer import parse_json
from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
    NotCoveredError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.provider import Call
from exporter.core.units import Seconds
from exporter.version import version

_MOST_REDIRECTS = 3
_MOST_KEPT = 32
_MOST_KEPT_BYTES = 64 * 2**10
_MOST_MESSAGE = 200

_DENIED = {401, 402, 403, 407}
_NOT_COVERED = {400, 404, 405, 410, 422}
_THROTTLED = {429, 503}
_TRY_AGAIN = {408, 425}
_SERVER_ERRORS = range(500, 600)
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an answer may take, s, and how large it may be."""

    connect_s: float = 3.0
    read_s: float = 10.0
    total_s: float = 20.0
    body_bytes: int = 2**20


_USUAL_LIMITS = Limits()


@contextlib.asynccontextmanager
async def open_web(
    limits: Limits = _USUAL_LIMITS, *, unix: Callable[[], float] = time.time
) -> AsyncIterator["HttpWeb"]:
    """Open the way to the providers.

    Proxies and authorities are taken from the environment (``HTTPS_PROXY``,
    ``NO_PROXY``, ``SSL_CERT_FILE``), as other programs do.

    Args:
        limits: of each request.
        unix: the wall clock, s.
    """
    _shut_logs()
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s),
        headers={
            "User-Agent": f"jouled/{version()}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
        # Nobody who is asked for a number needs to recognise us.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
    ) as client:
        yield HttpWeb(client, limits, unix=unix)


class HttpWeb:
    """Asks over HTTP.

    Args:
        client: what sends; it follows no redirect by itself.
        limits: of each request.
        unix: the wall clock, s, to which ``Retry-After`` is compared.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        limits: Limits = _USUAL_LIMITS,
        *,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._limits = limits
        self._unix = unix
        self._kept: OrderedDict[tuple[object, ...], tuple[str, str]] = OrderedDict()

    async def json(self, call: Call) -> object:
        """Return a JSON answer.

        Raises:
            ProviderError: there is none; the class says what to do.
        """
        return parse_json(await self.text(call))

    async def text(self, call: Call) -> str:
        """Return an answer that is text.

        Raises:
            ProviderError: there is none; the class says what to do.
        """
        try:
            async with asyncio.timeout(self._limits.total_s):
                return await self._follow(call)
        except (TimeoutError, httpx.TimeoutException):
            msg = f"{call.host} did not answer in time"
            raise UnavailableError(msg) from None
        except httpx.TransportError as error:
            # Not "from error": it holds the request, and what the server sent.
            msg = f"{call.host} cannot be reached: {_what(error)}"
            raise UnavailableError(msg) from None
        except httpx.InvalidURL:
            msg = f"{call.host} is no address that can be asked"
            raise NonsenseError(msg) from None

    async def _follow(self, call: Call) -> str:
        key = (call.url, call.params, call.secrets)
        kept = self._kept.get(key)
        headers = [(name, value.encode()) for name, value in call.headers.items()]
        if kept is not None:
            headers.append(("If-None-Match", kept[0].encode("latin-1")))
        headers += [
            (name, secret.reveal().encode())
            for name, secret in call.secret_headers.items()
        ]
        query = [*call.params, *((n, s.reveal()) for n, s in call.secret_params)]
        url = httpx.URL(call.url, params=query) if query else httpx.URL(call.url)
        for _ in range(_MOST_REDIRECTS + 1):
            request = self._client.build_request(
                "GET", url, headers=[(name.encode(), value) for name, value in headers]
            )
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._take(call, key, response)
                url = _target(call, url, response)
            finally:
                await response.aclose()
        msg = f"{call.host} redirects without end"
        raise NonsenseError(msg)

    async def _take(
        self, call: Call, key: tuple[object, ...], response: httpx.Response
    ) -> str:
        status = response.status_code
        kept = self._kept.get(key)
        if status == HTTPStatus.NOT_MODIFIED and kept is not None:
            self._kept.move_to_end(key)
            return kept[1]
        if status not in call.accepted:
            self._refuse(call, response)
        if response.headers.get("content-type", "").lower().startswith("text/html"):
            msg = f"{call.host} answered with a page for a browser"
            raise NonsenseError(msg)
        body = await _read(call, response, self._limits.body_bytes)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            msg = f"{call.host} answered with something else than text"
            raise NonsenseError(msg) from None
        self._keep(key, response.headers.get("etag", ""), text)
        return text

    def _keep(self, key: tuple[object, ...], etag: str, text: str) -> None:
        self._kept.pop(key, None)
        if etag and len(etag) <= _MOST_MESSAGE and len(text) <= _MOST_KEPT_BYTES:
            self._kept[key] = (etag, text)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)

    def _refuse(self, call: Call, response: httpx.Response) -> NoReturn:
        status = response.status_code
        said = f"{call.host} answered {status}{_phrase(status)}"
        if status in _DENIED:
            what = "the token and what its plan covers" if call.secrets else "its terms"
            msg = f"{said}: it refuses to tell; look at {what}"
            raise CredentialsError(msg)
        if status in _THROTTLED:
            wait_s = _retry_after_s(
                response.headers.get("retry-after", ""), self._unix()
            )
            raise ThrottledError(said, wait_s)
        if status in _NOT_COVERED:
            msg = f"{said}: it does not know this zone, or not at this address"
            raise NotCoveredError(msg)
        if status in _TRY_AGAIN or status in _SERVER_ERRORS:
            raise UnavailableError(said)
        raise NonsenseError(said)


def _shut_logs() -> None:
    """Let the library say nothing, whatever the level of our own log is."""
    # One line a request with the whole address, tokens included.
    logging.getLogger("httpx").addFilter(_nothing)
    # Many lines a request, with all that a server sends back in its headers. It
    # writes by loggers below this one, which take their level from it.
    logging.getLogger("httpcore").setLevel(logging.WARNING)


def _nothing(_: logging.LogRecord) -> bool:
    return False


def _target(call: Call, url: httpx.URL, response: httpx.Response) -> httpx.URL:
    """Return where a redirect leads, if that is the same host."""
    target = url.join(response.headers.get("location", ""))
    same = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
    safer = (url.scheme, target.scheme, target.host, target.port) == (
        "http",
        "https",
        url.host,
        None,
    )
    if not (same or safer) or target.userinfo:
        msg = f"{call.host} redirects to another host"
        raise NonsenseError(msg)
    return target


async def _read(call: Call, response: httpx.Response, most: int) -> bytes:
    """Read a body, and stop as soon as it is too large."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        msg = f"{call.host} answered in an encoding nobody asked for"
        raise NonsenseError(msg)
    gzip = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += gzip.decompress(chunk, most + 1 - len(body)) if gzip else chunk
        except zlib.error:
            msg = f"{call.host} answered with broken gzip"
            raise NonsenseError(msg) from None
        if len(body) > most:
            msg = f"{call.host} answered with more than {most} bytes"
            raise NonsenseError(msg)
    if gzip is not None and not gzip.eof:
        msg = f"{call.host} answered with half a gzip"
        raise NonsenseError(msg)
    return bytes(body)


def _retry_after_s(written: str, unix_s: float) -> Seconds | None:
    """Read ``Retry-After``: seconds or a date; ``None`` if it is neither."""
    if written.isascii() and written.isdecimal():
        return Seconds(float(written[:12]))
    try:
        when = parsedate_to_datetime(written)
    except (ValueError, IndexError, OverflowError):
        return None
    # RFC 9110: such dates are in GMT, with or without saying so.
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return Seconds(max(0.0, when.timestamp() - unix_s))


def _phrase(status: int) -> str:
    """Return the name of a status, ours and not the server's; "" if unknown."""
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _what(error: httpx.TransportError) -> str:
    """Say what went wrong; what comes from this side may be quoted."""
    name = type(error).__name__
    if isinstance(error, httpx.ConnectError):
        return ascii(f"{name}: {error}"[:_MOST_MESSAGE])[1:-1]
    return name
