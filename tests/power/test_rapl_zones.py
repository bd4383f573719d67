from contextlib import closing
from pathlib import Path

import pytest

from exporter.core.errors import SourceAbsentError, SourceFaultyError
from exporter.core.model import DeviceId
from exporter.power.rapl import PowercapSource
from tests.fakes.machine import Machine, PlayedMachine, Zone, load_machine

_RANGE_UJ = 262_143_328_850


def _devices(machine: Machine | str, root: Path) -> list[DeviceId]:
    with (
        closing(PlayedMachine(machine, root)) as played,
        closing(PowercapSource(played.sysfs)) as source,
    ):
        return [reading.device.id for reading in source.read()]


def _machine(*zones: tuple[str, str]) -> Machine:
    """Describe a machine by the directories and names of its zones."""
    return Machine(
        zones=tuple(Zone(id_, name, _RANGE_UJ, 1000, 10.0) for id_, name in zones),
        cpu=load_machine("vm").cpu,
        memory=load_machine("vm").memory,
    )


@pytest.mark.parametrize(
    ("machine", "devices"),
    [
        (
            "two-socket-intel",
            ["cpu package-0", "cpu package-1", "dram dram-0", "dram dram-1"],
        ),
        ("epyc-without-dram", ["cpu package-0", "cpu package-1"]),
        (
            "intel-dies",
            [
                *("cpu package-0-die-0", "cpu package-0-die-1"),
                *("cpu package-1-die-0", "cpu package-1-die-1"),
                *("dram dram-0-die-0", "dram dram-0-die-1"),
                *("dram dram-1-die-0", "dram dram-1-die-1"),
            ],
        ),
        ("flat-dram", ["cpu package-0", "dram dram-0", "dram dram-1"]),
    ],
)
def test_every_zone_that_may_be_added_up_is_a_device_and_no_other(
    machine: str, devices: list[str], tmp_path: Path
) -> None:
    """core, uncore, psys and the MMIO twin would count joules twice."""
    found = _devices(machine, tmp_path)

    assert [" ".join(device) for device in found] == devices


def test_a_zone_counts_once_where_only_its_parent_shows_it(tmp_path: Path) -> None:
    """A copied tree may lack the links that the class directory has."""
    package = tmp_path / "class" / "powercap" / "intel-rapl:0"
    for directory, name in (
        (package, "package-0"),
        (package / "intel-rapl:0:0", "dram"),
        (package / "power", "not a zone"),
    ):
        directory.mkdir(parents=True)
        (directory / "name").write_text(f"{name}\n")
        (directory / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n")
        (directory / "energy_uj").write_text("17\n")

    with closing(PowercapSource(tmp_path)) as source:
        readings = source.read()

    assert [reading.device.id for reading in readings] == [
        DeviceId("cpu", "package-0"),
        DeviceId("dram", "dram-0"),
    ]


def test_a_die_beside_its_own_package_does_not_count(tmp_path: Path) -> None:
    """It lies inside the package."""
    machine = _machine(
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "package-0-die-0"),
        ("intel-rapl:1", "package-10"),
        ("intel-rapl:2", "package-1-die-0"),
    )
    names = [device.name for device in _devices(machine, tmp_path)]

    assert names == ["package-0", "package-10", "package-1-die-0"]


def test_zones_that_share_a_package_have_names_of_their_own(tmp_path: Path) -> None:
    """Two devices of one name would be one series."""
    machine = _machine(
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "dram"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:1:a", "dram"),
    )
    names = [device.name for device in _devices(machine, tmp_path)]

    assert names == ["package-0", "package-1", "dram-0", "dram-1", "dram-2"]


def test_two_packages_of_one_name_are_faulty(tmp_path: Path) -> None:
    """Nobody can tell whether they are one package seen twice."""
    machine = _machine(("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-0"))

    with pytest.raises(SourceFaultyError, match="package-0"):
        _devices(machine, tmp_path)


def test_a_machine_without_rapl_is_absent_not_faulty(tmp_path: Path) -> None:
    """Most virtual machines have no counter; that is no error to repeat."""
    with pytest.raises(SourceAbsentError, match="virtual machine"):
        _devices("vm", tmp_path)


def test_a_machine_with_zones_of_no_use_is_absent(tmp_path: Path) -> None:
    """A platform zone alone is neither CPU nor memory."""
    machine = _machine(("intel-rapl:0", "psys"))

    with pytest.raises(SourceAbsentError, match="psys"):
        _devices(machine, tmp_path)
