"""Names of pods by the directories of their logs: no API, no rights but to look.

Source: the kubelet's own layout, ``/var/log/pods/NAMESPACE_NAME_UID/``. Neither a
namespace nor a name has a ``_`` in it. The directory is made before the first
container starts, and goes some time after the last one ended.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from exporter.workloads.kubernetes.fact_store import FactStore
from exporter.workloads.kubernetes.facts import PodFacts

_PARTS = 3
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0
_NOTHING_TO_DO_S = 3600.0


class LogNames:
    """Looks for directories of pods that are wanted; implements ``names.Witness``.

    Args:
        directory: where the directories are.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self, directory: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = "logs"
        self.knows_all = False
        self.store = FactStore()
        self.trouble = ""
        self._directory = directory
        self._monotonic = monotonic
        self._wanted: frozenset[str] = frozenset()
        self._pause_s = _FIRST_PAUSE_S
        self._due_s = 0.0

    def want(self, uids: frozenset[str]) -> bool:
        """Look for these, now if there is one that was not looked for."""
        has_new = not uids <= self._wanted
        self._wanted = uids
        if has_new:
            self._pause_s, self._due_s = _FIRST_PAUSE_S, 0.0
        return has_new

    def interrupt(self) -> None:
        """Do nothing: nobody is waited for."""

    def step(self) -> float:
        """Look once, if anything is wanted that has not been found yet."""
        missing = {uid for uid in self._wanted if self.store.find(uid) is None}
        if not missing:
            return _NOTHING_TO_DO_S
        wait_s = self._due_s - self._monotonic()
        if wait_s > 0:
            return wait_s
        try:
            self._look(missing)
        except PermissionError:
            self.trouble = (
                f"may not read {self._directory}, whose names tell those of pods: "
                "mount it, or run as root"
            )
        except OSError as error:
            self.trouble = (
                f"cannot read {self._directory} ({error.strerror}), whose names tell "
                "those of pods: mount it, or set kubernetes.log_dir"
            )
        else:
            self.trouble = ""
        pause_s, self._pause_s = (
            self._pause_s,
            min(2 * self._pause_s, _LONGEST_PAUSE_S),
        )
        self._due_s = self._monotonic() + pause_s
        return pause_s

    def _look(self, missing: set[str]) -> None:
        with os.scandir(self._directory) as entries:
            for entry in entries:
                parts = entry.name.split("_")
                if len(parts) == _PARTS and parts[2] in missing:
                    namespace, name, uid = parts
                    self.store.put(PodFacts(uid, namespace, name, is_whole=False))
