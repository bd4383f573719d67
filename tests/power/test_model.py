from contextlib import closing
from itertools import pairwise
from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.errors import (
    ConfigError,
    SourceAbsentError,
    SourceFaultyError,
)
from exporter.core.units import Seconds, Watts
from exporter.power.model import ModelSource, ModelWhenUnmetered
from exporter.power.model_watts import ModelWatts, model_watts
from exporter.power.rapl import PowercapSource
from exporter.workloads.node_usage import BusyTime
from tests.fakes.clock import Clock
from tests.fakes.machine import PlayedMachine
from tests.fakes.unprivileged import public_directory, unprivileged


class PlayedBusyTime:
    """CPU time that a test sets."""

    def __init__(self, busy_s: float = 0.0) -> None:
        self.busy_s = busy_s
        self.is_closed = False

    def read(self) -> Seconds:
        """Return it, s."""
        return Seconds(self.busy_s)

    def close(self) -> None:
        """Take note of it."""
        self.is_closed = True


def _count(source: ModelSource | ModelWhenUnmetered) -> int:
    (reading,) = source.read()
    assert reading.count is not None
    return reading.count


def test_modelled_energy_is_idle_plus_dynamic_by_utilisation(tmp_path: Path) -> None:
    """Power = idle + (max - idle) * utilisation, in each stretch of time."""
    clock = Clock()
    with closing(PlayedMachine("vm", tmp_path, clock)) as played:
        watts = model_watts(played.procfs, Watts(10.0), Watts(50.0))
        source = ModelSource(watts, BusyTime(played.procfs), clock)
        counts = [_count(source)]
        for utilization in (0.0, 1.0, 0.25):
            played.set_utilization(utilization)
            clock.pass_s(100.0)
            played.play()
            counts.append(_count(source))

    energies_j = [(later - earlier) * 1e-6 for earlier, later in pairwise(counts)]
    assert energies_j == pytest.approx([1000.0, 5000.0, 2000.0])


@given(
    idle_w=st.floats(0, 100),
    dynamic_w=st.floats(0.1, 500),
    parts=st.lists(
        st.tuples(st.floats(0.1, 1e4), st.floats(0, 1)), min_size=1, max_size=8
    ),
)
def test_a_restart_of_the_daemon_changes_no_count(
    idle_w: float, dynamic_w: float, parts: list[tuple[float, float]]
) -> None:
    """The counter is a function of boot-long counters, so nothing is forgotten."""
    clock = Clock()
    busy = PlayedBusyTime()
    watts = ModelWatts(Watts(idle_w), Watts(idle_w + dynamic_w), 4, "test")
    lasting = ModelSource(watts, busy, clock)

    first = _count(lasting)
    expected_j = 0.0
    for elapsed_s, utilization in parts:
        clock.pass_s(elapsed_s)
        busy.busy_s += 4 * elapsed_s * utilization
        expected_j += (idle_w + dynamic_w * utilization) * elapsed_s
    restarted = ModelSource(watts, busy, clock)

    assert _count(restarted) == _count(lasting)
    assert (_count(lasting) - first) * 1e-6 == pytest.approx(
        expected_j, rel=1e-6, abs=1e-3
    )


def test_a_modelled_reading_says_that_it_is_estimated() -> None:
    """Measured and estimated watts are told apart, always."""
    watts = ModelWatts(Watts(5.0), Watts(20.0), 2, "test")
    source = ModelSource(watts, PlayedBusyTime(1.0), Clock(100.0))

    (reading,) = source.read()

    assert (source.info.method, source.info.quality) == ("modelled", "estimated")
    assert reading.device.id == ("cpu", "model")
    assert reading.device.source == source.info.name
    assert reading.device.counter_range is None
    assert reading.device.max_power_w >= 20.0
    assert reading.device.idle_power_w == 5.0
    assert reading.time_s == 100.0


def test_a_model_that_is_closed_lets_go_of_what_it_asked() -> None:
    """Which may hold a file open."""
    busy = PlayedBusyTime()
    source = ModelSource(ModelWatts(Watts(5.0), Watts(20.0), 2, "test"), busy)

    source.close()

    assert busy.is_closed


def test_a_model_that_cannot_see_the_load_is_faulty(tmp_path: Path) -> None:
    """Without /proc/stat there is no estimate, not one of an idle machine."""
    watts = ModelWatts(Watts(5.0), Watts(20.0), 2, "test")
    source = ModelSource(watts, BusyTime(tmp_path))

    with pytest.raises(SourceFaultyError, match="stat"):
        source.read()


def _model(played: PlayedMachine, clock: Clock) -> ModelSource:
    watts = model_watts(played.procfs)
    return ModelSource(watts, BusyTime(played.procfs), clock)


def test_a_model_counts_where_there_is_no_meter(tmp_path: Path) -> None:
    """On a virtual machine there is nothing else."""
    clock = Clock()
    with (
        closing(PlayedMachine("vm", tmp_path, clock)) as played,
        closing(PowercapSource(played.sysfs, clock)) as meter,
        closing(ModelWhenUnmetered(_model(played, clock), meter)) as source,
    ):
        assert _count(source) > 0
        assert source.info.name == "model"


