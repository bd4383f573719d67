"""What a source that can be read has reason to doubt: told once, and counted."""

import logging
from collections import Counter

_log = logging.getLogger(__name__)

_MOST = 1024


class Doubts:
    """Doubts of one source; used by its own thread, shown to any."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._standing: dict[str, str] = {}
        self._counter: Counter[str] = Counter()
        self.counts: tuple[tuple[str, int], ...] = ()
        self.latest = ""

    def tell(self, kind: str, about: str, text: str) -> None:
        """Count and log a doubt, unless it is known already.

        Args:
            kind: its kind, which is a label of a metric.
            about: what it is about; there is one at a time.
            text: what is the matter, with the remedy.
        """
        if self._standing.get(about) == text:
            return
        if len(self._standing) >= _MOST:
            self._standing.pop(next(iter(self._standing)))
        self._standing[about] = text
        self._counter[kind] += 1
        self.counts = tuple(self._counter.items())
        self.latest = text
        _log.warning("%s", text, extra={"source": self._source, "reason": kind})

    def settle(self, about: str) -> None:
        """Doubt this no longer."""
        if self._standing.pop(about, None) is not None:
            texts = list(self._standing.values())
            self.latest = texts[-1] if texts else ""
