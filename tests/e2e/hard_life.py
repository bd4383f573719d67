"""A node's hard life under a running Prometheus: one fault after another.

It begins and ends at rest, so that what was drawn in between is known to the
last digit. All GPUs draw the same constant power while something is wrong with
one of them: what is then bridged by power and time, and what is declared
unmeasured, is known as well.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.exposition import Scrape
from tests.e2e.jobs import Job, write_script
from tests.e2e.node import ZONES, Node, playing
from tests.e2e.peers import Prometheus, prometheus
from tests.e2e.waiting import until

DEVICE = "jouled_device_energy_joules_total"
GPUS = 4
GPU_W = 100.0
ZONES_W = {
    "intel-rapl:0": 120.0,
    "intel-rapl:1": 95.0,
    "intel-rapl:0:2": 18.0,
    "intel-rapl:1:0": 16.0,
}
# The first wraps soon, the second while the daemon is dead.
WRAPS_WITHIN_J = {"intel-rapl:0": 300.0, "intel-rapl:1": 3000.0}
_HURRY_W = 800.0

HANG_S = 5.0
QUIET_S = 6.0
_DEAD_S = 2.0
_AWAY_S = 3.5
# A GPU that comes back counts from here. On a real node it would be from 0, but
# in this short life it would soon be beyond where it was, and nobody could
# tell that it had been set back.
_BACK_J = 5e5
_RESET, _LOST, _HANGS = 1, 2, 3
_SLOW_CALL = "nvmlDeviceGetPowerUsage"


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the life, in Unix time, s."""

    begin_s: float
    end_s: float


@dataclass(slots=True)
class Life:
    """What is known afterwards.

    Attributes:
        prometheus: it goes on to answer questions.
        gpus: names of the GPUs.
        begin: scrape at rest, before anything happened.
        end: scrape at rest, after everything.
        true_j: energy each device drew in between, J.
        windows: when what happened; "life" is all of it.
        hung_j: energy counted from before the hung call until after it, J.
        restarts: how often the daemon was killed and started again.
        log: what the daemon said.
    """

    prometheus: Prometheus
    gpus: tuple[str, ...]
    begin: Scrape
    end: Scrape
    true_j: dict[str, float]
    windows: dict[str, Window]
    hung_j: float
    restarts: int
    log: str

    @property
    def reset(self) -> str:
        """The GPU whose energy counter started again from 0."""
        return self.gpus[_RESET]

    @property
    def lost(self) -> str:
        """The GPU that fell off the bus."""
        return self.gpus[_LOST]

    @property
    def hung(self) -> str:
        """The GPU whose driver call did not return."""
        return self.gpus[_HANGS]


@contextmanager
def lived(folder: Path) -> Iterator[Life]:
    """Live it, and keep Prometheus for questions."""
    with playing(Node(folder, GPUS, WRAPS_WITHIN_J, scripted=True)) as node:
        write_script(node.script, _jobs(node))
        node.machine.set_utilization(0.5)
        node.daemon.start()
        with prometheus(folder / "prometheus", {"jouled": node.daemon.port}) as server:
            yield _Living(node, server).live()


def _jobs(node: Node) -> tuple[Job, ...]:
    begin_s = time.monotonic()
    return (
        Job("1", "ada", "physics", begin_s, gpus=node.gpus[:2]),
        Job("2", "bob", "biology", begin_s, gpus=node.gpus[2:3]),
    )


