"""Power that is missing is counted, so that nobody takes it for a saving."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from exporter.core.model import Component, Device, Method, SourceInfo, SourceStatus
from exporter.core.snapshot import Snapshot
from exporter.pipeline.decoding import decode
from exporter.pipeline.encoding import encode
from exporter.pipeline.engine import Engine
from exporter.pipeline.missing import known_to
from exporter.pipeline.state import EngineSettings
from tests.fakes.node import cpu, gpu, reading, sample

STALE_S = 4


def gpu_of(driver: str, name: str) -> Device:
    """Return a GPU that a driver reads."""
    return replace(gpu(name), source=f"{driver}/{name}")


PACKAGE = replace(cpu(), source="rapl")
MODEL = replace(cpu("model"), source="model")
GPU_0, GPU_1 = gpu_of("nvml", "GPU-0"), gpu_of("nvml", "GPU-1")
ALL = (PACKAGE, GPU_0, GPU_1)


def told(
    name: str,
    reason: str = "",
    *,
    method: Method = "counter",
    component: Component = "gpu",
) -> SourceStatus:
    """Return what a source says of itself; it is up if it has no reason not to be."""
    info = SourceInfo(name, component, method, "measured", "device")
    return SourceStatus(info, up=not reason, reason=reason)


NVML = told("nvml")
WELL = (told("rapl"), NVML, *(told(one.source) for one in (GPU_0, GPU_1)))


@dataclass
class Node:
    """A node that ticks once a second; each device draws 100 W."""

    engine: Engine = field(default_factory=lambda: Engine(EngineSettings()))
    now_s: float = 1000.0

    def tick(
        self,
        *read: Device,
        sources: Sequence[SourceStatus] = WELL,
        ticks: int = 1,
    ) -> Snapshot:
        """Fold samples of some devices, and return what the last one showed."""
        self.now_s += 1.0
        now_s = self.now_s
        shown = self.engine.fold(
            sample(
                now_s,
                *(reading(one, now_s, 100.0 * now_s, 100.0) for one in read),
                sources=tuple(sources),
            )
        )
        return (
            shown if ticks == 1 else self.tick(*read, sources=sources, ticks=ticks - 1)
        )

    def restart(self) -> None:
        """Kill the daemon; another goes on from the checkpoint."""
        state = decode(json.loads(json.dumps(encode(self.engine.state))))
        self.engine = Engine(EngineSettings(), state)


@pytest.fixture
def node() -> Node:
    """Return a node all of whose devices are read."""
    node = Node()
    node.tick(*ALL, ticks=2)
    return node


def missing(snapshot: Snapshot) -> dict[str, int]:
    """Return how many devices are missing, of components that lack any."""
    return {str(name): count for name, count in snapshot.devices_missing if count}


# --- what is missing ------------------------------------------------------------------


def test_nothing_is_missing_where_all_is_read(node: Node) -> None:
    """Then the counts are 0, not absent: alerts and sums can rest on them."""
    shown = node.tick(*ALL)

    assert shown.devices_missing == (("cpu", 0), ("gpu", 0))
    assert shown.node_power_w == pytest.approx(300.0)


def test_the_power_of_a_lost_gpu_is_missing_and_the_others_go_on(node: Node) -> None:
    """The sum falls by what it drew, and says so in the same moment."""
    lost = (told("rapl"), NVML, told("nvml/GPU-0"), told("nvml/GPU-1", "faulty"))

    held = node.tick(PACKAGE, GPU_0, sources=lost, ticks=STALE_S - 1)
    gone = node.tick(PACKAGE, GPU_0, sources=lost)

    assert held.node_power_w == pytest.approx(300.0)
    assert missing(held) == {}
    assert gone.node_power_w == pytest.approx(200.0)
    assert missing(gone) == {"gpu": 1}
    assert {one.component: one.power_w for one in gone.components} == {
        "cpu": pytest.approx(100.0),
        "gpu": pytest.approx(100.0),
    }


def test_a_component_that_is_denied_is_missing_with_all_its_devices(node: Node) -> None:
    """Also when none of it is left to be shown."""
    denied = (told("rapl", "denied"), *WELL[1:])

    shown = node.tick(GPU_0, GPU_1, sources=denied, ticks=STALE_S)

    assert missing(shown) == {"cpu": 1}
    assert shown.node_power_w == pytest.approx(200.0)


def test_a_meter_whose_module_was_unloaded_is_missing(node: Node) -> None:
    """It is absent now, and its packages draw power all the same."""
    absent = (told("rapl", "absent"), *WELL[1:])

    shown = node.tick(GPU_0, GPU_1, sources=absent, ticks=STALE_S)

    assert missing(shown) == {"cpu": 1}


def test_a_device_that_comes_back_is_missing_no_more(node: Node) -> None:
    """As soon as its power is known again."""
    node.tick(PACKAGE, GPU_0, ticks=9)

    back = node.tick(*ALL)

    assert missing(back) == {}
    assert back.node_power_w == pytest.approx(300.0)


def test_a_device_is_missing_until_its_power_is_known() -> None:
    """A first reading has no energy (rule 2), so the sum lacks it."""
    node = Node()
    node.tick(PACKAGE, GPU_0)
    before = node.tick(PACKAGE, GPU_0)

    first = node.tick(*ALL)
    second = node.tick(*ALL)

    assert missing(before) == {}
    assert first.node_power_w == pytest.approx(200.0)
    assert missing(first) == {"gpu": 1}
    assert second.node_power_w == pytest.approx(300.0)
    assert missing(second) == {}


def test_what_is_missing_is_missing_after_a_restart_too(node: Node) -> None:
    """A restart repairs no GPU, and its power is as unknown as before."""
    lost = (told("rapl"), NVML, told("nvml/GPU-0"), told("nvml/GPU-1", "faulty"))
    node.tick(PACKAGE, GPU_0, sources=lost, ticks=STALE_S)

    node.restart()
    # Its driver does not read it in its first tick, as it reads none then.
    first = node.tick(PACKAGE, sources=(told("rapl"), NVML))
    later = node.tick(PACKAGE, GPU_0, sources=lost, ticks=STALE_S)

    assert missing(first) == {"gpu": 1}
    assert missing(later) == {"gpu": 1}


# --- what is missed by nobody ---------------------------------------------------------


def test_a_gpu_that_was_let_go_of_is_forgotten_when_its_driver_is_back(
    node: Node,
) -> None:
    """Taken out on purpose, it must not spoil the sum for ever; till then it does."""
    released = (told("rapl"), told("nvml", "absent"))
    resumed = (told("rapl"), NVML)
    found = (*resumed, told("nvml/GPU-0"))

    away = node.tick(PACKAGE, sources=released, ticks=STALE_S)
    back = node.tick(PACKAGE, sources=resumed)
    read = node.tick(PACKAGE, GPU_0, sources=found, ticks=2)

    assert missing(away) == {"gpu": 2}
    assert missing(back) == {"gpu": 2}
    assert missing(read) == {}
    assert read.node_power_w == pytest.approx(200.0)


def test_what_was_forgotten_stays_forgotten(node: Node) -> None:
    """By a driver that fails, by a second release, and by a restart."""
    found = (told("rapl"), NVML, told("nvml/GPU-0"))
    failing = (told("rapl"), told("nvml", "faulty"), told("nvml/GPU-0"))
    node.tick(PACKAGE, sources=(told("rapl"), NVML), ticks=STALE_S)
    node.tick(PACKAGE, GPU_0, sources=found, ticks=2)

    driver_fails = node.tick(PACKAGE, GPU_0, sources=failing)
    node.restart()
    after = node.tick(PACKAGE, GPU_0, sources=failing)

    assert missing(driver_fails) == {}
    assert missing(after) == {}
    assert known_to("nvml", node.engine.state) == ("GPU-0",)


def test_a_forgotten_gpu_that_is_put_back_is_missed_again(node: Node) -> None:
    """From its next reading on, with its old total."""
    node.tick(PACKAGE, GPU_0, sources=WELL[:-1], ticks=STALE_S)
    forgotten = set(node.engine.state.forgotten)
    node.tick(*ALL, ticks=2)

    lost = (*WELL[:-1], told("nvml/GPU-1", "faulty"))
    shown = node.tick(PACKAGE, GPU_0, sources=lost, ticks=STALE_S)

    assert forgotten == {GPU_1.id}
    assert not node.engine.state.forgotten
    assert missing(shown) == {"gpu": 1}


def test_nobody_misses_what_is_no_longer_configured(node: Node) -> None:
    """``power.nvml: false``, and a restart: who turned it off knows."""
    node.restart()

    shown = node.tick(PACKAGE, sources=(told("rapl"),), ticks=STALE_S)

    assert missing(shown) == {}
    assert shown.node_power_w == pytest.approx(100.0)


def test_a_model_is_not_missed_where_a_meter_has_taken_its_place() -> None:
    """It was an estimate of the same CPUs."""
    node = Node()
    modelled = told("model", method="modelled", component="cpu")
    silent = told("model", "absent", method="modelled", component="cpu")
    node.tick(MODEL, sources=(told("rapl", "denied"), modelled), ticks=2)

    first = node.tick(PACKAGE, sources=(told("rapl"), silent))
    second = node.tick(PACKAGE, sources=(told("rapl"), silent))
    later = node.tick(PACKAGE, sources=(told("rapl"), silent), ticks=STALE_S)

    assert missing(first) == {"cpu": 1}
    # One of the two, and never both.
    assert second.node_power_w == pytest.approx(100.0)
    assert missing(second) == {}
    assert later.node_power_w == pytest.approx(100.0)
    assert missing(later) == {}


def test_a_model_that_fails_is_missed() -> None:
    """Nothing else tells of the CPUs then."""
    node = Node()
    modelled = told("model", method="modelled", component="cpu")
    faulty = told("model", "faulty", method="modelled", component="cpu")
    node.tick(MODEL, sources=(modelled,), ticks=2)

    shown = node.tick(sources=(faulty,), ticks=STALE_S)

    assert missing(shown) == {"cpu": 1}
    assert shown.node_power_w is None


def test_a_meter_is_not_missed_where_a_model_stands_in_for_it(node: Node) -> None:
    """The quality of the source tells that it is an estimate now."""
    modelled = told("model", method="modelled", component="cpu")
    sources = (told("rapl", "denied"), modelled, *WELL[1:])

    shown = node.tick(MODEL, GPU_0, GPU_1, sources=sources, ticks=STALE_S)

    assert missing(shown) == {}


# --- the checkpoint -------------------------------------------------------------------


def test_a_driver_is_told_of_the_gpus_that_it_read_before(node: Node) -> None:
    """Only its own, and none of the CPU's zones."""
    node.restart()

    assert known_to("nvml", node.engine.state) == ("GPU-0", "GPU-1")
    assert known_to("other", node.engine.state) == ()


def test_a_driver_is_told_of_them_also_after_a_second_restart(node: Node) -> None:
    """In the first tick the driver is well and has yet to name its devices."""
    node.restart()
    node.tick(PACKAGE, sources=(told("rapl"), NVML))
    node.restart()

    assert known_to("nvml", node.engine.state) == ("GPU-0", "GPU-1")
