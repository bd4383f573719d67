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


class LocalServer:
    """Both sockets.

    Args:
        reader: where the last snapshot is.
        run_dir: where the sockets are; the caller holds its lock.
    """

    def __init__(self, reader: SnapshotReader, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._ends = JobEnds()
        self._app = create_socket_app(reader, self._ends)

    async def serve(self, stop: asyncio.Event) -> None:
        """Open the sockets, answer until told to stop, and remove them.

        Args:
            stop: set by the caller, in this loop.
        """
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            try:
                listener = stack.enter_context(
                    local_socket(self._run_dir / "jouled.sock", socket.SOCK_STREAM)
                )
                hooks = stack.enter_context(
                    local_socket(self._run_dir / "hooks.sock", socket.SOCK_DGRAM)
                )
            except OSError as error:
                _log.warning(
                    "no Unix sockets in %s: %s; hooks of Slurm cannot call",
                    self._run_dir,
                    error,
                )
                return
            inbox = JobEndInbox(hooks, self._ends)
            inbox.open(loop)
            stack.callback(inbox.close, loop)
            await WebServer(self._app, [listener]).serve(stop)
