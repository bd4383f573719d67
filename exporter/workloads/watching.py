"""Notices within milliseconds what comes and goes in directories.

A tick is too coarse: a workload may be made and removed between two of them. So a
thread sleeps until the kernel tells of a change, and what happened is kept for the
next tick. It costs something only when something comes or goes.

Without inotify there is no thread, and whoever asks has to look for himself.
"""

import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from exporter.workloads.inotify import Event, Inotify

_log = logging.getLogger(__name__)

DirectoryT = TypeVar("DirectoryT")
PlaceT = TypeVar("PlaceT")

# More than a tick can bring; it is a tick that never comes which has to be bounded.
_MOST_CHANGES = 50_000
_PATIENCE_S = 1.0


class Change(NamedTuple, Generic[PlaceT]):
    """Something that happened; without a place: look at everything again."""

    place: PlaceT | None = None
    is_there: bool = False


class Watching(Generic[DirectoryT, PlaceT]):
    """Watches directories in a thread of its own, from the first one on.

    Args:
        what: what comes and goes there, for people.
        handle: is called by the thread for each event, with what ``follow`` was
            given for its directory; calls ``add``.
        open_inotify: opens an inotify instance; raises ``OSError`` if it cannot.
    """

    def __init__(
        self,
        what: str,
        handle: Callable[[DirectoryT, Event], None],
        open_inotify: Callable[[], Inotify] = Inotify,
    ) -> None:
        self._what = what
        self._handle = handle
        self._open_inotify = open_inotify
        self._changes: deque[Change[PlaceT]] = deque()
        self._lock = threading.Lock()
        self._directories: dict[int, DirectoryT] = {}
        self._inotify: Inotify | None = None
        self._thread: threading.Thread | None = None
        self._stop_fd = -1
        self._complained = False

    def start(self) -> bool:
        """Begin, unless it has; return whether the kernel lets us."""
        if self._inotify is not None:
            return True
        try:
            self._inotify = self._open_inotify()
        except OSError as error:
            self._complain(f"no inotify ({error})")
            return False
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(
            target=self._work,
            args=(self._inotify,),
            name=f"watch {self._what}",
            daemon=True,
        )
        self._thread.start()
        return True

    def follow(self, path: str, directory: DirectoryT) -> bool:
        """Watch one directory; ``False`` if that is refused. Any thread may ask."""
        if self._inotify is None:
            return False
        try:
            with self._lock:
                self._directories[self._inotify.watch(Path(path))] = directory
        except FileNotFoundError:
            return True
        except OSError as error:
            self._complain(f"cannot watch {path} ({error})")
            return False
        return True

    def add(self, change: Change[PlaceT]) -> None:
        """Keep a change for the next tick."""
        if len(self._changes) >= _MOST_CHANGES:
            self._changes.clear()
            change = Change()
        self._changes.append(change)

    def take(self) -> list[Change[PlaceT]]:
        """Return what happened since the last time, oldest first."""
        changes = self._changes
        return [changes.popleft() for _ in range(len(changes))]

    def close(self) -> None:
        """End the thread."""
        if self._inotify is None or self._thread is None:
            return
        os.eventfd_write(self._stop_fd, 1)
        self._thread.join(_PATIENCE_S)
        # One that hangs in a file system dies with the process.
        if not self._thread.is_alive():
            self._inotify.close()
            os.close(self._stop_fd)
        self._inotify = self._thread = None

    def _complain(self, what: str) -> None:
        if not self._complained:
            self._complained = True
            _log.warning(
                "%s: looking for %s each tick instead; raise "
                "fs.inotify.max_user_watches or max_user_instances",
                what,
                self._what,
            )

    # --- the thread -----------------------------------------------------------

    def _work(self, inotify: Inotify) -> None:
        poll = select.poll()
        poll.register(inotify.fileno(), select.POLLIN)
        poll.register(self._stop_fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if self._stop_fd in ready:
                return
            for event in inotify.read():
                self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        if event.is_loss:
            self.add(Change())
            return
        with self._lock:
            if event.watch not in self._directories:
                return
            if event.is_over:
                del self._directories[event.watch]
                return
            directory = self._directories[event.watch]
        self._handle(directory, event)
