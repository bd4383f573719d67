"""Notices within milliseconds which jobs come and go.

A tick is too coarse: a user's only job may be made and removed, with the cgroup
of the user around it, between two of them. So new directories are looked at and
watched at once, and new drop files read, before they are gone again.
"""

from collections.abc import Callable
from pathlib import Path

from exporter.workloads.inotify import Event, Inotify
from exporter.workloads.slurm.drops import DropDirectory
from exporter.workloads.slurm.tree import Holder, JobPlace
from exporter.workloads.watching import Change, Watching


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
        self._drops = drops
        self._watching: Watching[Holder | None, JobPlace] = Watching(
            "jobs of slurm", self._handle, open_inotify
        )

    def watch(self, holders: tuple[Holder, ...]) -> None:
        """Watch these directories, and that of the drop files, from now on."""
        if not self._watching.start():
            return
        follow = self._watching.follow
        watched = [follow(holder.directory, holder) for holder in holders]
        if self._drops.exists:
            follow(str(self._drops.directory), None)
        self.is_watching = all(watched)

    def take(self) -> list[Change[JobPlace]]:
        """Return what happened since the last time, oldest first."""
        return self._watching.take()

    def close(self) -> None:
        """End the thread."""
        self._watching.close()
        self.is_watching = False

    # --- the thread -----------------------------------------------------------

    def _handle(self, holder: Holder | None, event: Event) -> None:
        if holder is None:
            if event.is_there:
                self._drops.take_in(event.name)
        elif holder.role == "jobs":
            self._handle_job(holder, event)
        elif event.is_there and holder.role == "users" and holder.is_user(event.name):
            self._handle_user(holder.below(event.name, "jobs"))
        elif event.is_there and (holder.role == "users" or holder.is_root(event.name)):
            self._watching.add(Change())

    def _handle_job(self, holder: Holder, event: Event) -> None:
        place = holder.job(event.name)
        if place is not None:
            self._watching.add(Change(place, event.is_there))
        elif event.is_there and holder.controller is None:
            # A new cgroup beside the jobs, whose CPU time is none of theirs.
            self._watching.add(Change())

    def _handle_user(self, user: Holder) -> None:
        """Watch a new directory, and look what was made in it meanwhile."""
        if not self._watching.follow(user.directory, user):
            self.is_watching = False
            return
        try:
            names = [path.name for path in Path(user.directory).iterdir()]
        except OSError:
            return
        for name in names:
            place = user.job(name)
            if place is not None:
                self._watching.add(Change(place, is_there=True))
