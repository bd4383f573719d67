"""Asks a server of the cluster over HTTPS, and reads answers that may never end.

``http.client`` in a thread of its own does: it is in memory anyway, and one request
is outstanding at a time. Every answer has to have ended at a moment, and every part of
it too, so that no server can hold the thread. Certificates are always verified. The
token is read from its file for each request, as Kubernetes replaces it every hour.
"""

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

from exporter.version import version
from exporter.workloads.kubernetes.errors import (
    ClusterError,
    ExpiredError,
    RefusedError,
)
from exporter.workloads.kubernetes.timed_socket import Patience, TimedSocket

CONNECT_S = 10.0
HEAD_S = 30.0

_GONE = 410
_CHUNK_BYTES = 64 * 1024
_MOST_TOKEN_CHARACTERS = 64 * 1024
# A connection whose other end has vanished is noticed after about a minute.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is, and how it and we are known to each other.

    Attributes:
        host: name or IP address.
        port: of HTTPS.
        ca_file: certificates that may have signed the server's.
        token_file: what we show.
    """

    host: str
    port: int
    ca_file: Path
    token_file: Path

    def __str__(self) -> str:
        """Return it as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


class ClusterServer:
    """One server; for one thread, but ``interrupt`` is for any.

    Args:
        address: where it is.
        connect_s: how long it may take until there is a connection, s.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self,
        address: ServerAddress,
        connect_s: float = CONNECT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._connect_s = connect_s
        self._monotonic = monotonic
        self._socket: socket.socket | None = None
        self._is_interrupted = False

    @contextlib.contextmanager
    def get(
        self, path: str, query: Mapping[str, str], part_s: float, total_s: float
    ) -> "Iterator[Answer]":
        """Ask for something.

        Args:
            path: what for.
            query: and in which way.
            part_s: how long a part of the answer may take, s: what there is to be
                read at a time, or a whole line.
            total_s: how long all of it may take, from the connection on, s.

        Raises:
            ClusterError: there is no answer; while it is read, too.
        """
        address = self.address
        target = f"{path}?{urlencode(query)}" if query else path
        connection = http.client.HTTPSConnection(
            address.host,
            address.port,
            timeout=self._connect_s,
            context=self._context(),
        )
        try:
            connection.connect()
            plug = cast("TimedSocket", connection.sock)
            self._socket = plug
            self._check_interrupted()
            for option in _KEEPALIVE:
                plug.setsockopt(*option)
            patience = Patience(total_s, HEAD_S, self._monotonic)
            patience.begin_part()
            plug.patience = patience
            connection.request("GET", target, headers=self._headers())
            response = connection.getresponse()
            self._judge(response)
            patience.part_s = part_s
            yield Answer(response, patience)
        except (OSError, http.client.HTTPException) as error:
            msg = f"{address}: {_say(error)}"
            raise ClusterError(msg) from error
        finally:
            self._socket = None
            connection.close()

    def interrupt(self) -> None:
        """End what is being read; nothing more is asked for."""
        self._is_interrupted = True
        plug = self._socket
        if plug is not None:
            with contextlib.suppress(OSError):
                # Not TLS's own goodbye, which is for the thread that reads.
                socket.socket.shutdown(plug, socket.SHUT_RDWR)

    def _check_interrupted(self) -> None:
        if self._is_interrupted:
            msg = "told to stop"
            raise ClusterError(msg)

    def _context(self) -> ssl.SSLContext:
        self._check_interrupted()
        ca_file = self.address.ca_file
        try:
            context = ssl.create_default_context(cafile=str(ca_file))
        except (OSError, ValueError) as error:
            msg = f"{self.address}: no certificates in {ca_file}: {_say(error)}"
            raise ClusterError(msg) from error
        context.sslsocket_class = TimedSocket
        return context

    def _headers(self) -> Mapping[str, str]:
        token_file = self.address.token_file
        try:
            token = token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "no token"
            msg = f"{self.address}: cannot read the token {token_file}: {what}"
            raise ClusterError(msg) from error
        if not token.isprintable() or len(token) > _MOST_TOKEN_CHARACTERS:
            msg = f"{self.address}: {token_file} holds no token"
            raise ClusterError(msg)
        return {
            "Accept": "application/json",
            "Authorization": f"Bearer {token}",
            "User-Agent": f"jouled/{version()}",
        }

    def _judge(self, response: http.client.HTTPResponse) -> None:
        status = response.status
        if status == http.client.OK:
            return
        said = f"{self.address}: {status} {http.client.responses.get(status, '')}"
        if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
            raise RefusedError(said)
        if status == _GONE:
            raise ExpiredError(said)
        raise ClusterError(said)


class Answer:
    """The body of an answer, of which no more is held than is asked for.

    Args:
        response: whose head was read.
        patience: how long the rest may take.
    """

    def __init__(self, response: http.client.HTTPResponse, patience: Patience) -> None:
        self._response = response
        self._patience = patience

    def expect_parts_within(self, part_s: float) -> None:
        """From the next part on, let each take so long, s."""
        self._patience.part_s = part_s

    def chunks(self) -> Iterator[bytes]:
        """Read all of it, in pieces.

        Raises:
            TimeoutError: it takes too long.
        """
        self._patience.begin_part()
        while chunk := self._response.read1(_CHUNK_BYTES):
            yield chunk
            self._patience.begin_part()

    def lines(self, most_bytes: int) -> Iterator[bytes]:
        """Read line by line; one that is too long is left out.

        Raises:
            TimeoutError: it takes too long.
        """
        is_rest = False
        self._patience.begin_part()
        while line := self._response.readline(most_bytes):
            is_whole = line.endswith(b"\n")
            if is_whole and not is_rest:
                yield line
            is_rest = not is_whole
            if is_whole:
                self._patience.begin_part()


def _say(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no whole answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"broken answer ({type(error).__name__})"
