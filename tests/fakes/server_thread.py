"""A played HTTP server in a thread, for who asks it without a loop."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fakes.carbon_server import CarbonServer

_LONG_S = 30.0


@contextmanager
def server_in_thread(tls: ssl.SSLContext | None = None) -> Iterator[CarbonServer]:
    """Serve until the end of the context.

    Args:
        tls: what it shows of itself; ``None`` for plain HTTP.
    """
    found: list[tuple[CarbonServer, asyncio.AbstractEventLoop, asyncio.Event]] = []
    started = threading.Event()

    async def serve() -> None:
        async with CarbonServer(tls) as server:
            end = asyncio.Event()
            found.append((server, asyncio.get_running_loop(), end))
            started.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="server")
    thread.start()
    assert started.wait(_LONG_S)
    server, loop, end = found[0]
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(_LONG_S)
        assert not thread.is_alive()
