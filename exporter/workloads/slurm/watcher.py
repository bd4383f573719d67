"""Notices within milliseconds which jobs come and go.

A tick is too coarse: a user's only job may be made and removed, with the cgroup
of the user around it, between two of them. So a thread sleeps until the kernel
tells of a change, looks at new directories at once, and keeps what happened for
the next tick. It costs something only when a job begins or ends.

Without inotify there is no thread, and whoever asks has to look for himself.
"""

import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from exporter.workloads.inotify import Event, Inotify
from exporter.workloads.slurm.drops import DropDirectory
from exporter.workloads.slurm.tree import Holder, JobPlace

_log = logging.getLogger(__name__)

# More than a tick can bring; it is a tick that never comes which has to be bounded.
_MOST_CHANGES = 50_000
_PATIENCE_S = 1.0


class Change(NamedTuple):
    """Something that happened; without a place: look at everything again."""

    place: JobPlace | None = None
    is_there: bool = False


_LOOK_AGAIN = Change()


class Watcher:
    """Watches directories in a thread of its own, from the first one on.

    Args:
        drops: is told of new drop files, which may soon be gone again.
        open_inotify: opens an inotify instance; raises ``OSError`` if it cannot.

    Attributes:
        is_watching: all directories that were given are watched.
    """

    def __init__(
        self, drops: DropDirectory, open_inotify: Callable[[], Inotify] = Inotify
    ) -> None:
        self.is_watching = False
        self._open_inotify = open_inotify
        self._drops = drops
        self._changes: deque[Change] = deque()
        self._lock = threading.Lock()
        self._holders: dict[int, Holder | None] = {}
        self._inotify: Inotify | None = None
        self._thread: threading.Thread | None = None
        self._stop_fd = -1
        self._complained = False

    def watch(self, holders: tuple[Holder, ...]) -> None:
        """Watch these directories, and that of the drop files, from now on."""
        if self._inotify is None and not self._start():
            return
        watched = [self._follow(holder.directory, holder) for holder in holders]
        if self._drops.exists:
            self._follow(str(self._drops.directory), None)
        self.is_watching = all(watched)

    def take(self) -> list[Change]:
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
        self.is_watching = False

    def _start(self) -> bool:
        try:
            self._inotify = self._open_inotify()
        except OSError as error:
            self._complain(f"no inotify ({error})")
            return False
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(
            target=self._work, args=(self._inotify,), name="watch slurm", daemon=True
        )
        self._thread.start()
        return True

    def _follow(self, directory: str, holder: Holder | None) -> bool:
        """Watch one directory; ``False`` if that is refused."""
        if self._inotify is None:
            return False
        try:
            with self._lock:
                self._holders[self._inotify.watch(Path(directory))] = holder
        except FileNotFoundError:
            return True
        except OSError as error:
            self._complain(f"cannot watch {directory} ({error})")
            return False
        return True

    def _complain(self, what: str) -> None:
        if not self._complained:
            self._complained = True
            _log.warning(
                "%s: looking for jobs each tick instead; raise "
                "fs.inotify.max_user_watches or max_user_instances",
                what,
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
                self._handle(event)

    def _handle(self, event: Event) -> None:
        if event.is_loss:
            self._add(_LOOK_AGAIN)
            return
        with self._lock:
            if event.watch not in self._holders:
                return
            if event.is_over:
                del self._holders[event.watch]
                return
            holder = self._holders[event.watch]
        if holder is None:
            if event.is_there:
                self._drops.take_in(event.name)
        elif holder.role == "jobs":
            self._handle_job(holder, event)
        elif event.is_there and holder.role == "users" and holder.is_user(event.name):
            self._handle_user(holder.below(event.name, "jobs"))
        elif event.is_there and (holder.role == "users" or holder.is_root(event.name)):
            self._add(_LOOK_AGAIN)

    def _handle_job(self, holder: Holder, event: Event) -> None:
        place = holder.job(event.name)
        if place is not None:
            self._add(Change(place, event.is_there))
        elif event.is_there and holder.controller is None:
            # A new cgroup beside the jobs, whose CPU time is none of theirs.
            self._add(_LOOK_AGAIN)

    def _handle_user(self, user: Holder) -> None:
        """Watch a new directory, and look what was made in it meanwhile."""
        if not self._follow(user.directory, user):
            self.is_watching = False
            return
        try:
            names = [path.name for path in Path(user.directory).iterdir()]
        except OSError:
            return
        for name in names:
            place = user.job(name)
            if place is not None:
                self._add(Change(place, is_there=True))

    def _add(self, change: Change) -> None:
        if len(self._changes) >= _MOST_CHANGES:
            self._changes.clear()
            change = _LOOK_AGAIN
        self._changes.append(change)
