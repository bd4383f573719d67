import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.exposition import Scrape
from tests.e2e.node import Node, playing
from tests.e2e.waiting import PATIENCE_S
from tests.fakes.command_line import jouled
from tests.fakes.nvml import ALL_GPUS, LIB_RM_VERSION_MISMATCH, FakeNvml

pytestmark = pytest.mark.e2e

DEVICE = "jouled_device_energy_joules_total"
COMPONENT = "jouled_component_energy_joules_total"
MISSING = "jouled_devices_missing"
UP = "jouled_source_up"
GPUS = 2
GPU_W = 250.0


@contextmanager
def working(folder: Path) -> Iterator[Node]:
    """Play a node whose GPUs work; its daemon is not started yet."""
    node = Node(folder, GPUS, flags=("--sampling.interval", "200ms"))
    with playing(node):
        work(node)
        yield node


def work(node: Node) -> None:
    """Let the node draw power."""
    node.set_power({"intel-rapl:0": 100.0}, dict.fromkeys(range(GPUS), GPU_W))


def members(scrape: Scrape) -> dict[str, float]:
    """Return the sources that are single GPUs, and whether they are up."""
    return {
        labels["source"]: up
        for labels, up in scrape.series(UP)
        if labels["source"].startswith("nvml/")
    }


def wait_for_gpus(node: Node) -> Scrape:
    """Wait until every GPU has been read."""
    return node.daemon.wait_for(
        lambda scrape: list(members(scrape).values()) == [1.0] * GPUS, "the GPUs"
    )


def gpu_command(node: Node, action: str) -> str:
    """Run ``jouled gpu`` for this daemon, and return what it said."""
    done = jouled("gpu", action, *node.daemon.state_flags, "--timeout", "60s")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_driver_is_let_go_of_and_taken_up_again(tmp_path: Path) -> None:
    """A MIG change or a GPU reset needs no restart, and costs no joule."""
    with working(tmp_path) as node:
        daemon = node.daemon
        daemon.start()
        wait_for_gpus(node)
        node.rest()
        true_before, before = node.true_energy_j(), daemon.scrape()
        work(node)

        assert gpu_command(node, "release").startswith("released")
        # Whatever is called in the driver from here on would not come back.
        node.driver.hang(ALL_GPUS)
        left = daemon.wait_for(
            lambda scrape: not scrape.series(DEVICE, component="gpu"),
            "the GPUs' series to leave",
        )
        rapl_j = left.value(DEVICE, device="package-0")
        later = daemon.wait_for(
            lambda scrape: scrape.value(DEVICE, device="package-0") > rapl_j + 100,
            "the CPUs to be counted on",
        )
        released = daemon.node()["sources"]
        node.driver.delay(ALL_GPUS, 0)
        assert gpu_command(node, "resume").startswith("resumed")
        back = wait_for_gpus(node)
        node.rest()
        true_after, after = node.true_energy_j(), daemon.scrape()

    assert members(later) == {}
    (nvml,) = [source for source in released if source["source"] == "nvml"]
    assert (nvml["up"], nvml["reason"]) == (False, "absent")
    # A busy machine may have taken longer than a tick for its first look.
    assert {error["reason"] for error in nvml["errors"]} <= {"timeout"}
    assert "released by an operator" in nvml["message"]
    for gpu in node.gpus:
        assert back.value(DEVICE, device=gpu) >= before.value(DEVICE, device=gpu)
        counted_j = after.value(DEVICE, device=gpu) - before.value(DEVICE, device=gpu)
        true_j = true_after[gpu] - true_before[gpu]
        assert counted_j == pytest.approx(true_j, rel=1e-6, abs=0.002)
    totals = [
        scrape.value(COMPONENT, component="gpu")
        for scrape in (before, left, later, back, after)
    ]
    assert totals == sorted(totals)


