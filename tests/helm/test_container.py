from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.exposition import Scrape
from tests.e2e.processes import free_port
from tests.e2e.waiting import until
from tests.fakes import plain_http
from tests.fakes.chart import Rendered
from tests.fakes.container import Bundle, why_no_container
from tests.fakes.machine import PlayedMachine

pytestmark = pytest.mark.timeout(300)

# What somebody would try who got in.
_TRIES = """
import os
for path in ("/host/proc/try", "/host/sys/try", "/try", "/var/log/pods/try"):
    try:
        open(path, "w").close()
        print("could write", path)
    except OSError as error:
        print(error.strerror, path)
print("may", open("/proc/self/status").read().partition("CapBnd:")[2].split()[0])
try:
    os.setuid(65534)
except OSError as error:
    print("user", error.strerror)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[PlayedMachine]:
    """Return a node whose energy counters are closed to all but their owner."""
    machine = PlayedMachine("two-socket-intel", tmp_path / "machine")
    (machine.sysfs / "fs" / "cgroup").mkdir(parents=True, exist_ok=True)
    for zone in machine.machine.zones:
        # So that what is spent is what the test spends.
        machine.set_power(zone.id, 0.0)
        machine.energy_file(zone.id).chmod(0o400)
    yield machine
    machine.close()


@pytest.fixture
def places(
    tmp_path: Path, machine: PlayedMachine, default: Rendered
) -> dict[str, Path]:
    """Return what the node and the cluster mount into the pod."""
    found = {
        "/sys": machine.sysfs,
        "/proc": machine.procfs,
        "/var/lib/kubelet/pod-resources": tmp_path / "pod-resources",
        "/var/log/pods": tmp_path / "pod-logs",
        "/run/jouled": tmp_path / "run",
        "/var/lib/jouled": tmp_path / "lib",
        "config": tmp_path / "config",
    }
    for path in found.values():
        path.mkdir(exist_ok=True)
    (found["config"] / "jouled.yml").write_text(default.settings("node"))
    why = why_no_container(tmp_path / "probe", default.pod("node"), found)
    if why:
        pytest.skip(why)
    return found


def scrape_of(bundle: Bundle, port: int) -> Scrape:
    """Run a container until its first tick is published, and scrape it."""

    def ask(path: str) -> httpx.Response:
        answer = plain_http.get(f"http://127.0.0.1:{port}{path}", timeout=30)
        return answer.raise_for_status()

    def look() -> Scrape | None:
        assert process.poll() is None, bundle.said()
        try:
            ask("/readyz")
            return Scrape(ask("/metrics").text)
        except httpx.HTTPError:
            return None

    with bundle.running() as process:
        return until(look, "the first tick in the container")


def test_counters_go_on_in_the_next_pod_of_a_node(
    tmp_path: Path,
    machine: PlayedMachine,
    places: dict[str, Path],
    default: Rendered,
) -> None:
    """With all that the chart takes away, and none of it missing."""
    port = free_port()
    env = {
        "JOULED_WEB__LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "JOULED_POWER__NVML": "false",
    }
    zone = machine.machine.zones[0].id
    pod = default.pod("node")

    first = scrape_of(Bundle(tmp_path / "first", pod, places, env), port)
    machine.spend(zone, 70.0)
    second = scrape_of(Bundle(tmp_path / "second", pod, places, env), port)

    def energy_j(scrape: Scrape) -> float:
        return scrape.total("jouled_component_energy_joules_total", component="cpu")

    assert first.get("jouled_source_up", source="rapl") == 1
    assert energy_j(second) == pytest.approx(energy_j(first) + 70, rel=1e-6)


def test_whoever_gets_in_can_write_nowhere_and_become_nobody_else(
    tmp_path: Path, places: dict[str, Path], default: Rendered
) -> None:
    """Of root there is the number and nothing else."""
    pod = default.pod("node")
    program = ("/usr/bin/env", "python3", "-c", _TRIES)

    bundle = Bundle(tmp_path / "try", pod, places, {}, program)
    code = bundle.run()

    assert code == 0, bundle.said()
    assert bundle.said().splitlines() == [
        "Read-only file system /host/proc/try",
        "Read-only file system /host/sys/try",
        "Read-only file system /try",
        "Read-only file system /var/log/pods/try",
        "may 0000000000000000",
        "user Operation not permitted",
    ]
