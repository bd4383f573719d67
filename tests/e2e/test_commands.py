import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.node import Node, playing
from tests.fakes.command_line import jouled

pytestmark = pytest.mark.e2e

ZONES_W = {"intel-rapl:0": 120.0, "intel-rapl:1": 95.0}
GPU_W = 250.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Return a node that works, and whose daemon runs."""
    node = Node(tmp_path_factory.mktemp("commands"), 1, flags=("--carbon.zone", "DE"))
    with playing(node):
        node.set_power(ZONES_W, {0: GPU_W})
        node.daemon.start()
        for source in node.sources:
            node.daemon.wait_for_source(source, up=True)
        yield node


def asked(node: Node, *command: str) -> dict[str, Any]:
    """Run a command beside the daemon; return the JSON that it prints."""
    done = jouled(*command, "--json", *node.flags, env=node.env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_check_finds_all_well_beside_the_daemon(node: Node) -> None:
    """It may be run at any time, and tells the daemon's port from a stranger's."""
    answer = asked(
        node, "check", "--web.listen-address", f"127.0.0.1:{node.daemon.port}"
    )

    texts = {each["subject"]: each["text"] for each in answer["findings"]}
    assert answer["ok"] is True
    assert texts["cpu"] == "measured by rapl"
    assert texts["gpu"] == "measured by nvml"
    assert "a jouled runs here" in texts["address"]


def test_sample_tells_what_the_node_draws_and_disturbs_nobody(node: Node) -> None:
    """Two readers of one counter do not take joules from each other."""
    before = node.daemon.node()

    answer = asked(node, "sample", "--seconds", "5")

    after = node.daemon.tick_after(time.time())
    power_w = sum(ZONES_W.values()) + GPU_W
    assert answer["power_watts"] == pytest.approx(power_w, rel=0.2)
    assert {device["quality"] for device in answer["devices"]} == {"measured"}
    counted_j = after["energy_j"] - before["energy_j"]
    elapsed_s = after["unix_s"] - before["unix_s"]
    assert counted_j / elapsed_s == pytest.approx(power_w, rel=0.2)


def test_metrics_tells_every_series_that_a_scrape_has(node: Node) -> None:
    """The list in the manual is the list that is served."""
    done = jouled("metrics", "--json")
    told = {each["name"]: each for each in json.loads(done.stdout)["metrics"]}

    found = node.daemon.scrape().samples("jouled_")

    assert found
    for name, labels in found:
        assert set(labels) == set(told[name]["labels"])
