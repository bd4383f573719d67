"""The real daemon on a simulated machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.waiting import until
from tests.fakes.command_line import jouled
from tests.fakes.simulated_cluster import SimulatedProgram, simulated_node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# Node 0 of the mixture has both schedulers.
_NODES = 4


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProgram]:
    """Run node 0 of four for all tests of this file that only look."""
    with simulated_node(tmp_path_factory.mktemp("node"), 0, _NODES) as program:
        yield program


def test_jobs_of_both_schedulers_are_told_apart(node: SimulatedProgram) -> None:
    """They have the labels that real ones have."""

    def labels() -> list[dict[str, str]] | None:
        series = node.scrape().series("jouled_job_power_watts")
        found = [dict(each) for each, _ in series]
        kinds = {each["scheduler"] for each in found}
        return found if kinds == {"slurm", "kubernetes"} else None

    found = until(labels, "jobs of both schedulers", 240)

    for job in found:
        if job["scheduler"] == "slurm":
            assert job["job_id"].isdecimal()
            assert job["user"]
            assert job["account"]
            assert job["partition"]
        else:
            assert job["namespace"]
            assert job["pod"].startswith(job["job_id"])


def test_nothing_claims_to_be_measured(node: SimulatedProgram) -> None:
    """Invented joules are not to be taken for real ones."""
    infos = node.scrape().series("jouled_source_info")

    qualities = {labels["source"]: labels["quality"] for labels, _ in infos}

    assert "measured" not in qualities.values()
    assert qualities["rapl"] == "simulated"
    assert node.node()["quality"] == "simulated"
    assert "simulated" in node.said()


def test_a_simulated_node_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither files nor processes, and it is gone at once."""
    with simulated_node(tmp_path, flags=("--schedulers", "slurm")) as program:
        (machine,) = program.files.iterdir()
        assert (machine / "run" / "checkpoint").exists()

        code = program.stop()

        assert code == 0
        assert list(program.files.iterdir()) == []


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
