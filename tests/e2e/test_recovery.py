import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.node import ZONES, Node, playing
from tests.e2e.waiting import until
from tests.fakes.machine_procfs import BOOT_ID

pytestmark = pytest.mark.e2e

DEVICE = "jouled_device_energy_joules_total"
NODE = "jouled_node_energy_joules_total"
ZONES_W = dict.fromkeys(ZONES, 150.0)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Return a node whose daemon runs."""
    node = Node(tmp_path, 1, flags=("--sampling.interval", "300ms"))
    with playing(node):
        node.daemon.start()
        yield node


def counted_j(node: Node) -> dict[str, float]:
    """Energy of each device as the daemon tells it, J."""
    return {
        labels["device"]: value for labels, value in node.daemon.scrape().series(DEVICE)
    }


def checkpoints(node: Node) -> list[Path]:
    """Return the names of the two files of a node's checkpoint."""
    return [node.daemon.run_dir / f"checkpoint.{number}" for number in range(2)]


def number_of_save(checkpoint: Path) -> bytes:
    """Return the number in the first line of a file."""
    return checkpoint.read_bytes().split()[6]


@pytest.mark.parametrize("end", ["kill", "kill in a save", "stop"])
def test_what_was_drawn_while_it_was_dead_is_counted_once(node: Node, end: str) -> None:
    """The hardware counts on, and the checkpoint knows from where."""
    node.rest()
    true_before_j, before_j = node.true_energy_j(), counted_j(node)
    node.set_power(ZONES_W, {0: 300.0})
    node.daemon.wait_for(
        lambda scrape: (
            scrape.value(DEVICE, device="package-0") > before_j["package-0"] + 100
        ),
        "some energy before the end",
    )

    if end == "stop":
        assert node.daemon.stop() == 0
    else:
        node.daemon.kill()
    if end == "kill in a save":
        last = max(checkpoints(node), key=number_of_save)
        os.truncate(last, last.stat().st_size // 2)
    at_end_j = node.true_energy_j()
    node.daemon.start()
    # On a busy machine the first ticks may be too late to read anything.
    first = node.daemon.wait_for(
        lambda scrape: scrape.get(DEVICE, device="package-0") is not None,
        "the counter after the restart",
    )
    reborn = first.value(DEVICE, device="package-0")
    node.rest()
    true_after_j, after_j = node.true_energy_j(), counted_j(node)

    if end == "kill in a save":
        assert "a save was cut short" in node.daemon.said()
    assert reborn >= before_j["package-0"] + 50
    for device, true_j in true_after_j.items():
        # Most of it was drawn in the time of nobody.
        assert true_j > at_end_j[device] > true_before_j[device]
        assert after_j[device] - before_j[device] == pytest.approx(
            true_j - true_before_j[device], rel=1e-6, abs=0.002
        )


def test_another_boot_starts_from_zero(node: Node) -> None:
    """The hardware's counters did too; Prometheus takes it for the reset it is."""
    node.set_power(ZONES_W, {0: 300.0})
    node.daemon.wait_for(lambda scrape: (scrape.get(NODE) or 0) > 100, "some energy")
    node.rest()
    node.daemon.kill()
    boot_id = node.machine.procfs / "sys/kernel/random/boot_id"
    boot_id.write_text(BOOT_ID[::-1] + "\n")

    node.daemon.start()
    node.daemon.tick_after(time.time())

    assert (node.daemon.scrape().get(NODE) or 0.0) == 0
    assert "another boot" in node.daemon.said()


@pytest.mark.parametrize("spoilt", ["empty", "half", "of another program"])
def test_a_spoilt_checkpoint_is_set_aside_and_told(node: Node, spoilt: str) -> None:
    """It may hold what somebody wants to look into, and must not stop the daemon."""
    node.daemon.kill()
    files = checkpoints(node)
    whole = files[0].read_bytes()
    content = {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "of another program": b'{"version": 1, "boot_id": "%s"}' % BOOT_ID.encode(),
    }[spoilt]
    for file in files:
        file.write_bytes(content)

    node.daemon.start()

    for file in files:
        assert file.with_name(f"{file.name}.unusable").read_bytes() == content
    said = "checkpoint cannot be used, counters start from 0"
    assert node.daemon.said().count(said) == 1
    node.set_power(ZONES_W, {0: 300.0})
    node.daemon.wait_for(
        lambda scrape: (scrape.get(NODE) or 0.0) > 0, "energy to be counted"
    )


def test_a_checkpoint_that_cannot_be_written_is_told_and_survived(node: Node) -> None:
    """A full or broken tmpfs costs the protection against crashes, nothing else."""
    in_the_way = node.daemon.run_dir / "checkpoint.0"
    node.set_power(ZONES_W, {0: 300.0})

    def put_in_the_way() -> bool:
        in_the_way.unlink(missing_ok=True)
        # The daemon may have been quicker, and have written it anew.
        with contextlib.suppress(FileExistsError):
            in_the_way.mkdir()
        return in_the_way.is_dir()

    until(put_in_the_way, "a directory in the way")
    down = node.daemon.wait_for_source("checkpoint", up=False)
    node.daemon.wait_for(
        lambda scrape: scrape.value(NODE) > down.value(NODE) + 100, "counting to go on"
    )
    in_the_way.rmdir()
    node.daemon.wait_for_source("checkpoint", up=True)

    assert node.daemon.said().count("cannot write checkpoint") == 1
