import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from exporter.power.rapl import PowercapSource
from exporter.workloads.node_usage import PsutilNodeUsage
from tests.fakes.clock import Clock
from tests.fakes.machine import MACHINES, PlayedMachine

_REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("machine", sorted(path.stem for path in MACHINES.iterdir()))
def test_a_machine_is_played_in_place(machine: str, tmp_path: Path) -> None:
    """A reader that keeps its files open sees what one that opens them sees."""
    clock = Clock()
    with closing(PlayedMachine(machine, tmp_path, clock)) as played:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        before = [(path.stat().st_ino, path.stat().st_size) for path in files]
        played.set_utilization(0.5)
        clock.pass_s(86_400.0)
        played.play()

        after = [(path.stat().st_ino, path.stat().st_size) for path in files]

    assert files
    assert after == before


def test_a_machine_played_live_knows_what_it_has_spent(tmp_path: Path) -> None:
    """End-to-end tests compare the daemon with this truth."""
    with (
        closing(PlayedMachine("epyc-without-dram", tmp_path)) as played,
        closing(PowercapSource(played.sysfs)) as source,
    ):
        usage = PsutilNodeUsage(played.procfs)
        count = source.read()[0].count
        base_uj = 41_000_000_000
        spent_j = played.true_energy_j("intel-rapl:0")
        busy_s = usage.read().busy_s - played.true_busy_s()
        with played.playing(period_s=0.001):
            played.set_power("intel-rapl:0", 250.0)
            played.set_utilization(1.0)
            while played.true_energy_j("intel-rapl:0") < spent_j + 10:
                time.sleep(0.001)

        true_uj = played.true_energy_j("intel-rapl:0") * 1e6
        assert count == pytest.approx(base_uj + spent_j * 1e6, abs=1)
        assert source.read()[0].count == pytest.approx(base_uj + true_uj, abs=1)
        assert usage.read().busy_s - busy_s == pytest.approx(played.true_busy_s())
        assert played.true_busy_s() > 0


def test_a_machine_played_as_a_program_answers_with_the_truth(tmp_path: Path) -> None:
    """A bench plays it beside the daemon, in a process of its own."""
    command = [sys.executable, "-m", "tests.fakes.machine", "vm", str(tmp_path)]
    orders = "utilization 1\ntruth\n"

    answer = subprocess.run(
        command,
        cwd=_REPOSITORY,
        input=orders,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    truths = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [truth["energy_j"] for truth in truths] == [{}, {}, {}]
    assert truths[0]["busy_s"] <= truths[1]["busy_s"] <= truths[2]["busy_s"]
    assert (tmp_path / "proc" / "stat").exists()
