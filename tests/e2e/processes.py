"""Programs that a test starts, and that end with it."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes.command_line import REPOSITORY, environment

_NOBODY = 65534
_ENDS_WITHIN_S = 30.0


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
        as_nobody: whether root is to start it without root's rights.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        env: Mapping[str, str] | None = None,
        *,
        as_nobody: bool = False,
    ) -> None:
        self.output = output
        self._command = list(command)
        self._env = environment(env)
        self._user = _NOBODY if as_nobody and os.geteuid() == 0 else None
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
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
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

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        process, self._process = self._process, None
        assert process is not None
        try:
            return process.wait(_ENDS_WITHIN_S)
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
            self.kill()
