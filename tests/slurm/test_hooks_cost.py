"""What Prolog and Epilog cost, whatever is wrong. Nothing is held to a time here."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.fakes.command_line import REPOSITORY
from tests.fakes.slurm_cgroups import CGROUPS, node_name
from tests.fakes.slurm_cluster import missing
from tests.fakes.unprivileged import public_directory
from tests.slurm.site import Figures

RUNS = 20
JOBS = 64
LONG_S = 30.0


@dataclass(frozen=True)
class Node:
    """A node in some state.

    Attributes:
        run_dir: what the hooks are told.
        inbox: what a daemon listens to.
    """

    run_dir: Path
    inbox: socket.socket


def _is_well(node: Node) -> None:
    """Leave everything as it is."""
    assert node.inbox.fileno() >= 0


def _is_dead(node: Node) -> None:
    """Kill the daemon; its socket stays."""
    node.inbox.close()


def _is_missing(node: Node) -> None:
    """Never have started it."""
    node.inbox.close()
    (node.run_dir / "hooks.sock").unlink()
    node.run_dir.rmdir()


def _is_full(node: Node) -> None:
    """Kill the daemon, and leave no space."""
    node.inbox.close()
    for place in ("jobs", "ended"):
        directory = node.run_dir / "slurm" / place
        directory.mkdir(parents=True)
        # A file system of one page, which one file takes.
        mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(directory)]
        subprocess.run(mount, check=True)
        (directory / "1").write_text("full")


@contextmanager
def _node() -> Iterator[Node]:
    with (
        public_directory() as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox,
    ):
        run_dir = directory / "run"
        run_dir.mkdir()
        inbox.bind(str(run_dir / "hooks.sock"))
        try:
            yield Node(run_dir, inbox)
        finally:
            for place in ("jobs", "ended"):
                full = run_dir / "slurm" / place
                if full.is_mount():
                    subprocess.run(["umount", str(full)], check=True)


@contextmanager
def _jobs() -> Iterator[None]:
    """Let jobs run, as far as their cgroups tell."""
    root = CGROUPS / "cpuacct" / f"slurm_{node_name('cost')}"
    made = [root, root / "uid_0"]
    made += [root / "uid_0" / f"job_{number}" for number in range(1, JOBS + 1)]
    for directory in made:
        directory.mkdir()
    try:
        yield
    finally:
        for directory in reversed(made):
            directory.rmdir()


@pytest.mark.parametrize(
    ("state", "make"),
    [
        ("daemon alive", _is_well),
        ("daemon dead", _is_dead),
        ("folder missing", _is_missing),
        ("disk full", _is_full),
    ],
)
def test_a_hook_succeeds_and_takes_milliseconds(
    state: str, make: Callable[[Node], None], figures: Figures
) -> None:
    """A node that runs a Prolog a second must not notice."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with _node() as node, _jobs():
        make(node)

        for kind in ("prolog", "epilog"):
            walls_s, codes = [], set()
            before = os.times()
            for number in range(RUNS):
                begin_s = time.perf_counter()
                codes.add(_run(kind, node.run_dir, 4242 + number))
                walls_s.append(time.perf_counter() - begin_s)
                _drain(node)
            after = os.times()

            cpu_s = after.children_user - before.children_user
            cpu_s += after.children_system - before.children_system
            figures.say(
                f"{kind}, {state}, {JOBS} jobs: median {median(walls_s) * 1e3:.1f} ms, "
                f"{cpu_s / RUNS * 1e3:.1f} ms of CPU"
            )
            assert codes == {0}


def _run(kind: str, run_dir: Path, job_id: int) -> int:
    done = subprocess.run(
        [str(REPOSITORY / "deploy" / "slurm" / f"{kind}.d" / "50-jouled.sh")],
        env={
            "JOULED_STATE__RUN_DIR": str(run_dir),
            "SLURM_JOB_ID": str(job_id),
            "SLURM_JOB_USER": "ada",
            "SLURM_JOB_GPUS": "0",
        },
        capture_output=True,
        check=False,
        timeout=LONG_S,
    )
    return done.returncode


def _drain(node: Node) -> None:
    """Read what was sent, as a daemon does."""
    if node.inbox.fileno() < 0:
        return
    node.inbox.setblocking(False)  # noqa: FBT003 - its only argument
    try:
        while True:
            node.inbox.recv(4096)
    except BlockingIOError:
        return
