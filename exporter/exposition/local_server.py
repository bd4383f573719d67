"""The daemon's door for programs of this node: two Unix sockets.

``jouled.sock`` answers HTTP, ``hooks.sock`` takes what hooks have to say. The
daemon can do without: if they cannot be opened, that is said and all else goes on.
"""

import asyncio
import contextlib
import logging
import socket
from pathlib import Path

from exporter.core.snapshot import SnapshotReader
from exporter.exposition.job_ends import JobEndInbox, JobEnds
from exporter.exposition.local_socket import local_socket
from exporter.exposition.server import WebServer
from exporter.exposition.socket_api import create_socket_app

_log = logging.getLogger(__name__)

_POLL_S = 0.05


class LocalServer:
    """Both sockets.

    Args:
        reader: where the last snapshot is.
        run_dir: where the sockets are; the caller holds its lock.
    """

    def __init__(self, reader: SnapshotReader, run_dir: Path) -> None:
        self._reader = reader
        self._run_dir = run_dir
        self._ends = JobEnds()
        self._app = create_socket_app(reader, self._ends)

    async def serve(self, stop: asyncio.Event) -> None:
        """Open the sockets, answer until told to stop, and remove them.

        Args:
            stop: set by the caller, in this loop.
        """
        with contextlib.ExitStack() as stack:
            try:
                listener = stack.enter_context(
                    local_socket(self._run_dir / "jouled.sock", socket.SOCK_STREAM)
                )
            except OSError as error:
                self._complain(error)
                return
            await asyncio.gather(
                WebServer(self._app, [listener]).serve(stop), self._hear_hooks(stop)
            )

    async def _hear_hooks(self, stop: asyncio.Event) -> None:
        """Listen to hooks, once there has been a tick.

        Till then an Epilog that finds nobody listening does what a tick would do.
        """
        while self._reader.latest() is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _POLL_S)
            if stop.is_set():
                return
        loop = asyncio.get_running_loop()
        try:
            with local_socket(self._run_dir / "hooks.sock", socket.SOCK_DGRAM) as hooks:
                inbox = JobEndInbox(hooks, self._ends)
                inbox.open(loop)
                try:
                    await stop.wait()
                finally:
                    inbox.close(loop)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        _log.warning(
            "no Unix sockets in %s: %s; hooks of Slurm cannot call",
            self._run_dir,
            error,
        )
