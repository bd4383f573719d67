import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceFaultyError,
)
from exporter.power.rapl import PowercapSource
from tests.fakes.clock import Clock
from tests.fakes.machine import PlayedMachine
from tests.fakes.unprivileged import public_directory, unprivileged

_RANGE_UJ = 262_143_328_850
_EPYC_RANGE_UJ = 65_532_610_987


@contextmanager
def _played(
    machine: str, root: Path, clock: Clock | None = None
) -> Iterator[tuple[PlayedMachine, PowercapSource]]:
    clock = clock or Clock()
    with (
        closing(PlayedMachine(machine, root, clock)) as played,
        closing(PowercapSource(played.sysfs, clock)) as source,
    ):
        yield played, source


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_reading_is_the_counter_in_microjoules_at_its_own_time(
    tmp_path: Path,
) -> None:
    """Energy is computed on these two figures alone."""
    clock = Clock(500.0)
    with _played("epyc-without-dram", tmp_path, clock) as (played, source):
        clock.pass_s(2.0)
        played.play()

        package = source.read()[0]

    assert package.count == 41_000_000_000 + 220_000_000
    assert package.time_s == 502.0
    assert package.power_w is None
    assert package.device.joules_per_count == 1e-6
    assert package.device.max_power_w == 1000.0
    assert package.device.source == source.info.name == "rapl"


def test_energy_is_exact_over_a_wrap(tmp_path: Path) -> None:
    """The counter wraps one energy unit after the highest count it shows."""
    clock = Clock()
    with _played("two-socket-intel", tmp_path, clock) as (played, source):
        before = source.read()[0]
        clock.pass_s(100.0)
        played.play()

        after = source.read()[0]

    assert before.count is not None
    assert after.count is not None
    assert after.count < before.count
    assert after.device.counter_range is not None
    energy_uj = (after.count - before.count) % after.device.counter_range
    assert energy_uj == pytest.approx(120.0 * 100.0 * 1e6, abs=2)


_NOT_UNSIGNED = (
    *("", "\n", "-1", "+1", "1e6", "0x10", "1_000", "²", "12 34", "12\0", "nan"),
    *(str(2**64), "0" * 64),
)


@pytest.mark.parametrize(
    ("file", "garbage"),
    [
        *(("energy_uj", garbage) for garbage in _NOT_UNSIGNED),
        *(("max_energy_range_uj", garbage) for garbage in _NOT_UNSIGNED),
        ("energy_uj", str(_RANGE_UJ + 1)),
        ("max_energy_range_uj", "0"),
    ],
)
def test_garbage_in_a_file_is_faulty(file: str, garbage: str, tmp_path: Path) -> None:
    """A counter that is not a number never becomes a zero."""
    with closing(PlayedMachine("two-socket-intel", tmp_path)) as played:
        played.energy_file("intel-rapl:1").with_name(file).write_text(garbage)

        with (
            closing(PowercapSource(played.sysfs)) as source,
            pytest.raises(SourceFaultyError, match=file),
        ):
            source.read()


@given(content=st.binary(max_size=100))
def test_whatever_a_counter_holds_it_is_a_count_or_a_fault(content: bytes) -> None:
    """No content gives a wrong figure, and none ends the daemon."""
    digits = content.rstrip()
    good = digits.isdigit() and len(digits) <= 20 and int(digits) <= _EPYC_RANGE_UJ

    with (
        public_directory() as root,
        _played("epyc-without-dram", root) as (played, source),
    ):
        played.energy_file("intel-rapl:0").write_bytes(content)
        try:
            count = source.read()[0].count
        except SourceFaultyError:
            count = None

    assert count == (int(digits) if good else None)


@pytest.mark.parametrize("file", ["name", "energy_uj"])
def test_a_file_that_fails_to_be_read_is_faulty(file: str, tmp_path: Path) -> None:
    """As a counter does whose processor was taken offline under us."""
    with closing(PlayedMachine("epyc-without-dram", tmp_path)) as played:
        path = played.energy_file("intel-rapl:1").with_name(file)
        path.unlink()
        path.mkdir()

        with (
            closing(PowercapSource(played.sysfs)) as source,
            pytest.raises(SourceFaultyError, match=f"intel-rapl:1/{file}"),
        ):
            source.read()


def test_one_faulty_zone_leaves_no_reading_at_all(tmp_path: Path) -> None:
    """A total that lacks a zone would be wrong, not approximate."""
    with _played("two-socket-intel", tmp_path) as (played, source):
        source.read()
        played.energy_file("intel-rapl:1:0").write_text("broken")

        with pytest.raises(SourceFaultyError, match="intel-rapl:1:0/energy_uj"):
            source.read()


def test_a_zone_that_recovers_is_read_at_the_next_tick(tmp_path: Path) -> None:
    """A fault costs the ticks it lasts, and no more."""
    with _played("two-socket-intel", tmp_path) as (played, source):
        os.truncate(played.energy_file("intel-rapl:0"), 0)
        with pytest.raises(SourceFaultyError):
            source.read()
        played.play()

        assert len(source.read()) == 4


def test_a_file_that_is_replaced_after_a_fault_is_opened_anew(tmp_path: Path) -> None:
    """A driver that was reloaded has new files under the old names."""
    with _played("epyc-without-dram", tmp_path) as (played, source):
        file = played.energy_file("intel-rapl:0")
        os.truncate(file, 0)
        with pytest.raises(SourceFaultyError):
            source.read()
        file.rename(file.with_name("old"))
        with pytest.raises(SourceFaultyError, match="No such file"):
            source.read()
        file.write_text("4711\n")

        assert source.read()[0].count == 4711


