"""A thread for what may take long, so that no tick has to wait for it.

It takes steps: each does what is to be done now, and tells how long there is nothing
to do. So a step can be tried without any thread, and a long time without a long wait.
"""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)

_PATIENCE_S = 1.0
_AFTER_AN_ERROR_S = 60.0


class Worker:
    """Takes steps in a thread of its own, from ``start`` on.

    Args:
        name: of the thread.
        step: does what is due and returns how long to wait, s.
        interrupt: makes a step that waits for somebody end soon; any thread.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._step = step
        self._interrupt = interrupt
        self._woken = threading.Event()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it has."""
        if self._thread is None and not self._is_closed:
            self._thread = threading.Thread(
                target=self._work, name=self._name, daemon=True
            )
            self._thread.start()

    def wake(self) -> None:
        """Let the next step begin now; any thread may ask."""
        self._woken.set()

    def close(self) -> None:
        """End the thread; one that hangs dies with the process."""
        self._is_closed = True
        self._woken.set()
        self._interrupt()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)

    def _work(self) -> None:
        while not self._is_closed:
            self._woken.clear()
            try:
                wait_s = self._step()
            except Exception:  # noqa: BLE001 - it must not end for good, and silently
                _log.exception("failed", extra={"worker": self._name})
                wait_s = _AFTER_AN_ERROR_S
            if not self._is_closed:
                self._woken.wait(wait_s)
