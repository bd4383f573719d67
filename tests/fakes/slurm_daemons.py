"""The processes of a Slurm cluster of one node: munged, slurmctld, slurmd."""

import contextlib
import os
import pwd
import secrets
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.fakes.slurm_config import ClusterLayout
from tests.fakes.waiting import wait_until

_STOP_S = 20.0
_START_S = 30.0
_LOG_TAIL_BYTES = 3000


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports of the loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in sockets)


class ClusterDaemons:
    """Starts the daemons in order and ends them, and only them, by their pids.

    Args:
        layout: where they find their files; these have to be there.
        environment: of all of them.
    """

    def __init__(self, layout: ClusterLayout, environment: Mapping[str, str]) -> None:
        self._layout = layout
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def are_running(self) -> bool:
        """Whether all of them were started, so that Slurm can be talked to."""
        return "slurmd" in self._running

    def pid(self, program: str) -> int:
        """Return the process of a daemon."""
        return self._running[program].pid

    def start(self) -> None:
        """Start all of them; the node comes up a few seconds later."""
        layout = self._layout
        munge = layout.munge_socket.parent
        key_file = munge / "key"
        key_file.write_bytes(secrets.token_bytes(128))
        key_file.chmod(0o600)
        self._start(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key_file}",
            f"--socket={layout.munge_socket}",
            f"--pid-file={layout.pid_file('munged')}",
            f"--log-file={layout.log_file('munged')}",
            f"--seed-file={munge / 'seed'}",
        )
        wait_until(
            layout.munge_socket.exists, "munged has a socket", _START_S, self.logs
        )
        config = str(layout.config_file)
        self._start("slurmctld", "-D", "-i", "-f", config)
        self._start("slurmd", "-D", "-f", config, "-N", layout.node)

    def stop(self) -> None:
        """End all of them, the last one first."""
        for program, process in reversed(self._running.items()):
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            # A slurmd that was told twice to start would be another process.
            _end_by_pid_file(self._layout.pid_file(program), program)
        self._running.clear()

    def restart_node(self) -> None:
        """End slurmd and start it again; its jobs go on meanwhile."""
        process = self._running.pop("slurmd")
        process.terminate()
        process.wait(_STOP_S)
        config = str(self._layout.config_file)
        self._start("slurmd", "-D", "-f", config, "-N", self._layout.node)

    def start_rest(self, user: pwd.struct_passwd) -> Path:
        """Start slurmrestd, once, on a unix socket; its user is not Slurm's own.

        Args:
            user: it is asked without a token in this user's name.
        """
        # slurmrestd makes the socket itself, and it is not root.
        directory = self._layout.directory / "rest"
        if "slurmrestd" in self._running:
            return directory / "socket"
        directory.mkdir()
        os.chown(directory, user.pw_uid, user.pw_gid)
        path = directory / "socket"
        config = str(self._layout.config_file)
        self._start(
            "slurmrestd",
            "-f",
            config,
            "-a",
            "rest_auth/local",
            # The others want slurmdbd.
            "-s",
            "openapi/v0.0.38",
            f"unix:{path}",
            user=user,
        )
        wait_until(path.exists, "slurmrestd has a socket", _START_S, self.logs)
        return path

    def logs(self) -> str:
        """Return the ends of all logs, to explain a failure."""
        parts = []
        for path in sorted((self._layout.directory / "log").glob("*")):
            tail = path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
            parts.append(f"--- {path.name}\n{tail}")
        return "\n".join(parts)

    def _start(
        self, program: str, *args: str, user: pwd.struct_passwd | None = None
    ) -> None:
        output = self._layout.directory / "log" / f"{program}.output"
        with output.open("ab") as file:
            self._running[program] = subprocess.Popen(
                [program, *args],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self._layout.directory,
                env=self._environment,
                start_new_session=True,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )


def _end_by_pid_file(path: Path, program: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        pid = int(path.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        if name == program:
            os.kill(pid, signal.SIGKILL)
