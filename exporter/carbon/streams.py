"""Asks a hub by what costs a node little memory: asyncio, ssl and h11.

httpx would take 7 MiB of every node, see docs/decisions/0014. The rules are those of
fetching.py, with two exceptions: a redirect is not followed, because whoever runs the
hub can write its address down; and proxies of the environment are not used, because
a hub is on the site.

Each request has a connection of its own. Ten thousand nodes ask the same hub, and
their connections would fill its places between two requests.
"""

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote, urlencode, urlsplit

import h11

from exporter.carbon.answer import parse_json
from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.carbon.fetch_rules import REDIRECTS, Judge, Limits
from exporter.carbon.provider import Call
from exporter.core.units import Seconds
from exporter.version import version

HUB_LIMITS = Limits(connect_s=2.0, read_s=3.0, total_s=5.0)

_HEAD_BYTES = 16 * 2**10
_CHUNK_BYTES = 64 * 2**10
_MOST_MESSAGE = 200
_NEXT_ADDRESS_S = 0.25


@contextlib.asynccontextmanager
async def open_streams(
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    limits: Limits = HUB_LIMITS,
    *,
    unix: Callable[[], float] = time.time,
) -> AsyncIterator["StreamWeb"]:
    """Open the way to a hub; there is nothing to close.

    Args:
        tls: gives the context of a new connection to an https address.
        limits: of each request.
        unix: the wall clock, s, to which ``Retry-After`` is compared.
    """
    yield StreamWeb(tls, limits, unix=unix)


class StreamWeb:
    """Asks over HTTP/1.1, see ``open_streams``."""

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        limits: Limits = HUB_LIMITS,
        *,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._tls = tls
        self._limits = limits
        self._judge = Judge(limits, unix)
        self._agent = f"jouled/{version()}"

    def max_age_s(self, call: Call) -> Seconds | None:
        """Return how long the last answer was said to be good for, s."""
        return self._judge.max_age_s(call)

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
                return await self._exchange(call)
        except TimeoutError:
            msg = f"{call.host} did not answer in time"
            raise UnavailableError(msg) from None
        except h11.RemoteProtocolError:
            # Not its text, nor "from error": they quote what the server sent.
            msg = f"{call.host} cannot be reached: its answer is broken or cut off"
            raise UnavailableError(msg) from None
        except OSError as error:
            msg = f"{call.host} cannot be reached: {_what(error)}"
            raise UnavailableError(msg) from None
        except UnicodeError:
            # A name that DNS has no way to write.
            msg = f"{call.host} is no address that can be asked"
            raise NonsenseError(msg) from None

    async def _exchange(self, call: Call) -> str:
        reader, writer = await self._connect(call)
        try:
            http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
            request = http.send(self._request(call))
            end = http.send(h11.EndOfMessage())
            writer.write((request or b"") + (end or b""))
            return await self._take(call, http, reader)
        finally:
            # Without a farewell: a server that hangs would not agree to one.
            writer.transport.abort()

    async def _connect(
        self, call: Call
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(call.url)
        tls = self._tls() if parts.scheme == "https" else None
        async with asyncio.timeout(self._limits.connect_s):
            return await asyncio.open_connection(
                parts.hostname,
                parts.port or (80 if tls is None else 443),
                ssl=tls,
                limit=_CHUNK_BYTES,
                happy_eyeballs_delay=_NEXT_ADDRESS_S,
            )

    def _request(self, call: Call) -> h11.Request:
        parts = urlsplit(call.url)
        headers = [
            ("Host", parts.netloc),
            ("User-Agent", self._agent),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *call.headers.items(),
        ]
        condition = self._judge.condition(call)
        if condition:
            headers.append(("If-None-Match", condition))
        headers += [(name, one.reveal()) for name, one in call.secret_headers.items()]
        query = [*call.params, *((n, one.reveal()) for n, one in call.secret_params)]
        target = parts.path or "/"
        if query:
            target += f"?{urlencode(query, quote_via=quote)}"
        return h11.Request(
            method="GET",
            target=target,
            headers=[
                (name.encode(), value.encode("latin-1")) for name, value in headers
            ],
        )

    async def _take(
        self, call: Call, http: h11.Connection, reader: asyncio.StreamReader
    ) -> str:
        event = await self._next(http, reader)
        while isinstance(event, h11.InformationalResponse):
            event = await self._next(http, reader)
        if not isinstance(event, h11.Response):
            msg = f"{call.host} cannot be reached: it hung up"
            raise UnavailableError(msg)
        if event.status_code in REDIRECTS:
            msg = f"{call.host} redirects elsewhere; write down where it leads to"
            raise NonsenseError(msg)
        headers: dict[str, str] = {}
        for name, value in event.headers:
            key, text = name.decode("ascii"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        body = self._judge.judge(call, event.status_code, headers)
        if isinstance(body, str):
            return body
        while isinstance(part := await self._next(http, reader), h11.Data):
            body.add(bytes(part.data))
        return self._judge.accept(call, headers, body)

    async def _next(
        self, http: h11.Connection, reader: asyncio.StreamReader
    ) -> h11.Event | None:
        """Return what comes next; ``None`` if nothing more does."""
        while True:
            event = http.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return None
            async with asyncio.timeout(self._limits.read_s):
                http.receive_data(await reader.read(_CHUNK_BYTES))


def _what(error: OSError) -> str:
    """Say what went wrong in words of this side: the system's, or OpenSSL's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    # Of several addresses, or from the resolver, whose numbers are below 0.
    text = error.strerror or str(error) or type(error).__name__
    return ascii(text[:_MOST_MESSAGE])[1:-1]
