import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, running
from tests.fakes.machine import PlayedMachine
from tests.fakes.nvml import env_without_library

pytestmark = pytest.mark.e2e

NODE = "jouled_node_energy_joules_total"
IDLE_W, MAX_W = 10.0, 50.0
CPU_S = 2.0


def flags(sysfs: Path, procfs: Path, idle_w: float) -> list[str]:
    """Return what makes a daemon estimate the CPUs of a machine."""
    return [
        *("--path.sysfs", str(sysfs), "--path.procfs", str(procfs)),
        *("--power.model-idle-watts", str(idle_w)),
        *("--power.model-max-watts", str(MAX_W), "--sampling.interval", "300ms"),
        *("--carbon.zone", "DE"),
    ]


def test_without_meter_and_gpu_the_cpu_is_estimated_and_marked(tmp_path: Path) -> None:
    """Most who try it do so on such a machine; it must not pretend."""
    env = env_without_library(tmp_path / "no-nvml")
    with closing(PlayedMachine("vm", tmp_path / "machine")) as machine:
        daemon = Daemon(tmp_path, flags(machine.sysfs, machine.procfs, IDLE_W), env)
        with machine.playing(), running(daemon):
            idle = daemon.wait_for(
                lambda scrape: (scrape.get("jouled_node_power_watts") or 0) > 0, "power"
            )
            machine.set_utilization(1.0)
            daemon.wait_for(
                lambda scrape: scrape.value("jouled_node_power_watts") > 0.9 * MAX_W,
                "the power of busy CPUs",
            )
            node = daemon.node()

    assert idle.value("jouled_node_power_watts") == pytest.approx(IDLE_W, rel=0.05)
    assert node["quality"] == "estimated"
    sources = {source["source"]: source for source in node["sources"]}
    assert sources["model"]["quality"] == "estimated"
    assert sources["rapl"]["reason"] == sources["nvml"]["reason"] == "absent"
    assert [part["component"] for part in node["components"]] == ["cpu"]
    warnings = [line for line in daemon.said().splitlines() if "level=warning" in line]
    # On a busy machine a reading may be late.
    assert [line for line in warnings if "reason=timeout" not in line] == []


def test_work_on_this_machine_raises_the_estimate(tmp_path: Path) -> None:
    """The real /proc of wherever this runs, and real CPU time."""
    env = env_without_library(tmp_path / "no-nvml")
    cpus = os.cpu_count()
    assert cpus is not None
    watts_per_cpu = MAX_W / cpus
    burn = f"import time\nwhile time.process_time() < {CPU_S}: pass"
    with closing(PlayedMachine("vm", tmp_path / "machine")) as machine:
        daemon = Daemon(tmp_path, flags(machine.sysfs, Path("/proc"), 0.0), env)
        with running(daemon):
            before = daemon.tick_after(time.time())
            subprocess.run([sys.executable, "-c", burn], check=True, timeout=100)
            after = daemon.tick_after(time.time())

    drawn_j = after["energy_j"] - before["energy_j"]
    elapsed_s = after["unix_s"] - before["unix_s"]
    assert drawn_j >= CPU_S * watts_per_cpu * 0.9
    assert drawn_j <= MAX_W * elapsed_s * 1.1
