"""Work in the daemon's event loop beside its web server, such as asking a hub.

Several pieces of it go on side by side, and none ends another. One that crashes is told
of, and begun again after a while. Calls that it makes in threads may hang: the end of
the daemon does not wait for them.
"""

import asyncio
import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

_log = logging.getLogger(__name__)

Work = Callable[[asyncio.Event], Awaitable[None]]
"""Goes on until the event is set."""

_AGAIN_AFTER_S = 300.0
_END_WITHIN_S = 0.3
_MOST_THREADS = 4
_THREADS = "beside"


class Beside:
    """Pieces of work, which may be exchanged.

    Args:
        works: what to begin with.
        again_after_s: how long after a crash it is begun again, s.
    """

    def __init__(self, *works: Work, again_after_s: float = _AGAIN_AFTER_S) -> None:
        self._works = works
        self._again_after_s = again_after_s
        self._changed = asyncio.Event()
        self._threads: Executor | None = None

    def exchange(self, *works: Work) -> None:
        """End the work, and begin another; called in the loop."""
        self._works = works
        self._changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; takes less than half a second to end."""
        working = asyncio.ensure_future(self._go_on())
        await stop.wait()
        working.cancel()
        await asyncio.wait((working,), timeout=_END_WITHIN_S)

    def hangs(self, patience_s: float) -> bool:
        """Whether a call in a thread is still under way after some time, s.

        Nothing can be begun in the loop's threads any more.
        """
        if self._threads is None:
            return False
        self._threads.shutdown(wait=False, cancel_futures=True)
        until_s = time.monotonic() + patience_s
        ours = [one for one in threading.enumerate() if one.name.startswith(_THREADS)]
        for thread in ours:
            thread.join(max(0.0, until_s - time.monotonic()))
        return any(thread.is_alive() for thread in ours)

    async def _go_on(self) -> None:
        while True:
            self._changed.clear()
            await asyncio.gather(*map(self._keep_at, self._works))
            await self._changed.wait()

    async def _keep_at(self, work: Work) -> None:
        """Begin it again as often as it crashes, until there is other work."""
        while not self._changed.is_set() and await self._has_crashed(work):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._again_after_s):
                    await self._changed.wait()

    async def _has_crashed(self, work: Work) -> bool:
        self._own_threads()
        try:
            await work(self._changed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon goes on
            # Not its text, which may hold anything; where it was says enough.
            last = traceback.extract_tb(error.__traceback__)[-1]
            _log.critical(
                "work beside the tick failed; the daemon goes on without it for now",
                extra={
                    "error": type(error).__name__,
                    "at": f"{last.filename}:{last.lineno}",
                    "again_after_s": self._again_after_s,
                },
            )
            return True
        return False

    def _own_threads(self) -> None:
        """Let the loop's threads be few, and known to us."""
        if self._threads is None:
            # Few daemons need threads in the loop.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - above

            self._threads = ThreadPoolExecutor(_MOST_THREADS, _THREADS)
            asyncio.get_running_loop().set_default_executor(self._threads)
