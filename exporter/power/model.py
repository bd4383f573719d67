"""CPU energy of a machine without a meter, estimated from how busy it is.

    power = idle + (max - idle) * utilisation

Integrated over time this is a counter of two things that are counters already,
so it is exact for the model, has no gaps, and goes on over a restart of the
daemon where it stood:

    energy = idle * time since boot + (max - idle) / CPUs * busy CPU seconds

Figures of a meter and of this model never mix: they are different devices.
"""

import time
from collections.abc import Callable
from typing import Protocol

from exporter.core.errors import SourceAbsentError
from exporter.core.model import Device, DeviceId, Reading, SourceInfo
from exporter.core.ports import PowerSource
from exporter.core.units import JOULES_PER_MICROJOULE, Seconds, Watts
from exporter.power.model_watts import ModelWatts

_INFO = SourceInfo(
    name="model",
    component="cpu",
    method="modelled",
    quality="estimated",
    scope="device",
)

# The busy time comes in steps of 10 ms per CPU and CPUs may be added, so that a
# short interval can show more than all CPUs busy.
_HEADROOM = 2.0


class BusyCounter(Protocol):
    """Tells how much CPU time all CPUs have spent."""

    def read(self) -> Seconds:
        """Return CPU time of all CPUs not idle since boot, s, cumulative.

        Raises:
            SourceError: it cannot tell.
        """

    def close(self) -> None:
        """Let go of all files."""


class ModelSource:
    """Estimates the energy of all CPUs together.

    Args:
        watts: what the CPUs draw, idle and busy.
        busy: how busy the CPUs were; closed with the source.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self,
        watts: ModelWatts,
        busy: BusyCounter,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._busy = busy
        self._monotonic = monotonic
        self._idle_w = watts.idle_w
        self._busy_w = (watts.max_w - watts.idle_w) / watts.cpus
        self._device = Device(
            id=DeviceId("cpu", "model"),
            source=_INFO.name,
            joules_per_count=JOULES_PER_MICROJOULE,
            counter_range=None,
            max_power_w=Watts(watts.max_w * _HEADROOM),
            idle_power_w=watts.idle_w,
        )

    @property
    def info(self) -> SourceInfo:
        """A modelled counter, estimated."""
        return _INFO

    def read(self) -> tuple[Reading, ...]:
        """Estimate once.

        Returns:
            One counter in µJ since boot.

        Raises:
            SourceError: nobody tells how busy the CPUs are.
        """
        busy_s = self._busy.read()
        time_s = Seconds(self._monotonic())
        energy_j = self._idle_w * time_s + self._busy_w * busy_s
        return (Reading(self._device, time_s, round(energy_j / JOULES_PER_MICROJOULE)),)

    def close(self) -> None:
        """Ask no more how busy the CPUs are."""
        self._busy.close()


class Meter(Protocol):
    """What is asked of the meter that a model stands in for."""

    @property
    def available(self) -> bool:
        """Whether there is a meter that may be read; any thread may ask."""


class ModelWhenUnmetered:
    """Lets a model speak only while the machine has no meter of its own.

    The two are sources of their own, each with its status: the meter goes on
    saying that it is absent or denied while the model counts. Once a meter is
    there the model stays silent, even if the meter fails: missing is not zero,
    and an estimate may not quietly take the place of a measurement.
    """

    def __init__(self, model: PowerSource, meter: Meter) -> None:
        self._model = model
        self._meter = meter

    @property
    def info(self) -> SourceInfo:
        """That of the model."""
        return self._model.info

    def read(self) -> tuple[Reading, ...]:
        """Read the model if nothing measures.

        Raises:
            SourceAbsentError: there is a meter.
            SourceError: as the model says.
        """
        if self._meter.available:
            msg = "not needed: this machine has an energy meter"
            raise SourceAbsentError(msg)
        return self._model.read()

    def close(self) -> None:
        """Close the model."""
        self._model.close()
