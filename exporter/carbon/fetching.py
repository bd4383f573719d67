"""Asks the internet by httpx, under the rules of fetching.

Every request has a deadline for each of its steps and one for the whole; what
comes back is judged as fetch_rules.py says. A redirect is followed on the same host
only, so that no token is carried elsewhere.

Tokens travel in headers or in the query of a request, and an HTTP library shows
requests in its log and in its exceptions. So its log is shut off, and none of its
exceptions leaves this file: what is said of them is written here.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from exporter.carbon.answer import parse_json
from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.carbon.fetch_rules import REDIRECTS, USUAL_LIMITS, Judge, Limits
from exporter.carbon.provider import Call
from exporter.core.units import Seconds
from exporter.version import version

_MOST_REDIRECTS = 3
_MOST_MESSAGE = 200


@contextlib.asynccontextmanager
async def open_web(
    limits: Limits = USUAL_LIMITS, *, unix: Callable[[], float] = time.time
) -> AsyncIterator["HttpWeb"]:
    """Open the way to the providers.

    Proxies and authorities are taken from the environment (``HTTPS_PROXY``,
    ``NO_PROXY``, ``SSL_CERT_FILE``), as other programs do.

    Args:
        limits: of each request.
        unix: the wall clock, s.
    """
    shut_logs()
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
        limits: Limits = USUAL_LIMITS,
        *,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._limits = limits
        self._judge = Judge(limits, unix)

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
        headers = [(name, value.encode()) for name, value in call.headers.items()]
        condition = self._judge.condition(call)
        if condition:
            headers.append(("If-None-Match", condition.encode("latin-1")))
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
                if response.status_code not in REDIRECTS:
                    return await self._take(call, response)
                url = _target(call, url, response)
            finally:
                await response.aclose()
        msg = f"{call.host} redirects without end"
        raise NonsenseError(msg)

    async def _take(self, call: Call, response: httpx.Response) -> str:
        body = self._judge.judge(call, response.status_code, response.headers)
        if isinstance(body, str):
            return body
        async for chunk in response.aiter_raw():
            body.add(chunk)
        return self._judge.accept(call, response.headers, body)


def shut_logs() -> None:
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


def _what(error: httpx.TransportError) -> str:
    """Say what went wrong; what comes from this side may be quoted."""
    name = type(error).__name__
    if isinstance(error, httpx.ConnectError):
        return ascii(f"{name}: {error}"[:_MOST_MESSAGE])[1:-1]
    return name
