"""The real daemon on a simulated machine."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulation.cluster import Cluster
from exporter.simulation.script import Script
from tests.e2e.waiting import until
from tests.fakes.command_line import jouled
from tests.fakes.simulated_cluster import SimulatedProgram, simulated_node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# Node 0 of the mixture has both schedulers.
_NODES = 4
_GPUS = 8


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProgram]:
    """Run node 0 of four for all tests of this file that only look."""
    with simulated_node(tmp_path_factory.mktemp("node"), 0, _NODES) as program:
        yield program


def test_the_jobs_are_those_of_the_script(node: SimulatedProgram) -> None:
    """Whoever knows the flags and the time knows what to find."""
    script = Script(Cluster(nodes=_NODES), 0)

    def agree() -> bool:
        told = node.get("/api/v1/jobs").json()
        there = script.jobs(told["unix_s"])
        names = Counter(job.name for job in there if job.kind.scheduler == "slurm")
        pods = Counter(job.tenant for job in there if job.kind.scheduler != "slurm")
        running = [job for job in told["jobs"] if job["running"]]
        return (
            Counter(j["info"].get("name") for j in running if not j["pod"]) == names
            and Counter(j["namespace"] for j in running if j["pod"]) == pods
        )

    assert until(agree, "the jobs of the script", 240)


def test_nothing_claims_to_be_measured(node: SimulatedProgram) -> None:
    """Invented joules are not to be taken for real ones."""

    def qualities() -> dict[str, str] | None:
        infos = node.scrape().series("jouled_source_info")
        found = {labels["source"]: labels["quality"] for labels, _ in infos}
        gpus = sum(name.startswith("nvml/") for name in found)
        # They are found by the first tick, and one of them may be lost just now.
        return found if gpus >= _GPUS - 1 else None

    told = until(qualities, "GPUs")

    assert "measured" not in told.values()
    assert told["rapl"] == "simulated"
    until(lambda: node.node()["quality"] == "simulated", "a power")
    assert node.node()["node"] == "node01"
    assert "simulated" in node.said()


def test_a_simulated_node_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither files nor processes, and it is gone at once."""
    with simulated_node(tmp_path, flags=("--schedulers", "slurm")) as program:
        (machine,) = program.files.iterdir()
        assert (machine / "run" / "checkpoint.0").exists()

        code = program.stop()

        assert code == 0
        assert list(program.files.iterdir()) == []


def _child_of(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def _has_ended(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    # Where nobody cares for orphans, a zombie is all that is left.
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_a_daemon_that_is_killed_leaves_nothing_behind_either(tmp_path: Path) -> None:
    """Its parent waits for nothing else."""
    with simulated_node(tmp_path, flags=("--schedulers", "slurm")) as program:
        os.kill(_child_of(program.pid), signal.SIGKILL)

        code = program.wait(60.0)

        assert code == signal.SIGKILL
        assert list(program.files.iterdir()) == []


def test_a_daemon_does_not_outlive_its_parent(tmp_path: Path) -> None:
    """Whoever kills what he started has killed all of it."""
    with simulated_node(tmp_path, flags=("--schedulers", "slurm")) as program:
        child = _child_of(program.pid)

        program.kill()

        until(lambda: _has_ended(child), "the end of the daemon")


def test_a_node_reads_its_configuration_again(tmp_path: Path) -> None:
    """SIGHUP reaches the daemon, and the machine stays where it is."""
    with simulated_node(tmp_path, flags=("--schedulers", "kubernetes")) as program:
        program.send(signal.SIGHUP)

        until(lambda: "configuration reloaded" in program.said(), "the reload")
        assert "some changes wait for a restart" not in program.said()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--node-index", "4"), "--node-index: 4 is none of 4 nodes"),
        (("--nodes", "many"), "--nodes: expected a whole number"),
        (("--schedulers", "pbs"), "--schedulers: expected mixed"),
        (("--gpus", "99"), "--gpus: expected a whole number from 0 to 16"),
        (("--name", "a b"), "--name: expected letters"),
        (("--path.sysfs", "/sys"), "no such argument: --path.sysfs"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_line(
    flags: tuple[str, str], message: str
) -> None:
    """Before anything is made."""
    done = jouled("simulate", *flags)

    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
