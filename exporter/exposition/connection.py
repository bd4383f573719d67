"""uvicorn's HTTP/1.1 connection, with an end to everything.

uvicorn waits for ever for the rest of a request and for a client that does not
read its answer, and each such client costs memory and one place of few. Here the
first exchange has to be done soon after the client came, and each further one
soon after the keep-alive time. Nor does it end a request whose head or trailer never
ends, or a client that asks on and on without waiting for an answer.

Requests are parsed by httptools, which is Node.js' parser: a scrape of a daemon that
slept meanwhile costs a tenth less than with h11 (decision 0028).
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
)
from uvicorn.server import ServerState

from exporter.exposition.local_socket import user_of_peer

if TYPE_CHECKING:
    # Most daemons serve plain HTTP, and what reads the file is not small.
    from exporter.exposition.web_config import TlsContext

# The parser would also take 0.9, which has no head, and 2.0, which is none of ours.
_VERSIONS = ("1.1", "1.0")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server gives to all clients together, and to each.

    Attributes:
        served: with more connections than this, answers are 503.
        connections: beyond this, a client is closed without an answer.
        head_bytes: longest head of a request, and longest trailer.
        waiting: requests of one client that may wait for the answer before.
        handshake_s: time for a TLS handshake, s.
        exchange_s: time for one request and the reading of its answer, s.
        keep_alive_s: time between requests, s; longer than the usual scrape
            intervals, because a handshake costs more than a scrape.
        goodbye_s: time for a client to agree to the end of TLS, s.
        grace_s: time for what is under way when the server stops, s.
    """

    served: int = 128
    connections: int = 256
    head_bytes: int = 16 * 1024
    waiting: int = 8
    handshake_s: float = 10.0
    exchange_s: float = 10.0
    keep_alive_s: int = 120
    goodbye_s: float = 2.0
    grace_s: float = 0.4


class Connection(HttpToolsProtocol):
    """One client, from connect to close.

    Args:
        config: uvicorn's settings.
        state: all connections and requests of the server.
        limits: how long things may take.
        tls: what clients are checked against; ``None`` for plain HTTP.
        on_lost: called when this one is gone.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        limits: Limits,
        tls: "TlsContext | None",
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(config, state, app_state={})
        self._limits = limits
        self._tls = tls
        self._on_lost = on_lost
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_head = False
        self._head_bytes = 0
        self._piece_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with a client, unless its certificate is of the wrong name."""
        connected = cast("asyncio.Transport", transport)
        peer: socket.socket = connected.get_extra_info("socket")
        if peer.family == socket.AF_UNIX:
            # It is part of each request's scope, as scope["state"].
            self.app_state = {"peer_uid": user_of_peer(peer)}
        super().connection_made(connected)
        self._set_deadline(self._limits.exchange_s)
        if self._tls is not None and not self._tls.allows(
            connected.get_extra_info("peercert")
        ):
            connected.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Go on reading a request, unless its head or trailer is too long."""
        self._piece_bytes = len(data)
        super().data_received(data)
        if not self._is_in_head or self.transport.is_closing():
            return
        # Of the piece in which a head begins, what came before it is counted too.
        self._head_bytes += len(data)
        if self._head_bytes > self._limits.head_bytes:
            self._is_in_head = False
            self.send_400_response("The head or trailer of the request is too long.")

    def on_message_begin(self) -> None:
        """Begin with the head of a request."""
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Answer what is asked by this head."""
        self._is_in_head = False
        # The parser turns what is raised here into a refusal.
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            msg = "not HTTP/1.1, nor HTTP/1.0"
            raise ValueError(msg)
        hosts = sum([name == b"host" for name, _ in self.headers])
        if hosts != 1 and (hosts or version == "1.1"):
            # RFC 9112, 3.2.
            msg = "a request names one host"
            raise ValueError(msg)
        if len(self.pipeline) >= self._limits.waiting:
            msg = "too many requests wait for their answers"
            raise ValueError(msg)
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # Where what follows begins is lost: uvicorn drops what came with the offer.
            self.cycle.keep_alive = False

    def on_chunk_header(self) -> None:
        """Begin with a piece of the body, or with the trailer behind the last one."""
        # A trailer is no part of the head (RFC 9110, 6.5.1), and nobody asks for it.
        self.headers = []
        self._is_in_head = True
        # What came before it may be a long body.
        self._head_bytes = -self._piece_bytes

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._is_in_head = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request, which may have had a trailer."""
        self._is_in_head = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on to the next request of the same client."""
        # An answer is complete when it is handed to the kernel's and our own
        # buffers; the deadline also ends a client that never reads it.
        closing = self.transport.is_closing()
        waiting_s = 0 if closing else self._limits.keep_alive_s
        self._set_deadline(waiting_s + self._limits.exchange_s)
        super().on_response_complete()

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