def test_a_model_is_silent_where_there_is_a_meter(tmp_path: Path) -> None:
    """The same joules would be counted twice."""
    clock = Clock()
    with (
        closing(PlayedMachine("two-socket-intel", tmp_path, clock)) as played,
        closing(PowercapSource(played.sysfs, clock)) as meter,
        closing(ModelWhenUnmetered(_model(played, clock), meter)) as source,
        pytest.raises(SourceAbsentError, match="has an energy meter"),
    ):
        source.read()


def test_a_model_is_silent_while_the_meter_fails(tmp_path: Path) -> None:
    """Missing is not zero, and not an estimate either."""
    clock = Clock()
    with (
        closing(PlayedMachine("two-socket-intel", tmp_path, clock)) as played,
        closing(PowercapSource(played.sysfs, clock)) as meter,
        closing(ModelWhenUnmetered(_model(played, clock), meter)) as source,
    ):
        played.energy_file("intel-rapl:0").write_text("broken")
        with pytest.raises(SourceFaultyError):
            meter.read()

        with pytest.raises(SourceAbsentError):
            source.read()


def test_a_model_counts_while_the_meter_is_denied_and_yields_when_granted() -> None:
    """A first try as a plain user shows estimates, and says so."""
    clock = Clock()
    with (
        public_directory() as root,
        closing(PlayedMachine("two-socket-intel", root, clock)) as played,
    ):
        file = played.energy_file("intel-rapl:0")
        file.chmod(0o000)
        with unprivileged():
            meter = PowercapSource(played.sysfs, clock)
        source = ModelWhenUnmetered(_model(played, clock), meter)
        denied = _count(source)
        file.chmod(0o444)
        clock.pass_s(30.0)
        meter.read()

        with closing(meter), pytest.raises(SourceAbsentError):
            source.read()
        assert denied > 0


@pytest.mark.parametrize(
    ("machine", "family", "idle_w", "max_w"),
    [
        ("two-socket-intel", "Ice Lake", 16 * 0.77, 16 * 3.76),
        ("intel-dies", "Cascade Lake", 16 * 0.69, 16 * 4.06),
        ("epyc-without-dram", "EPYC 3rd Gen", 32 * 0.46, 32 * 1.96),
        ("vm", "EPYC 4th Gen", 4 * 0.74, 4 * 2.28),
    ],
)
def test_default_watts_follow_the_microarchitecture_and_name_their_source(
    machine: str, family: str, idle_w: float, max_w: float, tmp_path: Path
) -> None:
    """A hypervisor hides the CPU's name, but not its family and model."""
    with closing(PlayedMachine(machine, tmp_path)) as played:
        watts = model_watts(played.procfs)

    assert (watts.idle_w, watts.max_w) == pytest.approx((idle_w, max_w))
    assert family in watts.basis
    assert "SPECpower" in watts.basis


@pytest.mark.parametrize(
    "cpuinfo",
    [
        None,
        "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n\n",
        "vendor_id\t: GenuineIntel\ncpu family\t: six\nmodel\t: 85\nstepping\t: 7\n",
        "\0\xff",
    ],
)
def test_an_unknown_cpu_gets_an_average_and_says_so(
    cpuinfo: str | None, tmp_path: Path
) -> None:
    """There is an estimate on every machine, and nobody takes it for more."""
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)

    watts = model_watts(tmp_path)

    assert watts.idle_w == pytest.approx(0.74 * watts.cpus)
    assert watts.max_w == pytest.approx(3.5 * watts.cpus)
    assert "unknown CPU" in watts.basis


def test_an_early_stepping_of_model_85_is_skylake(tmp_path: Path) -> None:
    """Skylake and Cascade Lake servers differ in nothing else."""
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
        "model\t\t: 85\nmodel name\t: Intel(R) Xeon(R) Gold 6148\nstepping\t: 4\n"
    )

    assert "Skylake" in model_watts(tmp_path).basis


def test_configured_watts_win_and_are_told_as_such(tmp_path: Path) -> None:
    """The operator has a wattmeter."""
    watts = model_watts(tmp_path, Watts(31.0), Watts(142.5))

    assert watts.basis == "31 W idle to 142.5 W busy: configured"


@pytest.mark.parametrize(
    ("idle_w", "max_w", "expected"),
    [
        (Watts(40.0), None, (40.0, 40.0)),
        (Watts(5.0), None, (5.0, 4 * 2.28)),
        (None, Watts(2.0), (2.0, 2.0)),
        (None, Watts(90.0), (4 * 0.74, 90.0)),
    ],
)
def test_a_default_gives_way_to_a_configured_figure(
    idle_w: Watts | None,
    max_w: Watts | None,
    expected: tuple[float, float],
    tmp_path: Path,
) -> None:
    """One figure of the operator's may not stop the daemon on another CPU."""
    with closing(PlayedMachine("vm", tmp_path)) as played:
        watts = model_watts(played.procfs, idle_w, max_w)

    assert (watts.idle_w, watts.max_w) == pytest.approx(expected)
    assert "configured" in watts.basis
    assert "EPYC 4th Gen" in watts.basis


@pytest.mark.parametrize(
    ("idle_w", "max_w"), [(-1, 5), (6, 5), (0, 0), (nan, 5), (0, nan), (0, inf)]
)
def test_watts_that_make_no_sense_are_refused(idle_w: float, max_w: float) -> None:
    """A model of less than nothing would make energy fall."""
    with pytest.raises(ConfigError, match=r"power\.model_idle_watts"):
        ModelWatts(Watts(idle_w), Watts(max_w), 1, "test")
