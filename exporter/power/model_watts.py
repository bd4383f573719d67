"""What a CPU draws that nobody measures, and who says so.

The defaults are watts *per logical CPU*, derived from SPECpower_ssj2008 results
(watts of a whole server, idle and at full load, over its hardware threads) by
the Cloud Carbon Footprint project. They therefore hold a share of memory, fans
and power supply as well: right for a virtual machine, whose node power is this
figure alone.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exporter.core.errors import ConfigError
from exporter.core.units import Watts

_TABLE_SOURCE = (
    "Cloud Carbon Footprint ccf-coefficients, output/coefficients-aws-use.csv, "
    "from SPECpower_ssj2008 results of 2026-03-09"
)
_AVERAGE_SOURCE = (
    "Cloud Carbon Footprint methodology, average of AWS, "
    "https://www.cloudcarbonfootprint.org/docs/methodology/"
)

# /proc/cpuinfo is a block of about 1.5 kB per CPU, all alike.
_CPUINFO_BYTES = 4 << 20


class _Family(NamedTuple):
    """Watts per logical CPU of one microarchitecture, idle and fully busy."""

    name: str
    idle_w: float
    max_w: float


_AVERAGE = _Family("unknown CPU", 0.74, 3.50)

_SKYLAKE = _Family("Skylake", 0.61, 4.10)
_CASCADE_LAKE = _Family("Cascade Lake", 0.69, 4.06)
_BROADWELL = _Family("Broadwell", 0.71, 3.69)
_ICE_LAKE = _Family("Ice Lake", 0.77, 3.76)
_GRANITE_RAPIDS = _Family("Granite Rapids", 0.58, 2.53)
_EPYC_4TH = _Family("EPYC 4th Gen", 0.74, 2.28)

# By vendor, family and model as CPUID gives them: a hypervisor may hide the
# marketing name ("AMD EPYC"), seldom these. The table's own figure for EPYC 5th
# Gen (3.7 to 9 W) is four times that of its neighbours: left out as a mistake.
_FAMILIES: dict[tuple[str, int, int], _Family] = {
    ("GenuineIntel", 6, 45): _Family("Sandy Bridge", 2.21, 8.63),
    ("GenuineIntel", 6, 62): _Family("Ivy Bridge", 1.71, 5.56),
    ("GenuineIntel", 6, 63): _Family("Haswell", 1.86, 5.60),
    ("GenuineIntel", 6, 79): _BROADWELL,
    ("GenuineIntel", 6, 86): _BROADWELL,
    ("GenuineIntel", 6, 85): _SKYLAKE,
    ("GenuineIntel", 6, 106): _ICE_LAKE,
    ("GenuineIntel", 6, 108): _ICE_LAKE,
    ("GenuineIntel", 6, 143): _Family("Sapphire Rapids", 1.04, 4.16),
    ("GenuineIntel", 6, 207): _Family("Emerald Rapids", 0.81, 4.48),
    ("GenuineIntel", 6, 173): _GRANITE_RAPIDS,
    ("GenuineIntel", 6, 174): _GRANITE_RAPIDS,
    ("AuthenticAMD", 23, 1): _Family("EPYC 1st Gen", 0.85, 2.60),
    ("AuthenticAMD", 23, 49): _Family("EPYC 2nd Gen", 0.47, 1.69),
    ("AuthenticAMD", 25, 1): _Family("EPYC 3rd Gen", 0.46, 1.96),
    ("AuthenticAMD", 25, 17): _EPYC_4TH,
    ("AuthenticAMD", 25, 160): _EPYC_4TH,
}

# Skylake and Cascade Lake servers differ in the stepping alone.
_FIRST_CASCADE_LAKE_STEPPING = 5


@dataclass(frozen=True, slots=True)
class ModelWatts:
    """Watts of all CPUs together.

    Attributes:
        idle_w: with nothing to do, W, finite, >= 0.
        max_w: all CPUs busy, W, finite, > 0, >= ``idle_w``.
        cpus: number of logical CPUs, > 0.
        basis: the figures and where they come from, for a person.
    """

    idle_w: Watts
    max_w: Watts
    cpus: int
    basis: str

    def __post_init__(self) -> None:
        if not (0 <= self.idle_w <= self.max_w and 0 < self.max_w < float("inf")):
            msg = (
                f"power.model_idle_watts ({self.idle_w:g}) must not be above "
                f"power.model_max_watts ({self.max_w:g}), nor either be negative, "
                "infinite or both 0: set both for this machine"
            )
            raise ConfigError(msg)


def model_watts(
    procfs: Path, idle_w: Watts | None = None, max_w: Watts | None = None
) -> ModelWatts:
    """Take what is configured, and the default of this CPU for the rest.

    Args:
        procfs: where /proc is.
        idle_w: configured watts of all CPUs idle; ``None``: the default.
        max_w: configured watts of all CPUs busy; ``None``: the default.

    Returns:
        The figures and their basis. A CPU nobody knows gets an average, and a
        default gives way to a configured figure that contradicts it.

    Raises:
        ConfigError: both are configured, and contradict each other.
    """
    cpus, family = _identify(procfs)
    source = _AVERAGE_SOURCE if family is _AVERAGE else _TABLE_SOURCE
    default = f"default of {cpus} x {family.name} ({source})"
    idle_basis = max_basis = "configured"
    if max_w is None:
        max_basis = default
        max_w = Watts(max(family.max_w * cpus, idle_w or 0.0))
    if idle_w is None:
        idle_basis = default
        idle_w = Watts(min(family.idle_w * cpus, max_w))
    if idle_basis == max_basis:
        basis = f"{idle_w:g} W idle to {max_w:g} W busy: {idle_basis}"
    else:
        basis = f"{idle_w:g} W idle: {idle_basis}; {max_w:g} W busy: {max_basis}"
    return ModelWatts(idle_w, max_w, cpus, basis)


def _identify(procfs: Path) -> tuple[int, _Family]:
    """Tell the number of logical CPUs, and what they are."""
    try:
        with (procfs / "cpuinfo").open("rb") as file:
            cpuinfo = file.read(_CPUINFO_BYTES).decode("ascii", "replace")
    except OSError:
        cpuinfo = ""
    cpus = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))
    first = cpuinfo.partition("\n\n")[0]
    fields = dict(re.findall(r"^([\w ]+?)\s*:\s*(\S+)$", first, re.MULTILINE))
    return cpus or os.cpu_count() or 1, _family_of(fields)


def _family_of(fields: Mapping[str, str]) -> _Family:
    try:
        key = (fields["vendor_id"], int(fields["cpu family"]), int(fields["model"]))
        stepping = int(fields["stepping"])
    except (KeyError, ValueError):
        return _AVERAGE
    family = _FAMILIES.get(key, _AVERAGE)
    if family is _SKYLAKE and stepping >= _FIRST_CASCADE_LAKE_STEPPING:
        return _CASCADE_LAKE
    return family
