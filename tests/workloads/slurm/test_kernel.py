"""The same on the cgroups of this machine's kernel, where we may make some.

Played files cannot show what a kernel does with an open file of a cgroup that is
gone, nor whether it tells of directories in its own file systems.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from exporter.workloads.cgroups import Cgroup, FileBudget, find_trees
from exporter.workloads.slurm import SlurmPlaces, SlurmWorkloads
from tests.fakes.inventory import FakeInventory
from tests.fakes.slurm_node import ids, wait_watched
from tests.fakes.waiting import wait_until

_CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_SCOPE = "system.slice/slurmstepd.scope"
_BUSY = (
    "import time\n"
    "end = time.process_time() + 0.2\n"
    "while time.process_time() < end: pass"
)

Version = Literal["v1", "v2"]


class _KernelNode:
    """A tree of real cgroups that looks like a node under Slurm."""

    def __init__(self, root: Path, version: Version) -> None:
        self.cgroupfs = root
        self.version = version
        self._made: list[Path] = []
        name = f"jouled-test-{os.getpid()}"
        if version == "v1":
            self.tree = self._mount(_CGROUPS / "cpuacct" / name, "cpuacct")
            self.jobs = self.make(self.make(self.tree / "slurm_test") / "uid_0")
        else:
            unified = _CGROUPS / "unified"
            parent = unified if unified.exists() else _CGROUPS
            self.tree = self._mount(parent / name, "unified")
            self.make(self.tree / "system.slice")
            self.jobs = self.make(self.tree / _SCOPE)

    def make(self, path: Path) -> Path:
        """Make a cgroup."""
        path.mkdir()
        self._made.append(path)
        return path

    def remove(self, path: Path) -> None:
        """Remove a cgroup that is empty."""
        path.rmdir()
        self._made.remove(path)

    def close(self) -> None:
        """Remove all that is left."""
        for path in reversed(self._made):
            with contextlib.suppress(OSError):
                path.rmdir()

    def _mount(self, path: Path, name: str) -> Path:
        self.make(path)
        (self.cgroupfs / name).symlink_to(path)
        return path


@pytest.fixture(params=["v1", "v2"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_KernelNode]:
    """Return a node of real cgroups."""
    version: Version = request.param
    try:
        new = _KernelNode(tmp_path, version)
    except OSError as error:
        pytest.skip(f"cannot make cgroups of {version} here: {error}")
    try:
        yield new
    finally:
        new.close()


@pytest.fixture
def source(node: _KernelNode, tmp_path: Path) -> Iterator[SlurmWorkloads]:
    """Return its reader."""
    places = SlurmPlaces(node.cgroupfs, _PROC, tmp_path / "drops", tmp_path / "ended")
    with contextlib.closing(SlurmWorkloads(places, FakeInventory())) as new:
        yield new


def _cgroup(node: _KernelNode, path: Path) -> Cgroup:
    controller = "cpuacct" if node.version == "v1" else None
    relative = str(path.relative_to(node.tree))
    return Cgroup(find_trees(node.cgroupfs), relative, controller, FileBudget(1))


def test_an_open_counter_of_a_cgroup_that_is_gone_is_a_result(
    node: _KernelNode,
) -> None:
    """The kernel answers ENODEV."""
    path = node.make(node.jobs / "job_1")
    with contextlib.closing(_cgroup(node, path)) as cgroup:
        first = cgroup.cpu_s()
        node.remove(path)

        assert first == 0.0
        assert cgroup.cpu_s() is None
        assert not cgroup.exists()


def test_a_cgroup_made_anew_under_the_same_name_is_read(node: _KernelNode) -> None:
    """A requeued job; the old file is of no use."""
    path = node.make(node.jobs / "job_1")
    with contextlib.closing(_cgroup(node, path)) as cgroup:
        cgroup.cpu_s()
        node.remove(path)
        node.make(path)

        assert cgroup.cpu_s() is None
        assert cgroup.exists()
        assert cgroup.cpu_s() == 0.0


def test_jobs_of_real_cgroups_are_noticed_as_they_come_and_go(
    node: _KernelNode, source: SlurmWorkloads
) -> None:
    """Inotify tells of cgroups too."""
    source.read()
    path = node.make(node.jobs / "job_7")
    wait_until(lambda: ids(source.read()) == {7}, "the job is noticed", 30.0)

    node.remove(path)

    wait_until(lambda: not source.read().usages, "its end is noticed", 30.0)


def test_a_job_that_is_gone_before_it_was_read_is_told_once(
    node: _KernelNode, source: SlurmWorkloads
) -> None:
    """With the cgroup of its user, in version 1, if it was the only one."""
    source.read()
    if node.version == "v1":
        node.remove(node.jobs)
        node.make(node.jobs)
    wait_watched(node.jobs)
    node.remove(node.make(node.jobs / "job_8"))

    wait_until(
        lambda: [u.cpu_s for u in source.read().usages] == [None],
        "the job is told",
        30.0,
    )
    wait_until(lambda: not source.read().usages, "it is told no more", 30.0)


def test_the_cpu_time_of_a_real_process_is_counted_and_outlives_it(
    node: _KernelNode, source: SlurmWorkloads
) -> None:
    """The job's counter, and that of its group when it is gone."""
    path = node.make(node.jobs / "job_9")
    script = (
        f"open({str(path / 'cgroup.procs')!r}, 'w').write('0')\n"
        f"input()\n{_BUSY}\nprint(flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        (usage,) = source.read().usages
        process.communicate(b"\n", timeout=30)
    wait_until(lambda: _is_empty(path), "the process has left", 30.0)
    node.remove(path)
    wait_until(lambda: not source.read().usages, "its end is noticed", 30.0)

    (group,) = source.read().groups

    assert usage.cpu_s is not None
    assert usage.cpu_s >= 0.2
    assert group.cpu_s >= usage.cpu_s


def _is_empty(path: Path) -> bool:
    return not (path / "cgroup.procs").read_text()
