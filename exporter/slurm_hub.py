"""Asks the hub for the jobs of Slurm on this node, beside the ticks.

``GET {carbon.hub_url}/api/v1/slurm/jobs?node=n01`` by the same way as the carbon
intensity. Nothing waits for the answer: what comes is handed on to the source of the
jobs, and if the hub is away everything is as without it. It is not asked while no job
runs here.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from exporter.carbon.answer import (
    number,
    number_or_none,
    optional,
    parse_json,
    rows,
    text,
)
from exporter.carbon.errors import CredentialsError, NotCoveredError, ProviderError
from exporter.carbon.provider import Call, Web
from exporter.carbon.secret import Secret
from exporter.core.units import Seconds
from exporter.workloads.slurm.hub_jobs import HubJob, HubJobs

_log = logging.getLogger(__name__)

PATH = "/api/v1/slurm/jobs"

_EVERY_S = 30.0
_LONGEST_PERIOD_S = 300.0
_SOON_S = 1.0
_LEAST_INTERVAL_S = 10.0
# A hub that does not ask slurmrestd, or does not let us ask.
_NOT_THERE_S = 600.0
_MOST_DOUBLINGS = 4
_MOST_JOBS = 5000

# How the environment of a job calls what the hub tells.
_VARIABLES = {
    "name": "SLURM_JOB_NAME",
    "user": "SLURM_JOB_USER",
    "account": "SLURM_JOB_ACCOUNT",
    "partition": "SLURM_JOB_PARTITION",
    "array_job_id": "SLURM_ARRAY_JOB_ID",
    "array_task_id": "SLURM_ARRAY_TASK_ID",
    "het_job_id": "SLURM_HET_JOB_ID",
    "node_list": "SLURM_JOB_NODELIST",
}


class SlurmHub:
    """Asks one hub.

    Args:
        jobs: gets what is told, and tells when to ask soon.
        url: address of the hub, without a slash at its end.
        node: what Slurm calls this node.
        authorization: what is sent in the header of that name; ``None``: nothing.
        open_web: opens the way there.
        every_s: how often it is asked, s.
        monotonic: CLOCK_MONOTONIC, s.
        chance: draws a number 0..1.
    """

    def __init__(  # noqa: PLR0913 - the last three are the world, given by tests
        self,
        jobs: HubJobs,
        url: str,
        node: str,
        authorization: Secret | None,
        open_web: Callable[[], AbstractAsyncContextManager[Web]],
        *,
        every_s: float = _EVERY_S,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        secrets = {} if authorization is None else {"Authorization": authorization}
        self._call = Call(f"{url}{PATH}", (("node", node),), secret_headers=secrets)
        self._jobs = jobs
        self._open_web = open_web
        self._every_s = every_s
        self._monotonic = monotonic
        self._chance = chance
        self._outcome = "ok"
        self._failures = 0
        self._asked_s = float("-inf")
        self._text = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until told to stop."""
        loop = asyncio.get_running_loop()
        wish = asyncio.Event()

        def hurry() -> None:
            # The loop may have ended, as the daemon is about to.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wish.set)

        self._jobs.on_wish(hurry)
        wait_s = self._chance() * self._every_s
        try:
            async with self._open_web() as web:
                while not stop.is_set():
                    await self._pause(stop, wish, wait_s)
                    if not stop.is_set():
                        wish.clear()
                        wait_s = await self.ask(web)
        finally:
            self._jobs.on_wish(None)

    async def ask(self, web: Web) -> float:
        """Ask once, if there are jobs; return how long to wait for the next, s."""
        self._jobs.take_wish()
        if not self._jobs.has_jobs:
            return self._every_s
        self._asked_s = self._monotonic()
        try:
            said = await web.text(self._call)
            if said != self._text:
                self._jobs.by_id = read_jobs(parse_json(said))
                self._text = said
        except ProviderError as error:
            return self._failed(error)
        if self._failures:
            _log.info("the hub tells the jobs of slurm again")
        self._failures = 0
        self._jobs.answers = True
        fresh_for_s = web.max_age_s(self._call) or 0.0
        return min(_LONGEST_PERIOD_S, max(self._every_s, fresh_for_s))

    async def _pause(
        self, stop: asyncio.Event, wish: asyncio.Event, wait_s: float
    ) -> None:
        """Wait until the next time, or until soon if that is wished meanwhile."""
        due_s = self._monotonic() + wait_s
        told = asyncio.ensure_future(stop.wait())
        wished = asyncio.ensure_future(wish.wait())
        try:
            await asyncio.wait(
                (told, wished), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
            )
            if wished.done() and not self._failures:
                soon_s = _SOON_S * (1.0 + self._chance())
                next_s = max(
                    self._monotonic() + soon_s, self._asked_s + _LEAST_INTERVAL_S
                )
                due_s = min(due_s, next_s)
            left_s = due_s - self._monotonic()
            await asyncio.wait((told,), timeout=max(0.0, left_s))
        finally:
            told.cancel()
            wished.cancel()

    def _failed(self, error: ProviderError) -> float:
        if not self._failures or error.outcome != self._outcome:
            _log.warning(
                "the hub does not tell the jobs of slurm: %s",
                _remedy(error),
                extra={"outcome": error.outcome},
            )
        self._outcome = error.outcome
        self._failures += 1
        self._jobs.answers = False
        if isinstance(error, NotCoveredError | CredentialsError):
            return _NOT_THERE_S
        ceiling_s = self._every_s * 2.0 ** min(self._failures, _MOST_DOUBLINGS)
        return self._every_s + self._chance() * (ceiling_s - self._every_s)


def read_jobs(data: object) -> Mapping[str, HubJob]:
    """Read an answer of the hub; a job that cannot be read is left out.

    Returns:
        The jobs by their ids.

    Raises:
        NonsenseError: it is none.
    """
    found: dict[str, HubJob] = {}
    for row in rows(data, "jobs")[:_MOST_JOBS]:
        try:
            uid = number_or_none(row, "uid")
            limit_s = number_or_none(row, "time_limit_s")
            start_s = number(row, "start_unix_s")
            job_id = text(row, "job_id")
        except ProviderError:
            continue
        found[job_id] = HubJob(
            facts=_facts(row),
            uid=None if uid is None else int(uid),
            start_unix_s=Seconds(start_s),
            limit_s=None if limit_s is None or limit_s <= 0 else Seconds(limit_s),
        )
    return found


def _facts(row: object) -> Mapping[str, str]:
    told = {variable: optional(row, key) for key, variable in _VARIABLES.items()}
    return {
        # JSON can hold halves of characters, which nobody could write out again.
        variable: value.encode("utf-8", "replace").decode()
        for variable, value in told.items()
        if isinstance(value, str) and value
    }


def _remedy(error: ProviderError) -> str:
    if isinstance(error, NotCoveredError):
        return "it asks no slurmrestd; give its file a section slurm"
    return str(error)
