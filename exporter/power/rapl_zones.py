"""Which powercap zones are counted, and as which device.

Source: kernel Documentation/power/powercap/powercap.rst and
drivers/powercap/intel_rapl_common.c. Each zone directory holds ``name``,
``energy_uj`` and ``max_energy_range_uj``, both figures in microjoules; AMD
processors appear under the same names, from the same driver.

    class/powercap/intel-rapl:0      package-0          device "package-0", cpu
    class/powercap/intel-rapl:0:0    core               inside package-0
    class/powercap/intel-rapl:0:1    dram               device "dram-0", dram
    class/powercap/intel-rapl:1      package-1-die-0    device "package-1-die-0", cpu
    class/powercap/intel-rapl:1:0    dram               device "dram-1-die-0", dram
    class/powercap/intel-rapl:2      psys               around everything
    class/powercap/intel-rapl-mmio:0 package-0          the same by another door
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceError,
    SourceFaultyError,
)
from exporter.core.model import Component, Device, DeviceId
from exporter.core.units import JOULES_PER_MICROJOULE, Watts

SOURCE = "rapl"

# Room for an unsigned 64-bit integer, its line feed and any padding.
LINE_BYTES = 64
_LARGEST = 2**64 - 1
_MAX_DIGITS = len(str(_LARGEST))

# The kernel numbers zones in hexadecimal.
_ZONE_DIRECTORY = re.compile(r"intel-rapl(:[0-9a-f]+)+")
_PACKAGE = re.compile(r"package-(?P<socket>\d+(?P<die>-die-\d+)?)")

# Above any socket and its memory on sale, boost included: what is more is a
# fault of the counter.
_MAX_POWER_W: dict[Component, Watts] = {"cpu": Watts(1000.0), "dram": Watts(400.0)}

_REMEDY = (
    "since CVE-2020-8694 the kernel lets root alone read it: grant the daemon "
    "CAP_DAC_READ_SEARCH, as its systemd unit does, or give its group the file by "
    "a tmpfiles.d rule; see README, 'RAPL permissions'"
)


@dataclass(frozen=True, slots=True)
class _Zone:
    """A zone directory with the name the kernel gave it."""

    id: str
    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class OpenZone:
    """A zone that is read: an open ``energy_uj`` and what it counts."""

    fd: int
    path: Path
    max_uj: int
    device: Device


def list_zones(powercap: Path) -> tuple[str, ...]:
    """Names of the zone directories, which tell whether anything changed."""
    try:
        names = [entry.name for entry in powercap.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        raise unreadable(powercap, error) from error
    listing = tuple(sorted(filter(_ZONE_DIRECTORY.fullmatch, names)))
    if not listing:
        msg = (
            f"no RAPL zone in {powercap}: virtual machines have none; on bare metal "
            "load the module intel_rapl_msr"
        )
        raise SourceAbsentError(msg)
    return listing


def open_zones(powercap: Path, listing: Iterable[str]) -> tuple[OpenZone, ...]:
    """Open the counters that may be added up, or none of them.

    Args:
        powercap: the class directory.
        listing: what ``list_zones`` found there.

    Returns:
        Packages first, then DRAM, both in the order of their numbers; never
        empty. The caller closes their files.

    Raises:
        SourceAbsentError: there is neither a package nor a DRAM zone.
        SourceDeniedError: the operator has to grant access to a counter.
        SourceFaultyError: a file vanished or holds nonsense.
    """
    zones = _find_zones(powercap, listing)
    opened: list[OpenZone] = []
    try:
        for zone, device_id in (*_packages(zones), *_memories(zones)):
            opened.append(_open_zone(zone, device_id))
    except SourceError:
        for open_zone in opened:
            os.close(open_zone.fd)
        raise
    if not opened:
        names = ", ".join(zone.name for zone in zones)
        msg = f"no RAPL package or DRAM zone in {powercap}, only {names}"
        raise SourceAbsentError(msg)
    return tuple(opened)


def parse_unsigned(line: bytes, path: Path) -> int:
    """Parse what a counter file holds; ``path`` is only named in the error.

    Raises:
        SourceFaultyError: not an unsigned 64-bit integer.
    """
    digits = line.rstrip()
    if digits.isdigit() and len(digits) <= _MAX_DIGITS:
        value = int(digits)
        if value <= _LARGEST:
            return value
    msg = f"{path} holds {line!r}, not an unsigned 64-bit integer"
    raise SourceFaultyError(msg)


def unreadable(path: Path, error: OSError) -> SourceError:
    """Name the failure by what is to be done about it."""
    if isinstance(error, PermissionError):
        return SourceDeniedError(f"may not read {path}: {_REMEDY}")
    return SourceFaultyError(f"cannot read {path}: {error.strerror}")


def _find_zones(powercap: Path, listing: Iterable[str]) -> list[_Zone]:
    """Find all zones, each once, in the order of their numbers.

    The kernel lists every zone in the class directory and shows it below its
    parent as well; a copied tree may have only one of the two.
    """
    found: dict[str, Path] = {}
    pending = [powercap / name for name in listing]
    while pending:
        path = pending.pop()
        if path.name not in found:
            found[path.name] = path
            pending += path.glob(f"{path.name}:*")
    zones = [
        _Zone(zone_id, path, _read_line(path / "name").decode("ascii", "replace"))
        for zone_id, path in found.items()
        if _ZONE_DIRECTORY.fullmatch(zone_id)
    ]
    return sorted(zones, key=lambda zone: _numbers(zone.id))


def _numbers(zone_id: str) -> list[int]:
    return [int(number, base=16) for number in zone_id.split(":")[1:]]


def _packages(zones: Iterable[_Zone]) -> Iterator[tuple[_Zone, DeviceId]]:
    """Packages, or their dies where the kernel shows those instead.

    "core" and "uncore" lie inside a package and "psys" around it: counting them
    too would count the same joules twice, and so would a die beside its package.
    """
    named = [
        (zone, match) for zone in zones if (match := _PACKAGE.fullmatch(zone.name))
    ]
    names = [zone.name for zone, _ in named]
    for zone, match in named:
        if names.count(zone.name) > 1:
            msg = f"{zone.path}: another zone is called {zone.name!r} as well"
            raise SourceFaultyError(msg)
        if not match["die"] or zone.name.removesuffix(match["die"]) not in names:
            yield zone, DeviceId("cpu", zone.name)


def _memories(zones: Iterable[_Zone]) -> Iterator[tuple[_Zone, DeviceId]]:
    """DRAM zones, named after the package or die they lie below.

    One that lies below none takes the lowest number that is free.
    """
    names = {zone.id: zone.name for zone in zones}
    taken: set[str] = set()
    homeless: list[_Zone] = []
    for zone in zones:
        if zone.name != "dram":
            continue
        package = _PACKAGE.fullmatch(names.get(zone.id.rpartition(":")[0], ""))
        name = f"dram-{package['socket']}" if package else ""
        if name and name not in taken:
            taken.add(name)
            yield zone, DeviceId("dram", name)
        else:
            homeless.append(zone)
    free = (name for number in count() if (name := f"dram-{number}") not in taken)
    for zone in homeless:
        yield zone, DeviceId("dram", next(free))


def _open_zone(zone: _Zone, device_id: DeviceId) -> OpenZone:
    range_path = zone.path / "max_energy_range_uj"
    max_uj = parse_unsigned(_read_line(range_path), range_path)
    if max_uj == 0:
        msg = f"{range_path} holds 0: the counter has no range"
        raise SourceFaultyError(msg)
    device = Device(
        id=device_id,
        source=SOURCE,
        joules_per_count=JOULES_PER_MICROJOULE,
        counter_range=_counter_range(max_uj),
        max_power_w=_MAX_POWER_W[device_id.component],
    )
    path = zone.path / "energy_uj"
    return OpenZone(_open(path), path, max_uj, device)


def _counter_range(max_uj: int) -> int:
    """How far apart, in µJ, two counts are that look the same.

    The register behind the file has 32 bits and counts energy units. The kernel
    shows ``count * unit``, and as the range ``(2**32 - 1) * unit``, which is the
    highest count: the counter wraps one unit (15 to 61 µJ) later.
    """
    unit_uj = max(1, round(max_uj / (2**32 - 1)))
    return max_uj + unit_uj


def _read_line(path: Path) -> bytes:
    fd = _open(path)
    try:
        return os.pread(fd, LINE_BYTES, 0).rstrip()
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise unreadable(path, error) from error
