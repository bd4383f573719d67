import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from math import fsum
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.power.rapl import PowercapSource
from exporter.workloads.node_usage import PsutilNodeUsage
from tests.fakes.clock import Clock
from tests.fakes.machine import PlayedMachine

_PATIENCE_S = 30.0

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        shutil.which("prometheus-node-exporter") is None,
        reason="needs prometheus-node-exporter on PATH",
    ),
]


@contextmanager
def _node_exporter(played: PlayedMachine) -> Iterator[str]:
    """Start the real exporter on the machine; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        "prometheus-node-exporter",
        f"--path.sysfs={played.sysfs}",
        f"--path.procfs={played.procfs}",
        f"--web.listen-address={address}",
        "--collector.disable-defaults",
        *("--collector.rapl", "--collector.cpu", "--collector.meminfo"),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield address
        finally:
            process.terminate()


def _scrape(address: str) -> list[Sample]:
    """Scrape it once, as soon as it answers."""
    give_up_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(
                f"http://{address}/metrics", timeout=_PATIENCE_S
            ) as response:
                families = text_string_to_metric_families(response.read().decode())
                return [sample for family in families for sample in family.samples]
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.05)


def test_node_exporter_reads_the_same_energy_from_the_same_tree(
    tmp_path: Path,
) -> None:
    """The fixture is laid out as sysfs is, and our reading of it is no other."""
    with (
        closing(PlayedMachine("two-socket-intel", tmp_path)) as played,
        closing(PowercapSource(played.sysfs)) as source,
        _node_exporter(played) as address,
    ):
        played.play()
        samples = _scrape(address)
        ours = {reading.device.id.name: reading.count for reading in source.read()}

    theirs = {
        Path(sample.labels["path"]).name: round(sample.value * 1e6)
        for sample in samples
        if sample.name.startswith("node_rapl_")
    }
    assert ours == {
        "package-0": theirs["intel-rapl:0"],
        "package-1": theirs["intel-rapl:1"],
        "dram-0": theirs["intel-rapl:0:2"],
        "dram-1": theirs["intel-rapl:1:0"],
    }


def test_node_exporter_reads_the_same_usage_from_the_same_tree(
    tmp_path: Path,
) -> None:
    """What we call busy is the modes that node_exporter tells apart."""
    clock = Clock()
    with (
        closing(PlayedMachine("two-socket-intel", tmp_path, clock)) as played,
        _node_exporter(played) as address,
    ):
        played.set_utilization(0.25)
        clock.pass_s(60.0)
        played.play()
        samples = _scrape(address)
        usage = PsutilNodeUsage(played.procfs).read()

    busy_s = fsum(
        sample.value
        for sample in samples
        if sample.labels.get("mode") in {"user", "nice", "system", "irq", "softirq"}
        and sample.name == "node_cpu_seconds_total"
    )
    gauges = {sample.name: sample.value for sample in samples if not sample.labels}
    total = gauges["node_memory_MemTotal_bytes"]
    assert usage.busy_s == pytest.approx(busy_s, abs=0.1)
    assert usage.memory_total_bytes == total
    assert usage.memory_used_bytes == total - gauges["node_memory_MemAvailable_bytes"]
