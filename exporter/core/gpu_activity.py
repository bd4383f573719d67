"""What was done on a GPU that several share, as far as its driver tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from exporter.core.units import Ratio

Division = Literal["activity", "share"]
"""By what the dynamic energy of a shared GPU is divided."""

_NO_PROCESSES: Mapping[int, Ratio] = MappingProxyType({})
_NO_INSTANCES: Mapping[str, Ratio] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class GpuActivity:
    """What was done on one GPU between its last two readings.

    A GPU has one of the two: where it is divided into instances, nobody tells
    processes apart.

    Attributes:
        processes: the part of the GPU that each was given, 0..1, by process id; one
            that is not in it did nothing.
        instances: how busy each instance was, 0..1, by UUID; of one that is not in it
            nothing is known.
    """

    processes: Mapping[int, Ratio] = field(default_factory=lambda: _NO_PROCESSES)
    instances: Mapping[str, Ratio] = field(default_factory=lambda: _NO_INSTANCES)