def test_a_lost_gpu_is_missing_until_it_is_taken_out_on_purpose(
    tmp_path: Path,
) -> None:
    """Power that falls because nobody measures it must not pass for a saving."""
    with working(tmp_path) as node:
        daemon = node.daemon
        lost = f"nvml/{node.gpus[1]}"
        daemon.start()
        wait_for_gpus(node)
        whole = daemon.wait_for(
            lambda scrape: scrape.get(MISSING, component="gpu") == 0, "all power"
        )

        node.driver.unplug(1)
        falls = daemon.wait_for(
            lambda scrape: scrape.get(MISSING, component="gpu") == 1, "the loss"
        )
        daemon.kill()
        daemon.start()
        restarted = daemon.wait_for(
            lambda scrape: (
                members(scrape).get(lost) == 0
                and scrape.get(MISSING, component="gpu") == 1
            ),
            "the loss after a restart",
        )
        gpu_command(node, "release")
        gpu_command(node, "resume")
        forgotten = daemon.wait_for(
            lambda scrape: (
                scrape.get(MISSING, component="gpu") == 0
                and lost not in members(scrape)
            ),
            "the GPU to be forgotten",
        )

    for scrape, gpus in ((whole, 2), (falls, 1), (restarted, 1), (forgotten, 1)):
        power_w = scrape.value("jouled_component_power_watts", component="gpu")
        shown = scrape.series("jouled_device_power_watts", component="gpu")
        assert len(shown) == gpus
        assert power_w == pytest.approx(sum(watts for _, watts in shown))


def test_a_driver_that_hangs_at_the_start_holds_nobody_up(tmp_path: Path) -> None:
    """A broken GPU must not cost the node its other figures."""
    with working(tmp_path) as node:
        node.driver.hang(ALL_GPUS, "nvmlInitWithFlags")
        node.daemon.start()
        node.daemon.wait_for_source("nvml", up=False)
        node.daemon.wait_for(
            lambda scrape: (scrape.get(DEVICE, device="package-0") or 0) > 100,
            "the CPUs to be counted",
        )

        node.driver.delay(ALL_GPUS, 0, "nvmlInitWithFlags")

        wait_for_gpus(node)


def test_a_driver_that_was_exchanged_ends_the_daemon_for_a_restart(
    tmp_path: Path,
) -> None:
    """The old library stays in the process: only a new one can read the GPUs."""
    with working(tmp_path) as node:
        node.daemon.start()
        wait_for_gpus(node)
        node.driver.unload_driver()
        node.driver.init_code(LIB_RM_VERSION_MISMATCH)

        code = node.daemon.wait(PATIENCE_S)
        node.driver.load_driver("580.65.06")
        node.daemon.start()
        scrape = wait_for_gpus(node)

    assert code == 1
    assert {labels["driver"] for labels, _ in scrape.series("jouled_gpu_info")} == {
        "580.65.06"
    }


def test_an_old_driver_is_read_by_what_it_has(tmp_path: Path) -> None:
    """Without an energy counter power is integrated, and said to be."""
    driver = FakeNvml(tmp_path / "old", GPUS)
    node = Node(
        tmp_path,
        0,
        flags=("--sampling.interval", "200ms"),
        env=driver.env(old_driver=True),
    )
    for number in range(GPUS):
        driver.set_power(number, GPU_W)
    since_s = max(gpu.energy_t0 for gpu in driver.gpus)
    time.sleep(max(0.0, since_s - time.monotonic()))
    with playing(node):
        node.daemon.start()
        scrape = node.daemon.wait_for(
            lambda scrape: scrape.total(DEVICE, component="gpu") > GPUS * GPU_W,
            "a second's energy",
        )

    for gpu in driver.gpus:
        watts = scrape.value("jouled_device_power_watts", device=gpu.uuid)
        assert watts == pytest.approx(GPU_W)
        drawn_j = scrape.value(DEVICE, device=gpu.uuid)
        assert drawn_j < GPU_W * (time.monotonic() - since_s)
        source = f"nvml/{gpu.uuid}"
        assert scrape.value("jouled_source_info", source=source, method="integrated")
        assert scrape.value("jouled_gpu_temperature_celsius", device=gpu.uuid) == 40
