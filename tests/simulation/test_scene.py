"""What is left of a simulated node when whoever started it goes away."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.e2e.waiting import PATIENCE_S, until
from tests.fakes.command_line import REPOSITORY, environment

_NODE = """
import fcntl, signal, sys, termios
from pathlib import Path
from exporter.simulation.scene import ChildEndedError, enter
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
try:
    folder = enter()
except ChildEndedError as ended:
    sys.exit(ended.code)
# As the daemon does, for which it is no reason to end.
signal.signal(signal.SIGHUP, signal.SIG_IGN)
(folder / "there").touch()
signal.pause()
"""


def test_a_node_ends_with_its_terminal(tmp_path: Path) -> None:
    """Nobody would know of it, and its port would be taken."""
    ours, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _NODE],
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=REPOSITORY,
        env=environment({"TMPDIR": str(tmp_path)}),
    )
    os.close(terminal)
    try:
        until(lambda: list(tmp_path.glob("*/there")), "the node")

        os.close(ours)
        code = process.wait(PATIENCE_S)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)

    assert code == 0
    assert list(tmp_path.iterdir()) == []
