"""Asks Prometheus, or what speaks its HTTP API: Thanos, Mimir, VictoriaMetrics.

Only plain functions of PromQL are used, and only instant and range queries. Every
request has a deadline for the whole of it, and every answer a greatest size, which
is counted while it comes in, a compressed one by what it becomes. Redirects are not
followed. Passwords and tokens are read from their files for each refresh, so that
they can be changed, and leave only in headers.
"""

import asyncio
import contextlib
import json
import ssl
import zlib
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

import httpx

from exporter.carbon.fetching import shut_logs
from exporter.carbon.secret import Secret
from exporter.core.errors import ConfigError
from exporter.hub.prometheus.answer import history_of, parse_result, values_of
from exporter.hub.prometheus.matching import Matcher, selector
from exporter.hub.prometheus.series import (
    History,
    StoreAwayError,
    StoreDeniedError,
    StoreError,
    StoreNonsenseError,
    StoreOverloadError,
    Values,
)
from exporter.hub.prometheus.settings import PrometheusSettings
from exporter.version import version

_CONNECT_S = 5.0
_LARGEST_SECRET = 16 * 1024
_LARGEST_ERROR = 64 * 1024

_DENIED = {401, 402, 403, 407}
_OVERLOAD = {413, 414, 422}
_NOT_THERE = range(300, 500)
_AWAY = {408, 425, 429}


