"""Names of users, asked for in the background.

A name may come from a directory server, and asking for it may take as long as
that server likes: so a thread of its own asks, one user at a time, and nobody
waits for it. It exists only while there is something to ask.
"""

import pwd
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

# Users on one node are few; who comes back after so many others is asked again.
_MOST_NAMES = 4096
_MOST_WAITING = 256
# A server that was down for a while is asked again, and names rarely change.
_UNKNOWN_FOR_S = 300.0
_KNOWN_FOR_S = 6 * 3600.0


def name_by_passwd(uid: int) -> str | None:
    """Ask the system's user database; ``None`` if it knows no such user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError, OSError):
        return None


class UserNames:
    """Knows users by their ids, or finds out.

    Args:
        lookup: returns a name, or ``None`` for an unknown user; may take long.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self,
        lookup: Callable[[int], str | None] = name_by_passwd,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lookup = lookup
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[int, tuple[str | None, float]] = OrderedDict()
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._is_asking = False

    def name(self, uid: int) -> str | None:
        """Return the name of a user; ``None`` if it is not known (yet).

        A name that is not known is asked for; ask again a moment later.
        """
        with self._lock:
            name, until_s = self._known.get(uid, (None, 0.0))
            if self._monotonic() < until_s:
                return name
            if len(self._waiting) < _MOST_WAITING:
                self._waiting[uid] = None
            if not self._is_asking:
                self._is_asking = True
                threading.Thread(
                    target=self._ask, name="user names", daemon=True
                ).start()
            # An old name is better than none until there is an answer.
            return name

    def is_unknown(self, uid: int) -> bool:
        """Whether it was asked for, and nobody knows it."""
        with self._lock:
            name, until_s = self._known.get(uid, (None, 0.0))
            return name is None and self._monotonic() < until_s

    def _ask(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_asking = False
                    return
                uid = next(iter(self._waiting))
            name = self._lookup(uid)
            with self._lock:
                del self._waiting[uid]
                for_s = _UNKNOWN_FOR_S if name is None else _KNOWN_FOR_S
                before, _ = self._known.pop(uid, (None, 0.0))
                self._known[uid] = (name or before, self._monotonic() + for_s)
                if len(self._known) > _MOST_NAMES:
                    self._known.popitem(last=False)
