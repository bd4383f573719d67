"""The real hub in a process of its own."""

import signal
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
from tests.fakes.played_time import PlayedTime

_ANSWERS_WITHIN_S = 30.0

Answer = dict[str, Any]


class Hub(Program):
    """``jouled hub``, started, killed and started again on the same port.

    Args:
        folder: gets its configuration, its state, and its log.
        text: of its file.
        flags: of ``jouled hub``.
        env: what it gets in its environment beside this process'.
        clock: one that goes faster or slower than time; ``None``: the real one.
        scheme: how it is talked to.
        client: what asks; ``None``: who needs no password.
    """

    def __init__(
        self,
        folder: Path,
        text: str,
        *,
        flags: Sequence[str | Path] = (),
        env: Mapping[str, str] | None = None,
        clock: PlayedTime | None = None,
        scheme: str = "http",
        client: httpx.Client | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.file = folder / "hub.yml"
        self.state = folder / "state"
        self._get = plain_http.get if client is None else client.get
        self.write(text)
        program = command("hub")
        if clock is not None:
            module = "tests.e2e.hub_in_played_time"
            program = [sys.executable, "-m", module, *clock.arguments]
        super().__init__(
            [
                *program,
                *("--config.file", str(self.file)),
                *("--web.listen-address", f"127.0.0.1:{self.port}"),
                *("--state.dir", str(self.state)),
                *map(str, flags),
            ],
            folder / "hub.log",
            env,
        )

    def write(self, text: str) -> None:
        """Write its file; it reads it when it starts and on SIGHUP."""
        self.file.write_text(text)
        self.file.chmod(0o600)

    def start(self) -> None:
        """Start it and wait until every provider was asked."""
        self.launch()
        until(self._is_ready, "the hub")

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Ask for anything."""
        url = f"{self.url}{path}"
        return self._get(url, headers=headers, timeout=_ANSWERS_WITHIN_S)

    def intensity(self, zone: str = "DE") -> Answer:
        """Ask for the intensity of a zone, as nodes do."""
        answer: Answer = (
            self.ask(f"/api/v1/intensity?zone={zone}").raise_for_status().json()
        )
        return answer

    def hub(self) -> Answer:
        """Ask for everything that the page shows."""
        answer: Answer = self.ask("/api/v1/hub").raise_for_status().json()
        return answer

    def scrape(self) -> Scrape:
        """Scrape it."""
        return Scrape(self.ask("/metrics").raise_for_status().text)

    def wait_for(
        self, condition: Callable[[Answer], bool], what: str, zone: str = "DE"
    ) -> Answer:
        """Ask again and again until the answer of a zone is what is waited for."""

        def look() -> Answer | None:
            answer = self.intensity(zone)
            return answer if condition(answer) else None

        return until(look, what)

    def reload(self, text: str) -> None:
        """Let it read another file; wait until it has taken it on or refused it."""
        said = len(self.said())
        self.write(text)
        self.send(signal.SIGHUP)
        words = ("configuration reloaded", "reload refused")
        until(lambda: any(w in self.said()[said:] for w in words), "the reload")

    def _is_ready(self) -> bool:
        self.assert_alive()
        try:
            return self.ask("/readyz").is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Start a hub, and end it whatever happens; it may have ended before."""
    try:
        hub.start()
        yield hub
    finally:
        hub.close()