@dataclass(slots=True)
class _Living:
    """The life while it goes on."""

    node: Node
    prometheus: Prometheus
    windows: dict[str, Window] = field(default_factory=dict)
    hung_j: float = 0.0
    restarts: int = 0

    def live(self) -> Life:
        """Go through everything."""
        node = self.node
        with self._window("life"):
            node.rest()
            begin, before_j = node.daemon.scrape(), node.true_energy_j()
            self._work()
            self._wrap()
            self._reset_counter()
            self._hang()
            self._die_while_a_counter_wraps()
            self._lose_gpu()
            self._die()
            self._lose_driver()
            self._die()
            self._be_quiet()
            node.rest()
            after_j, end = node.true_energy_j(), node.daemon.scrape()
            self._wait_for_prometheus(time.time())
        return Life(
            prometheus=self.prometheus,
            gpus=node.gpus,
            begin=begin,
            end=end,
            true_j={name: after_j[name] - before_j[name] for name in after_j},
            windows=self.windows,
            hung_j=self.hung_j,
            restarts=self.restarts,
            log=node.daemon.said(),
        )

    def _work(self) -> None:
        self.node.set_power(ZONES_W, dict.fromkeys(range(GPUS), GPU_W))

    def _wrap(self) -> None:
        with self._window("wrap"):
            self._wait_for_wrap("intel-rapl:0")
            self._let_pass(2)

    def _reset_counter(self) -> None:
        with self._window("reset"):
            self.node.driver.reset_energy(_RESET)
            self._let_pass(2)

    def _hang(self) -> None:
        driver, daemon, gpu = self.node.driver, self.node.daemon, self.node.gpus[_HANGS]
        before = daemon.scrape()
        with self._window("hang"):
            driver.hang(_HANGS, _SLOW_CALL)
            self._stay_down(f"nvml/{gpu}", HANG_S)
        driver.delay(_HANGS, 0, _SLOW_CALL)
        after = daemon.wait_for_source(f"nvml/{gpu}", up=True)
        self.hung_j = after.value(DEVICE, device=gpu) - before.value(DEVICE, device=gpu)

    def _lose_gpu(self) -> None:
        driver, daemon = self.node.driver, self.node.daemon
        source = f"nvml/{self.node.gpus[_LOST]}"
        with self._window("lost"):
            driver.unplug(_LOST)
            self._stay_down(source, _AWAY_S)
        driver.plug(_LOST)
        driver.reset_energy(_LOST, _BACK_J)
        daemon.wait_for_source(source, up=True)

    def _lose_driver(self) -> None:
        with self._window("driver"):
            self.node.driver.unload_driver()
            self._stay_down("nvml", _AWAY_S)
        self.node.driver.load_driver()
        self._wait_for_sources()

    def _die(self) -> None:
        node = self.node
        node.daemon.kill()
        time.sleep(_DEAD_S)
        node.daemon.start()
        self.restarts += 1
        self._wait_for_sources()

    def _die_while_a_counter_wraps(self) -> None:
        node = self.node
        node.daemon.kill()
        node.machine.set_power("intel-rapl:1", _HURRY_W)
        self._wait_for_wrap("intel-rapl:1")
        node.machine.set_power("intel-rapl:1", ZONES_W["intel-rapl:1"])
        node.daemon.start()
        self.restarts += 1
        self._wait_for_sources()

    def _be_quiet(self) -> None:
        node = self.node
        node.rest()
        with self._window("quiet"):
            time.sleep(QUIET_S)
        self._work()
        self._let_pass(3)

    @contextmanager
    def _window(self, name: str) -> Iterator[None]:
        begin_s = time.time()
        yield
        self.windows[name] = Window(begin_s, time.time())

    def _let_pass(self, ticks: int) -> None:
        for _ in range(ticks):
            self.node.daemon.tick_after(time.time())

    def _stay_down(self, source: str, seconds: float) -> None:
        begin_s = time.monotonic()
        is_down = f"jouled_source_up{{source='{source}'}} == 0"
        until(
            lambda: self.prometheus.query(is_down, time.time()),
            f"Prometheus to see {source} down",
        )
        time.sleep(max(0.0, begin_s + seconds - time.monotonic()))

    def _wait_for_sources(self) -> None:
        for source in self.node.sources:
            self.node.daemon.wait_for_source(source, up=True)

    def _wait_for_wrap(self, zone: str) -> None:
        until(
            lambda: self.node.machine.true_energy_j(zone) > WRAPS_WITHIN_J[zone],
            f"{ZONES[zone]} to wrap",
        )

    def _wait_for_prometheus(self, unix_s: float) -> None:
        until(
            lambda: self.prometheus.query(
                f"timestamp(jouled_node_energy_joules_total) > {unix_s}", time.time()
            ),
            "Prometheus to scrape the end",
        )
