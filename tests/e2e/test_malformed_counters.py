import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, running
from tests.e2e.exposition import Scrape
from tests.e2e.waiting import until
from tests.fakes.clock import Clock
from tests.fakes.machine import PlayedMachine

pytestmark = pytest.mark.e2e

DEVICE = "jouled_device_energy_joules_total"
ZONES = ("package-0", "package-1", "dram-0", "dram-1")
ERRORS = "jouled_source_errors_total"
FAULTY = {"source": "rapl", "reason": "faulty"}
BAD_ZONE, BAD_DEVICE = "intel-rapl:1", "package-1"


@dataclass
class Case:
    """A daemon on a machine whose time goes on when the test says so."""

    daemon: Daemon
    machine: PlayedMachine
    clock: Clock

    @property
    def counter(self) -> Path:
        """The file that goes bad."""
        return self.machine.energy_file(BAD_ZONE)

    def pass_a_second(self) -> None:
        """Let every zone draw energy, and heal what was bad."""
        self.clock.pass_s(1.0)
        self.machine.play()

    def scrape(self) -> Scrape:
        """Scrape what was read after this moment; a tick may be too late to read."""
        now_s = time.time()

        def was_read() -> bool:
            node = self.daemon.node()
            (rapl,) = (one for one in node["sources"] if one["source"] == "rapl")
            return bool(node["unix_s"] > now_s) and rapl["reason"] != "timeout"

        until(was_read, "the counters to be read")
        return self.daemon.scrape()

    def wait_for_fault(self, before: Scrape) -> Scrape:
        """Wait until the bad counter was read, after an earlier scrape."""
        faults = before.get(ERRORS, **FAULTY) or 0
        return self.daemon.wait_for(
            lambda scrape: (scrape.get(ERRORS, **FAULTY) or 0) > faults,
            "the fault to be found",
        )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Return the daemon that all tests of this module let suffer."""
    folder = tmp_path_factory.mktemp("malformed")
    clock = Clock()
    machine = PlayedMachine("two-socket-intel", folder / "machine", clock)
    flags: list[str | Path] = [
        *("--path.sysfs", machine.sysfs, "--path.procfs", machine.procfs),
        *("--no-power.nvml", "--sampling.interval", "200ms"),
    ]
    with running(Daemon(folder, flags)) as daemon:
        daemon.wait_for_source("rapl", up=True)
        yield Case(daemon, machine, clock)
    machine.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"-1\n",
        b"n/a\n",
        b"\x00" * 21,
        b"99999999999999999999\n",
        b"18446744073709551615\n",
    ],
)
def test_garbage_in_a_counter_is_a_fault_and_never_a_number(
    case: Case, garbage: bytes
) -> None:
    """A zero would look like a reset, and a huge number like a power station."""
    before = case.scrape()

    case.counter.write_bytes(garbage)
    down = case.wait_for_fault(before)
    case.pass_a_second()
    case.daemon.wait_for_source("rapl", up=True)
    after = case.scrape()

    assert down.value("jouled_source_up", source="rapl") == 0
    assert str(case.counter) in case.daemon.said()
    for zone in case.machine.machine.zones:
        # All zones or none: a total that lacks a socket would be wrong.
        device = {"intel-rapl:0": "package-0", BAD_ZONE: BAD_DEVICE}.get(zone.id)
        if device is not None:
            drawn_j = after.value(DEVICE, device=device) - before.value(
                DEVICE, device=device
            )
            assert drawn_j == pytest.approx(zone.power_w, abs=1e-4)


def test_totals_stay_where_they_are_while_a_counter_is_bad(case: Case) -> None:
    """What is not known now is no reason to take back what was known."""
    names = ("jouled_component_energy_joules_total", "jouled_node_energy_joules_total")
    before = case.scrape()

    case.counter.write_bytes(b"nonsense\n")
    case.wait_for_fault(before)
    case.clock.pass_s(1.0)
    down = case.scrape()
    case.pass_a_second()
    case.daemon.wait_for_source("rapl", up=True)
    after = case.scrape()

    for name in names:
        was, stays, goes_on = (each.series(name) for each in (before, down, after))
        assert stays == was
        assert all(
            later > earlier
            for (_, earlier), (_, later) in zip(was, goes_on, strict=True)
        )


def test_a_jump_that_no_socket_could_have_drawn_is_not_counted(case: Case) -> None:
    """A number that is in range may still be nonsense."""
    unmeasured = "jouled_unmeasured_seconds_total"
    before = case.scrape()
    now_uj = int(case.counter.read_text())

    case.counter.write_text(f"{now_uj + 50_000_000_000}\n")
    jumped = case.scrape()
    case.pass_a_second()
    healed = case.scrape()
    case.pass_a_second()
    after = case.scrape()

    energy_j = [
        scrape.value(DEVICE, device=BAD_DEVICE)
        for scrape in (before, jumped, healed, after)
    ]
    assert energy_j[0] == energy_j[1] == energy_j[2]
    assert energy_j[3] - energy_j[2] == pytest.approx(95.0, abs=1e-4)
    assert jumped.value(unmeasured, component="cpu") > before.value(
        unmeasured, component="cpu"
    )
