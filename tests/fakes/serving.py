"""Runs a real web server in a thread, for tests to talk to."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from exporter.exposition.connection import Limits
from exporter.exposition.server import WebServer, bind
from exporter.exposition.web_config import WebConfig

_LONG_S = 30.0


@contextmanager
def serving(
    app: ASGIApp,
    web_config: WebConfig | None = None,
    limits: Limits | None = None,
) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, which is given; stop at the end."""
    sockets = bind("127.0.0.1:0")
    port: int = sockets[0].getsockname()[1]
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    started = threading.Event()

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        started.set()
        server = WebServer(app, sockets, web_config, limits or Limits())
        await server.serve(stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="web")
    thread.start()
    assert started.wait(_LONG_S)
    try:
        yield port
    finally:
        for loop, stop in loops:
            loop.call_soon_threadsafe(stop.set)
        thread.join(_LONG_S)
        assert not thread.is_alive()
