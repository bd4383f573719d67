"""Programs that a test starts, and that end with it."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes.command_line import REPOSITORY, environment

# What container runtimes give a program before they kill it.
_ENDS_WITHIN_S = 10.0

_IS_ROOT = os.geteuid() == 0
AS_NOBODY_WHO_MAY_READ: Sequence[str] = (
    [
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
        "--bounding-set=-all,+dac_read_search",
    ]
    if _IS_ROOT
    else []
)
"""Starts a program as docs/operations.md tells to, with one capability."""
WITHOUT_CAPABILITIES: Sequence[str] = (
    ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if _IS_ROOT else []
)
"""Starts a program that files of mode 0 are closed to, as they are to a user."""


def free_port() -> int:
    """Return a port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """One program that may be started again and again; its output is kept.

    Args:
        command: the program and its arguments.
        output: file that gets what it says, over all its lives.
        env: what it gets in its environment beside this process'.
        rights: what takes rights from it, such as ``WITHOUT_CAPABILITIES``.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        env: Mapping[str, str] | None = None,
        *,
        rights: Sequence[str] = (),
    ) -> None:
        self.output = output
        self._command = [*rights, *command]
        self._env = environment(env)
        if rights:
            # It could not write its coverage into the repository.
            self._env = {k: v for k, v in self._env.items() if "COVERAGE" not in k}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the present life."""
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it, without waiting for anything."""
        assert self._process is None
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=REPOSITORY,
                env=self._env,
            )

    def said(self) -> str:
        """Return what it has said so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def assert_alive(self) -> None:
        """Fail with what it said, if it has ended."""
        assert self._process is not None
        assert self._process.poll() is None, self.said()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, within_s: float = _ENDS_WITHIN_S) -> int:
        """Wait for its end and return its exit code."""
        process, self._process = self._process, None
        assert process is not None
        try:
            return process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it where it stands."""
        self.send(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """End it if it still runs."""
        if self._process is not None:
            # Unlike a signal by its id, this minds that it may have ended.
            self._process.kill()
            self.wait()
