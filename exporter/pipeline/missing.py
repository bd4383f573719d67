"""Devices that were read before and whose power is in no sum now.

Power of a component, and of the node, is the sum of what is known: the others go on
when one device is away. So that nobody takes what is missing for a saving, it is
counted beside the sum.

A device is missed from its first reading on, also after a restart, and for as long as
there is somebody who should read it. It is not missed

* when its source is no longer configured;
* when its driver is well and names it no more: then it was taken out on purpose, and
  is forgotten until it is read again (see ``power/nvml/driver.py``);
* where a model stands in for the meters of its component, nor is that model where there
  is a meter.

What a driver reads is named after it: ``nvml/GPU-1`` is read by the driver ``nvml``.
"""

from collections.abc import Iterator, Sequence

from exporter.core.accounts import DeviceAccount
from exporter.core.model import Component, DeviceId, Sample, SourceStatus
from exporter.pipeline.state import EngineState

Accounts = Sequence[tuple[DeviceId, DeviceAccount]]


def count_missing(
    sample: Sample, state: EngineState, present: Accounts
) -> dict[Component, int]:
    """Count devices whose power is not known, by component.

    Args:
        sample: what was read in this tick.
        state: the engine's memory, with the sample already folded in.
        present: the devices whose last reading is not stale.

    Returns:
        All components of which a device was ever read; 0 where the sum is whole.
    """
    missing = dict.fromkeys(state.ledger.unmeasured_s, 0)
    for device, account in present:
        if account.power_w is None:
            missing[device.component] += 1
    if len(present) < len(state.ledger.devices):
        for device in _missed(sample, state, present):
            missing[device.component] += 1
    return missing


def is_replaced(status: SourceStatus) -> bool:
    """Tell whether a source is a model that is silent because there is a meter."""
    return status.reason == "absent" and status.info.method == "modelled"


def note_forgotten(sample: Sample, state: EngineState) -> None:
    """Note which devices their drivers have let go of.

    In the tick in which a driver is well again, also after a restart, its devices are
    not read yet. So it has to be well for two ticks; and this comes after they were
    counted, and counts from the next tick on.
    """
    devices = state.ledger.devices
    if len(sample.readings) == len(devices):
        state.forgotten.clear()
        return
    up = {status.info.name: status.up for status in sample.sources}
    for device, account in devices.items():
        driver = _driver(account.source)
        if account.source in up:
            state.forgotten.discard(device)
        elif up.get(driver) and driver in state.well:
            state.forgotten.add(device)
    state.well = {name for name, is_up in up.items() if is_up}


def known_to(driver: str, state: EngineState) -> tuple[str, ...]:
    """Return the devices that a driver should know, by their names.

    Args:
        driver: its name.
        state: the engine's memory, as it comes from a checkpoint.
    """
    return tuple(
        device.name
        for device, account in state.ledger.devices.items()
        if _driver(account.source) == driver and device not in state.forgotten
    )


def _missed(
    sample: Sample, state: EngineState, present: Accounts
) -> Iterator[DeviceId]:
    statuses = {status.info.name: status for status in sample.sources}
    modelled = {
        status.info.component
        for status in sample.sources
        if status.up and status.info.method == "modelled"
    }
    there = {device for device, _ in present}
    for device, account in state.ledger.devices.items():
        if device in there or device.component in modelled:
            continue
        own = statuses.get(account.source)
        if own is not None:
            if not is_replaced(own):
                yield device
        elif _driver(account.source) in statuses and device not in state.forgotten:
            yield device


def _driver(source: str) -> str:
    """Return the name of the driver of a source; "" if it has none."""
    return source.rpartition("/")[0]
