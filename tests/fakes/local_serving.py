"""Runs the real server of the Unix sockets in a thread, for tests to talk to."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.core.snapshot import SnapshotReader
from exporter.exposition.local_server import LocalServer

_LONG_S = 30.0
# After so many turns of the loop the sockets are open: they wait for nothing else.
_TURNS = 5


@contextmanager
def local_serving(reader: SnapshotReader, run_dir: Path) -> Iterator[threading.Thread]:
    """Serve in a directory; stop at the end.

    Yields:
        The thread, which ends early where the sockets cannot be opened.
    """
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    started = threading.Event()

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        serving = asyncio.ensure_future(LocalServer(reader, run_dir).serve(stop))
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        started.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="local")
    thread.start()
    assert started.wait(_LONG_S)
    try:
        yield thread
    finally:
        for loop, stop in loops:
            if not loop.is_closed():
                loop.call_soon_threadsafe(stop.set)
        thread.join(_LONG_S)
        assert not thread.is_alive()
