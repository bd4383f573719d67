"""Notices within milliseconds which pods come and go."""

from collections.abc import Callable

from exporter.workloads.inotify import Event, Inotify
from exporter.workloads.kubernetes.tree import Holder, PodPlace
from exporter.workloads.watching import Change, Watching


class Watcher:
    """Watches directories in a thread of its own, from the first one on.

    Args:
        open_inotify: opens an inotify instance; raises ``OSError`` if it cannot.

    Attributes:
        is_watching: all directories that were given are watched.
    """

    def __init__(self, open_inotify: Callable[[], Inotify] = Inotify) -> None:
        self.is_watching = False
        self._watching: Watching[Holder, PodPlace] = Watching(
            "pods", self._handle, open_inotify
        )

    def watch(self, holders: tuple[Holder, ...]) -> None:
        """Watch these directories from now on."""
        if self._watching.start():
            follow = self._watching.follow
            watched = [follow(holder.directory, holder) for holder in holders]
            self.is_watching = all(watched)

    def take(self) -> list[Change[PodPlace]]:
        """Return what happened since the last time, oldest first."""
        return self._watching.take()

    def close(self) -> None:
        """End the thread."""
        self._watching.close()
        self.is_watching = False

    def _handle(self, holder: Holder, event: Event) -> None:
        """Keep what happened; the thread calls this."""
        place = holder.pod(event.name) if holder.role == "pods" else None
        if place is not None:
            self._watching.add(Change(place, event.is_there))
        elif event.is_there and (holder.role == "pods" or holder.is_root(event.name)):
            # A root, a class, or what is no pod and has CPU time of its own.
            self._watching.add(Change())
