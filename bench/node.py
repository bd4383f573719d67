"""The node that is played for the bench: two sockets with RAPL, eight GPUs.

``/proc`` is the real one, so that the processes of this machine are there for
the daemon to stumble over if it looked.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fakes.machine import PlayedMachine
from tests.fakes.nvml import FakeNvml

GPUS = 8

_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh directory is made in it


@dataclass(frozen=True, slots=True)
class Node:
    """How to start a program on the played node.

    Attributes:
        gpus: names of the GPUs.
        env: environment with the stand-in driver.
        directory: for state; on tmpfs where there is one, as /run is.
        sysfs: the played tree.
    """

    gpus: tuple[str, ...]
    env: Mapping[str, str]
    directory: Path
    sysfs: Path

    def daemon(self, jobs: int, address: str) -> list[str]:
        """Return the command that runs the daemon; without jobs it is the real one."""
        flags = [*self._flags(), "--web.listen-address", address]
        if jobs == 0:
            return [sys.executable, "-m", "exporter", "run", *flags]
        return self._bench("bench.daemon_with_jobs", jobs, flags)

    def parts(self, jobs: int) -> list[str]:
        """Return the command that measures the parts of a tick."""
        return self._bench("bench.parts", jobs, self._flags())

    def _bench(self, module: str, jobs: int, flags: list[str]) -> list[str]:
        gpus = ",".join(self.gpus)
        return [sys.executable, "-m", module, str(jobs), gpus, *flags]

    def _flags(self) -> list[str]:
        return [
            *("--path.sysfs", str(self.sysfs)),
            # Jobs that happen to run on this machine are none of the bench's.
            *("--path.cgroupfs", str(self.directory / "cgroup")),
            *("--state.run-dir", str(self.directory / "run")),
            *("--state.dir", str(self.directory / "state")),
            *("--carbon.zone", "DE"),
        ]


@contextmanager
def played_node() -> Iterator[Node]:
    """Play the node until the end of the context."""
    memory = _MEMORY if _MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="jouled-bench-", dir=memory) as name:
        directory = Path(name)
        driver = FakeNvml(directory / "nvml", GPUS)
        machine = PlayedMachine("two-socket-intel", directory / "machine")
        with machine.playing():
            yield Node(
                gpus=tuple(gpu.uuid for gpu in driver.gpus),
                env=driver.env(constant=True),
                directory=directory,
                sysfs=machine.sysfs,
            )
        machine.close()