def test_a_meter_that_fails_is_still_the_meter(tmp_path: Path) -> None:
    """An estimate may not quietly take the place of a measurement."""
    with _played("two-socket-intel", tmp_path) as (played, _):
        played.energy_file("intel-rapl:0").write_text("broken")

        with closing(PowercapSource(played.sysfs)) as source:
            with pytest.raises(SourceFaultyError):
                source.read()

            assert source.available


def test_a_driver_loaded_later_is_found_within_30_s(tmp_path: Path) -> None:
    """Nobody has to restart the daemon after loading a module."""
    clock = Clock()
    with (
        closing(PowercapSource(tmp_path / "sys", clock)) as source,
        closing(PlayedMachine("two-socket-intel", tmp_path, clock)),
    ):
        clock.pass_s(29.0)
        with pytest.raises(SourceAbsentError):
            source.read()
        clock.pass_s(1.0)

        assert len(source.read()) == 4
        assert source.available


def test_a_package_that_comes_online_is_found_within_30_s(tmp_path: Path) -> None:
    """A node total without it would be wrong."""
    clock = Clock()
    with _played("epyc-without-dram", tmp_path, clock) as (played, source):
        package_1 = played.energy_file("intel-rapl:1").parent
        hidden = package_1.rename(tmp_path / "hidden")
        clock.pass_s(30.0)
        assert len(source.read()) == 1
        hidden.rename(package_1)
        clock.pass_s(30.0)

        assert len(source.read()) == 2


def test_a_zone_that_goes_alone_is_told_and_the_others_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A package may go offline; that the node draws less now is no good news."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    with _played("epyc-without-dram", tmp_path, clock) as (played, source):
        package_1 = played.energy_file("intel-rapl:1").parent
        hidden = package_1.rename(tmp_path / "hidden")
        clock.pass_s(30.0)
        assert len(source.read()) == 1
        clock.pass_s(30.0)
        source.read()
        hidden.rename(package_1)
        clock.pass_s(30.0)
        source.read()

    fewer, more = caplog.records
    assert "fewer RAPL zones" in fewer.getMessage()
    assert vars(fewer)["gone"] == vars(more)["new"] == "package-1"


def test_zones_that_are_gone_are_absent_within_30_s(tmp_path: Path) -> None:
    """The last values of an unloaded driver do not stand for ever."""
    clock = Clock()
    with _played("epyc-without-dram", tmp_path, clock) as (played, source):
        source.read()
        (played.sysfs / "class").rename(tmp_path / "gone")
        clock.pass_s(30.0)

        with pytest.raises(SourceAbsentError):
            source.read()
        assert source.available


def test_a_counter_for_root_alone_is_denied_with_the_remedy() -> None:
    """A machine with RAPL must not look like one without it."""
    clock = Clock()
    with (
        public_directory() as root,
        closing(PlayedMachine("two-socket-intel", root, clock)) as played,
    ):
        file = played.energy_file("intel-rapl:1")
        file.chmod(0o000)
        with unprivileged(), closing(PowercapSource(played.sysfs, clock)) as source:
            with pytest.raises(SourceDeniedError, match=r"CVE-2020-8694.*README") as it:
                source.read()

            assert str(file) in str(it.value)
            assert not source.available


def test_access_granted_later_is_used_within_30_s() -> None:
    """The operator follows the remedy, and the daemon goes on by itself."""
    clock = Clock()
    with (
        public_directory() as root,
        closing(PlayedMachine("two-socket-intel", root, clock)) as played,
    ):
        file = played.energy_file("intel-rapl:1")
        file.chmod(0o000)
        with unprivileged():
            source = PowercapSource(played.sysfs, clock)
        file.chmod(0o444)
        clock.pass_s(30.0)

        with unprivileged(), closing(source):
            assert len(source.read()) == 4


def test_a_directory_nobody_may_list_is_denied() -> None:
    """A hardened container shows no more than this."""
    with (
        public_directory() as root,
        closing(PlayedMachine("two-socket-intel", root)) as played,
    ):
        powercap = played.sysfs / "class" / "powercap"
        powercap.chmod(0o000)
        with (
            unprivileged(),
            closing(PowercapSource(played.sysfs)) as source,
            pytest.raises(SourceDeniedError, match="powercap"),
        ):
            source.read()
        powercap.chmod(0o755)


def test_files_stay_open_from_tick_to_tick_and_are_closed_at_the_end(
    tmp_path: Path,
) -> None:
    """A reader that opens files each tick is slow; one that leaks them dies."""
    clock = Clock()
    with closing(PlayedMachine("two-socket-intel", tmp_path, clock)) as played:
        before = _open_files()
        source = PowercapSource(played.sysfs, clock)
        for _ in range(100):
            clock.pass_s(1.0)
            source.read()
        during = _open_files()
        source.close()
        after = _open_files()

    assert (during - before, after - before) == (4, 0)


def test_a_failed_start_leaves_no_file_open(tmp_path: Path) -> None:
    """The daemon tries again for weeks."""
    with closing(PlayedMachine("two-socket-intel", tmp_path)) as played:
        played.energy_file("intel-rapl:1:0").unlink()
        before = _open_files()
        source = PowercapSource(played.sysfs)
        for _ in range(10):
            with pytest.raises(SourceFaultyError):
                source.read()

        assert _open_files() == before
