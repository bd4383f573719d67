"""Serves the application over HTTP or HTTPS, asleep while nobody asks.

Of uvicorn, only the connection and its settings are used. Its ``Server`` wakes
ten times a second to look whether it should stop, which costs more than the
whole sampler; and it takes the signals, which are the daemon's. Here an idle
server waits in one ``epoll_wait`` without a time-out.

Connections are accepted one by one, rather than by asyncio's server, so that
each gets the certificates that are on disk when it comes, and so that what is
still shaking hands can be ended too.
"""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from exporter.core.errors import ConfigError
from exporter.exposition.connection import Connection, Limits

if TYPE_CHECKING:
    from exporter.exposition.auth import WebGuard
    from exporter.exposition.web_config import WebConfig

_log = logging.getLogger(__name__)

# Whoever comes to a full queue comes again after seconds; it costs nothing.
_BACKLOG = 1024
_HIGHEST_PORT = 65535
_PAUSE_S = 1.0
_USUAL_LIMITS = Limits()

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def bind(listen_address: str) -> list[socket.socket]:
    """Open the sockets to listen on.

    Args:
        listen_address: "host:port" as Prometheus' exporters take it:
            "0.0.0.0:9878", "[::1]:9878", or ":9878" for every address of the
            machine. Port 0 takes any free one.

    Returns:
        One listening socket per address the host has.

    Raises:
        ConfigError: it is no such address.
        OSError: the address is taken, or is none of this machine's.
    """
    host, port = _split(listen_address)
    try:
        if not host:
            return [_listen_everywhere(port)]
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return listen_on(
            (family, (str(address[0]), port)) for family, _, _, _, address in found
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there; stop it or take another port"
        else:
            reason = error.strerror or str(error)
        raise OSError(error.errno, reason) from error


def listen_on(addresses: Iterable[tuple[int, tuple[str, int]]]) -> list[socket.socket]:
    """Open a socket for each address that a name stands for.

    Many nodes switch IPv6 off and still have ``::1 localhost`` in /etc/hosts: an
    address of IPv6 that is none of this machine's is left out if another works.

    Args:
        addresses: family, and numeric host with port; not empty.

    Returns:
        One listening socket for each; at least one.

    Raises:
        OSError: an address is taken, or none is this machine's.
    """
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in dict.fromkeys(addresses):
            try:
                sockets.append(_listen(family, address))
            except OSError as error:
                if family != socket.AF_INET6 or error.errno not in _NO_IPV6:
                    raise
                absent = error
        if absent is not None and not sockets:
            raise absent
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    return sockets


class WebServer:
    """An application on sockets.

    Args:
        app: what answers.
        sockets: listening sockets; closed when it stops.
        web_config: users, headers and certificates; ``None`` for plain HTTP.
        limits: what it gives to its clients.
    """

    def __init__(
        self,
        app: ASGIApp,
        sockets: list[socket.socket],
        web_config: "WebConfig | None" = None,
        limits: Limits = _USUAL_LIMITS,
    ) -> None:
        self._limits = limits
        self._sockets = sockets
        self._web_config = web_config
        self._guard = None if web_config is None else _guarded(app, web_config)
        self._config = uvicorn.Config(
            app if self._guard is None else self._guard,
            http=HttpToolsProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            # Anybody can send nonsense: not a line each.
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=limits.served,
            timeout_keep_alive=limits.keep_alive_s,
        )
        self._state = ServerState()
        self._handshakes: dict[asyncio.Task[None], socket.socket] = {}
        self._nobody = asyncio.Event()

    async def serve(self, stop: asyncio.Event) -> None:
        """Answer until told to stop; takes at most a second to end.

        Args:
            stop: set by the caller, in this loop.
        """
        if not self._config.loaded:
            self._config.load()
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            listener.setblocking(False)  # noqa: FBT003 - its only argument
            # Inherited by each client. Head and body of an answer are two writes,
            # and the second must not wait for the first to be acknowledged.
            if listener.family != socket.AF_UNIX:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            loop.add_reader(listener, self._accept, loop, listener)
        try:
            await stop.wait()
        finally:
            for listener in self._sockets:
                loop.remove_reader(listener)
                listener.close()
            await self._end_connections()
            if self._guard is not None:
                self._guard.close()

    def _accept(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                _log.error(
                    "cannot accept connections for now", extra={"error": str(error)}
                )
                # The client stays in the queue, and would wake us at once again.
                loop.remove_reader(listener)
                loop.call_later(_PAUSE_S, self._accept_again, loop, listener)
            return
        held = len(self._state.connections) + len(self._handshakes)
        if held >= self._limits.connections:
            client.close()
            return
        task = loop.create_task(self._connect(loop, client))
        self._handshakes[task] = client
        task.add_done_callback(self._on_connected)

    def _accept_again(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket
    ) -> None:
        if listener.fileno() >= 0:
            loop.add_reader(listener, self._accept, loop, listener)

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, client: socket.socket
    ) -> None:
        tls = None if self._web_config is None else self._web_config.tls
        # Scans and impatient clients are no news.
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(
                lambda: Connection(
                    self._config, self._state, self._limits, tls, self._on_lost
                ),
                client,
                ssl=None if tls is None else tls.current(),
                ssl_handshake_timeout=None if tls is None else self._limits.handshake_s,
                ssl_shutdown_timeout=None if tls is None else self._limits.goodbye_s,
            )

    def _on_connected(self, task: asyncio.Task[None]) -> None:
        client = self._handshakes.pop(task)
        if task.cancelled():
            # It may have been ended before it began.
            client.close()

    def _on_lost(self) -> None:
        if not self._state.connections:
            self._nobody.set()

    async def _end_connections(self) -> None:
        await _end(list(self._handshakes))
        for connection in list(self._state.connections):
            connection.shutdown()
        await self._wait_for_nobody()
        for connection in list(self._state.connections):
            connection.transport.abort()
        await _end(list(self._state.tasks))
        await self._wait_for_nobody()
        # One more round of the loop, for transports to close their sockets.
        await asyncio.sleep(0)

    async def _wait_for_nobody(self) -> None:
        self._nobody.clear()
        if self._state.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nobody.wait(), self._limits.grace_s)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _guarded(app: ASGIApp, web_config: "WebConfig") -> "WebGuard":
    # Most daemons serve plain HTTP, and bcrypt is not small.
    from exporter.exposition.auth import WebGuard  # noqa: PLC0415 - see above

    return WebGuard(app, web_config)


def _split(listen_address: str) -> tuple[str, int]:
    host, colon, port_text = listen_address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    valid = colon and port_text.isascii() and port_text.isdecimal()
    if not valid or (":" in host and not bracketed) or int(port_text) > _HIGHEST_PORT:
        msg = (
            f"{listen_address!r} is no address to listen on; write :9878, "
            "127.0.0.1:9878 or [::1]:9878"
        )
        raise ConfigError(msg)
    return host[1:-1] if bracketed else host, int(port_text)


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                ("", port),
                family=socket.AF_INET6,
                backlog=_BACKLOG,
                dualstack_ipv6=True,
            )
        except OSError as error:
            # Compiled in, but switched off on this machine.
            if error.errno not in _NO_IPV6:
                raise
    return _listen(socket.AF_INET, ("", port))


def _listen(family: int, address: tuple[str, int]) -> socket.socket:
    return socket.create_server(address, family=family, backlog=_BACKLOG)
