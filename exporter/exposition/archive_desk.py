"""Asks the archive without making everybody else wait.

A question is answered by a thread of its own, which ends with it: questions are
rare, and a disk that hangs must neither hold the web server nor the daemon's end.
"""

import asyncio
import threading
from concurrent.futures import Future

from exporter.core.archive import JobArchive, JobPage, JobQuery
from exporter.core.errors import ArchiveError

_AT_ONCE = 2
# Longer than the archive itself takes before it says that it takes too long.
_PATIENCE_S = 5.0


class ArchiveDesk:
    """Takes questions from the event loop, only a few at a time.

    Args:
        archive: who answers.
        patience_s: how long to wait for that, s.
    """

    def __init__(self, archive: JobArchive, patience_s: float = _PATIENCE_S) -> None:
        self._archive = archive
        self._patience_s = patience_s
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    async def find(self, query: JobQuery) -> JobPage:
        """Return the records of a query.

        Raises:
            ArchiveError: there is no answer now; the message says why.
        """
        if not self._places.acquire(blocking=False):
            msg = "the archive has enough questions to answer; ask again in a moment"
            raise ArchiveError(msg)
        answer: Future[JobPage] = Future()
        answer.set_running_or_notify_cancel()
        threading.Thread(
            target=self._answer, args=(query, answer), name="archive-desk", daemon=True
        ).start()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), self._patience_s)
        except TimeoutError as error:
            msg = f"the disk of the archive did not answer in {self._patience_s:g} s"
            raise ArchiveError(msg) from error

    def _answer(self, query: JobQuery, answer: Future[JobPage]) -> None:
        try:
            answer.set_result(self._archive.find(query))
        except ArchiveError as error:
            answer.set_exception(error)
        finally:
            self._places.release()
