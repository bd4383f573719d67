"""The real daemon in a process of its own, with one set of state directories."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.exposition import Scrape
from tests.e2e.processes import Program, free_port
from tests.e2e.waiting import until
from tests.fakes import plain_http
from tests.fakes.command_line import command

_ANSWERS_WITHIN_S = 30.0


class Daemon(Program):
    """``jouled run``, started, killed and started again on the same port.

    Args:
        folder: gets its state directories ``run`` and ``lib``, and its log.
        flags: of ``jouled run``.
        env: what it gets in its environment beside this process'.
        script: file of the jobs it is told of; ``None``: there is no scheduler.
        rights: what takes rights from it, such as ``WITHOUT_CAPABILITIES``.
        own_state: whether it gets state directories of its own in ``folder``.
    """

    def __init__(
        self,
        folder: Path,
        flags: Sequence[str | Path] = (),
        env: Mapping[str, str] | None = None,
        *,
        script: Path | None = None,
        rights: Sequence[str] = (),
        own_state: bool = True,
    ) -> None:
        self.port = free_port()
        self.run_dir = folder / "run"
        self.state_flags = (
            *("--state.run-dir", str(self.run_dir)),
            *("--state.dir", str(folder / "lib")),
        )
        program = command("run")
        if script is not None:
            program = [sys.executable, "-m", "tests.e2e.daemon_with_jobs", str(script)]
        super().__init__(
            [
                *program,
                *("--web.listen-address", f"127.0.0.1:{self.port}"),
                # Whoever runs jobs on this machine has nothing to do with it.
                *("--path.cgroupfs", str(folder / "no-cgroups")),
                *(self.state_flags if own_state else ()),
                *map(str, flags),
            ],
            folder / "daemon.log",
            env,
            rights=rights,
        )

    def start(self) -> None:
        """Start it and wait for its first tick."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for the first tick."""
        until(self._is_ready, "the first tick")

    def get(self, path: str) -> httpx.Response:
        """Ask for anything; the answer has to be a good one."""
        response = plain_http.get(
            f"http://127.0.0.1:{self.port}{path}", timeout=_ANSWERS_WITHIN_S
        )
        return response.raise_for_status()

    def scrape(self) -> Scrape:
        """Scrape it."""
        return Scrape(self.get("/metrics").text)

    def node(self) -> dict[str, Any]:
        """Ask its API about the node."""
        answer: dict[str, Any] = self.get("/api/v1/node").json()
        return answer

    def tick_after(self, unix_s: float) -> dict[str, Any]:
        """Wait for a tick that began after a moment; return the node after it."""

        def look() -> dict[str, Any] | None:
            node = self.node()
            return node if node["unix_s"] > unix_s else None

        return until(look, f"a tick after {unix_s}")

    def wait_for(self, condition: Callable[[Scrape], bool], what: str) -> Scrape:
        """Scrape until a condition holds, and return that scrape."""

        def look() -> Scrape | None:
            scrape = self.scrape()
            return scrape if condition(scrape) else None

        return until(look, what)

    def wait_for_source(self, source: str, *, up: bool) -> Scrape:
        """Wait until a source is up, or is down."""
        return self.wait_for(
            lambda scrape: scrape.get("jouled_source_up", source=source) == up,
            f"{source} to be {'up' if up else 'down'}",
        )

    def wait_for_log(self, text: str) -> None:
        """Wait until it has logged a text."""
        until(lambda: text in self.said(), f"{text!r} in the log")

    def _is_ready(self) -> bool:
        self.assert_alive()
        try:
            self.get("/readyz")
        except httpx.HTTPError:
            return False
        return True


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    """Start a daemon, and end it whatever happens; it may have ended before."""
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()
