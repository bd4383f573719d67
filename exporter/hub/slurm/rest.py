"""Asks slurmrestd, on its unix socket or over TCP with a token.

Source: Slurm's pages slurmrestd(8) and on its REST API. Without a token it answers
401, with one that is wrong or has expired 500 (seen with 22.05). ``/openapi/v3`` lists
the paths of all versions it speaks.

Every request has a deadline for all of it, and every answer a greatest size, which is
counted while it comes in. No message repeats what it said, nor the token.
"""

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import NoReturn

import httpx

from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
    NotCoveredError,
    UnavailableError,
)
from exporter.carbon.fetch_rules import Body
from exporter.carbon.fetching import shut_logs
from exporter.carbon.secret import read_secret
from exporter.core.errors import ConfigError
from exporter.hub.slurm.jobs import SlurmJob, parse_jobs
from exporter.hub.slurm.plan import SlurmPlan
from exporter.version import version

_CONNECT_S = 5.0
_JOBS = re.compile(r"/slurm/(v\d{1,3}\.\d{1,3}\.\d{1,3})/jobs/?", re.ASCII)
_DENIED = {401, 402, 403, 407}
_NOT_THERE = {400, 404, 405, 410}


class Rest:
    """A slurmrestd.

    Args:
        plan: how to ask it.
        client: what sends.
        runner: where it does so.
    """

    def __init__(
        self, plan: SlurmPlan, client: httpx.AsyncClient, runner: asyncio.Runner
    ) -> None:
        self._plan = plan
        self._client = client
        self._runner = runner
        self._host = httpx.URL(plan.url).host or "slurmrestd"
        self._newest = ""

    def jobs(self) -> tuple[SlurmJob, ...]:
        """Return the jobs of the cluster that hold nodes.

        Raises:
            ProviderError: there is no answer; the class says what to do.
        """
        chosen = self._plan.api_version or self._newest
        if not chosen:
            chosen = self._newest = self._find_version()
        try:
            return parse_jobs(self._ask(f"/slurm/{chosen}/jobs"))
        except NotCoveredError:
            # Another version of Slurm may run there by now.
            self._newest = ""
            raise

    def _find_version(self) -> str:
        try:
            paths = json.loads(self._ask("/openapi/v3"))["paths"]
            found = [match for path in paths if (match := _JOBS.fullmatch(path))]
        except (ValueError, KeyError, TypeError, RecursionError):
            msg = f"{self._host} does not describe what it offers; set api_version"
            raise NonsenseError(msg) from None
        if not found:
            msg = f"{self._host} does not offer /slurm/…/jobs; look at its plugins (-s)"
            raise NotCoveredError(msg)
        newest = max(found, key=lambda match: _sortable(match[1]))
        return newest[1]

    def _ask(self, path: str) -> str:
        return self._runner.run(self._answer(path))

    async def _answer(self, path: str) -> str:
        try:
            async with (
                asyncio.timeout(self._plan.timeout_s),
                self._client.stream(
                    "GET",
                    f"{self._plan.url or 'http://localhost'}{path}",
                    headers=self._secret_headers(),
                ) as response,
            ):
                if response.status_code != HTTPStatus.OK:
                    self._refuse(response.status_code)
                body = Body(
                    self._host,
                    response.headers.get("content-encoding", "identity"),
                    self._plan.largest_bytes,
                )
                async for chunk in response.aiter_raw():
                    body.add(chunk)
                # Names of jobs need not be UTF-8, and one must not hide all others.
                return body.text("replace")
        except (TimeoutError, httpx.TimeoutException):
            # Not "from error": it holds the request, with its token.
            msg = f"{self._host} did not answer in time"
            raise UnavailableError(msg) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            msg = f"{self._host} cannot be reached: {type(error).__name__}"
            raise UnavailableError(msg) from None

    def _refuse(self, status: int) -> NoReturn:
        said = f"{self._host} answered {status}"
        if status in _DENIED:
            msg = f"{said}: it does not let us ask; look at slurm.user and its token"
            raise CredentialsError(msg)
        if status in _NOT_THERE:
            msg = f"{said}: it has nothing there; look at slurm.url and api_version"
            raise NotCoveredError(msg)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR and self._plan.token_file:
            msg = f"{said}: slurmctld is away, or the token is wrong or has expired"
            raise UnavailableError(msg)
        raise UnavailableError(said)

    def _secret_headers(self) -> dict[str, str]:
        plan = self._plan
        if plan.token_file is None:
            return {}
        try:
            token = read_secret(plan.token_file, "slurm.token_file")
        except ConfigError as error:
            raise CredentialsError(str(error)) from None
        return {
            "X-SLURM-USER-NAME": plan.user,
            "X-SLURM-USER-TOKEN": token.reveal(),
        }


@contextlib.contextmanager
def open_rest(plan: SlurmPlan) -> Iterator[Rest]:
    """Open the way to it.

    Raises:
        CredentialsError: the file of authorities cannot be used.
    """
    shut_logs()
    socket = plan.socket
    transport = None if socket is None else httpx.AsyncHTTPTransport(uds=str(socket))
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(plan.timeout_s, connect=_CONNECT_S),
        headers={
            "User-Agent": f"jouled/{version()}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
        verify=_trust(plan),
        transport=transport,
        follow_redirects=False,
        # It is on the site, which a proxy of the environment leads out of.
        trust_env=False,
    )
    # A loop for the sake of deadlines: only there one holds for all of a request.
    with asyncio.Runner() as runner:
        try:
            yield Rest(plan, client, runner)
        finally:
            runner.run(client.aclose())


def _trust(plan: SlurmPlan) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=plan.ca_file)
    except OSError as error:
        msg = f"slurm.ca_file: cannot use {plan.ca_file}: {error.strerror}"
        raise CredentialsError(msg) from error


def _sortable(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.removeprefix("v").split("."))