class Prometheus:
    """A store of time series behind an HTTP API.

    Args:
        settings: how to reach it.
        client: what sends.
        runner: where it does so.
    """

    def __init__(
        self,
        settings: PrometheusSettings,
        client: httpx.AsyncClient,
        runner: asyncio.Runner,
    ) -> None:
        self._settings = settings
        self._runner = runner
        self._client = client
        self._host = httpx.URL(settings.url).host

    def last(
        self,
        metric: str,
        begin_s: int,
        end_s: int,
        instances: Sequence[str] | None = None,
    ) -> Values:
        """Return the last value of each series that has one in a window."""
        inner = self._window(metric, begin_s, end_s, instances)
        return self.values(f"last_over_time({inner})", end_s)

    def fallen(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series fell in a window, of those that did."""
        inner = self._window(metric, begin_s, end_s, None)
        return self.values(f"resets({inner}) > 0", end_s)

    def changed(self, metric: str, begin_s: int, end_s: int) -> Values:
        """Return how often each series changed in a window, of those that did."""
        inner = self._window(metric, begin_s, end_s, None)
        return self.values(f"changes({inner}) > 0", end_s)

    def samples(
        self, metric: str, begin_s: int, end_s: int, instances: Sequence[str] | None
    ) -> History:
        """Return all samples in a window."""
        query = self._window(metric, begin_s, end_s, instances)
        form = {"query": query, "time": str(end_s)}
        return history_of(parse_result(self._ask("query", form), "matrix"))

    def values(self, query: str, unix_s: float) -> Values:
        """Evaluate an expression at a moment.

        Raises:
            StoreError: there is no answer.
        """
        form = {"query": query, "time": str(unix_s)}
        return values_of(parse_result(self._ask("query", form), "vector"))

    def course(self, query: str, begin_s: int, end_s: int, step_s: int) -> History:
        """Evaluate an expression again and again, each ``step_s`` of a time.

        Raises:
            StoreError: there is no answer.
        """
        form = {
            "query": query,
            "start": str(begin_s),
            "end": str(end_s),
            "step": str(step_s),
        }
        return history_of(parse_result(self._ask("query_range", form), "matrix"))

    def _window(
        self, metric: str, begin_s: int, end_s: int, instances: Sequence[str] | None
    ) -> str:
        matchers = self._settings.matchers
        if instances is not None:
            matchers = (*matchers, Matcher("instance", "=", tuple(instances)))
        return f"{selector(metric, matchers)}[{end_s - begin_s}s]"

    def _ask(self, path: str, form: Mapping[str, str]) -> bytes:
        return self._runner.run(self._answer(path, form))

    async def _answer(self, path: str, form: Mapping[str, str]) -> bytes:
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s),
                self._client.stream(
                    "POST",
                    f"{self._settings.url.rstrip('/')}/api/v1/{path}",
                    data=form,
                    headers=self._secret_headers(),
                ) as response,
            ):
                if response.status_code != HTTPStatus.OK:
                    await self._refuse(response)
                kind = response.headers.get("content-type", "").lower()
                if kind.startswith("text/html"):
                    msg = f"{self._host} answered with a page for a browser"
                    raise StoreNonsenseError(msg)
                return await self._read(response, self._settings.largest_bytes)
        except (TimeoutError, httpx.TimeoutException):
            # Not "from error": it holds the request, with all of its headers.
            msg = f"{self._host} did not answer in time"
            raise StoreOverloadError(msg) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            msg = f"{self._host} cannot be reached: {type(error).__name__}"
            raise StoreAwayError(msg) from None

    async def _read(self, response: httpx.Response, largest: int) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in {"identity", "gzip"}:
            msg = f"{self._host} compresses in a way nobody asked for"
            raise StoreNonsenseError(msg)
        gzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        body = bytearray()
        async for raw in response.aiter_raw():
            try:
                body += raw if gzip is None else gzip.decompress(raw, largest + 1)
            except zlib.error:
                msg = f"{self._host} answered with broken gzip"
                raise StoreNonsenseError(msg) from None
            if len(body) > largest:
                msg = f"{self._host} answered with more than {largest} bytes"
                raise StoreOverloadError(msg)
        if gzip is not None and not gzip.eof:
            msg = f"{self._host} answered with half a gzip"
            raise StoreNonsenseError(msg)
        return bytes(body)

    async def _refuse(self, response: httpx.Response) -> NoReturn:
        status = response.status_code
        said = f"{self._host} answered {status}"
        if status in _DENIED:
            msg = f"{said}: it does not let us ask; look at its user, token or headers"
            raise StoreDeniedError(msg)
        if status in _OVERLOAD or await self._gave_up(response):
            msg = f"{said}: too much was asked at once"
            raise StoreOverloadError(msg)
        if status in _NOT_THERE and status not in _AWAY:
            msg = f"{said}: there is no Prometheus at this address; look at its url"
            raise StoreDeniedError(msg)
        raise StoreAwayError(said)

    async def _gave_up(self, response: httpx.Response) -> bool:
        """Whether an error is that of a query that took too long or too much."""
        try:
            error = json.loads(await self._read(response, _LARGEST_ERROR))
        except (StoreError, ValueError, RecursionError):
            return False
        kind = error.get("errorType") if isinstance(error, dict) else None
        return kind in {"timeout", "execution"}

    def _secret_headers(self) -> dict[str, str]:
        settings = self._settings
        headers = {
            name: _read_plain(path) for name, path in settings.header_files.items()
        }
        if settings.token_file is not None:
            token = _read_plain(settings.token_file)
            headers["Authorization"] = f"Bearer {token}"
        if settings.password_file is not None:
            password = read_secret(settings.password_file).reveal()
            auth = httpx.BasicAuth(settings.username, password)
            request = next(auth.auth_flow(httpx.Request("GET", settings.url)))
            headers["Authorization"] = request.headers["Authorization"]
        return headers


@contextlib.contextmanager
def open_prometheus(settings: PrometheusSettings) -> Iterator[Prometheus]:
    """Open the way to it.

    Proxies are taken from the environment, as other programs do.

    Raises:
        StoreDeniedError: a file of certificates, or a proxy, cannot be used.
    """
    shut_logs()
    client = _client(settings)
    # A loop for the sake of deadlines: only there one holds for all of a request.
    with asyncio.Runner() as runner:
        try:
            yield Prometheus(settings, client, runner)
        finally:
            runner.run(client.aclose())


def _client(settings: PrometheusSettings) -> httpx.AsyncClient:
    verify = trust(settings)
    try:
        return httpx.AsyncClient(
            timeout=httpx.Timeout(settings.timeout_s, connect=_CONNECT_S),
            headers={
                "User-Agent": f"jouled/{version()}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            verify=verify,
            follow_redirects=False,
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        # Not "from error": it may quote the proxy, and with it a password.
        msg = (
            "a proxy of the environment cannot be used: look at HTTP_PROXY, "
            "HTTPS_PROXY and ALL_PROXY; it has to be one of HTTP"
        )
        raise StoreDeniedError(msg) from None


def read_secret(path: Path) -> Secret:
    """Read a password, a token or the value of a header from its file.

    Raises:
        StoreDeniedError: it cannot be read, or holds none.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_SECRET).decode()
        return Secret(text)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise StoreDeniedError(msg) from error
    except (UnicodeDecodeError, ConfigError):
        # Not "from error": it may quote what is in there.
        msg = f"{path}: holds no password, token or header of one line"
        raise StoreDeniedError(msg) from None


def _read_plain(path: Path) -> str:
    """Read what goes into a header as it is; passwords are encoded there."""
    text = read_secret(path).reveal()
    if not text.isascii():
        msg = f"{path}: holds what no token or header may: it has to be plain ASCII"
        raise StoreDeniedError(msg)
    return text


def trust(settings: PrometheusSettings) -> ssl.SSLContext:
    """Return which authorities are trusted, and how we show who we are.

    Raises:
        StoreDeniedError: a file of certificates cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        msg = f"the certificates for {httpx.URL(settings.url).host} cannot be read: "
        raise StoreDeniedError(msg + str(error)) from error
    return context
