"""Folds one sample after another into totals, and each result into a snapshot.

    readings --meters--> energy per device --attribution--> ledger --> snapshot
    usages  --tracker--> windows ----------------^

The engine has no clock and reads nothing: the same samples give the same
snapshots. One thread calls it.
"""

import logging

from exporter.core.metering import Meter, Metered
from exporter.core.model import Component, DeviceId, Reading, Sample
from exporter.core.projection import Projector
from exporter.core.snapshot import Snapshot
from exporter.core.units import Ratio
from exporter.core.usage_step import UsageStep
from exporter.core.workload import WorkloadId
from exporter.pipeline.booking import Booking, Settled
from exporter.pipeline.missing import note_forgotten
from exporter.pipeline.state import EngineSettings, EngineState
from exporter.pipeline.view import build_snapshot

_log = logging.getLogger(__name__)

_NOTE_AGAIN_S = 600.0

_EVENT_TEXT = {
    "reset": "energy counter restarted; bridged by its power where that is known",
    "ambiguous": "energy counter wrapped or restarted unseen; the least is counted",
    "broken": "energy counter stands still; integrating power from its last advance",
    "repaired": "energy counter advances again and is trusted again",
}


class Engine:
    """One ``fold`` a tick.

    Attributes:
        settings: what the operator decided; may be exchanged between two ticks.
        state: what it remembers.
        ended: the workloads that the last ``fold`` found gone.
    """

    def __init__(
        self, settings: EngineSettings, state: EngineState | None = None
    ) -> None:
        self.settings = settings
        self.state = state if state is not None else EngineState()
        self.ended: frozenset[WorkloadId] = frozenset()
        self._projector = Projector()
        self._noted: dict[DeviceId, tuple[str, float]] = {}

    def fold(self, sample: Sample) -> Snapshot:
        """Take a sample into account and return the node as it is now."""
        state = self.state
        ledger = state.ledger
        now_s, unix_s = sample.time_s, sample.unix_s

        step = state.usage.advance(sample)
        ledger.see_jobs(step.current, step.cpu_s, now_s, unix_s)
        ledger.freeze_labels(now_s, self.settings.max_jobs)

        settled = self._meter(sample)
        booking = Booking(sample, step, state, self.settings)
        booking.book_usage_component("cpu", settled.get("cpu", []))
        booking.book_usage_component("dram", settled.get("dram", []))
        booking.book_gpus(settled.get("gpu", []))
        booking.book_gpu_use()
        booking.book_platform(settled.get("platform", []))
        booking.book_beside()
        booking.set_job_power()

        self.ended = step.ended
        ledger.end_jobs(step.ended, now_s, unix_s)
        forgotten = ledger.forget_jobs(now_s, self.settings.ended_jobs_s)
        if forgotten:
            state.forget_in_windows(forgotten)
        ledger.freeze_labels(now_s, self.settings.max_jobs)
        self._projector.refresh(ledger, sample)
        snapshot = build_snapshot(sample, state, self.settings, _busy_ratio(step))
        note_forgotten(sample, state)
        return snapshot

    def _meter(self, sample: Sample) -> dict[Component, list[Settled]]:
        """Advance all meters; return those that settled, by component."""
        settled: dict[Component, list[Settled]] = {}
        ledger = self.state.ledger
        for reading in sample.readings:
            device = reading.device
            component = device.id.component
            meter = self.state.meters.get(device.id)
            if meter is None:
                meter = self.state.meters[device.id] = Meter()
                ledger.open_device(device.id)
            metered = meter.advance(reading, sample.interval_s)
            account = ledger.devices[device.id]
            account.seen_s, account.source = sample.time_s, device.source
            self._note(reading, metered)
            if metered.unmeasured_s:
                ledger.unmeasured_s[component] += metered.unmeasured_s
            if metered.waits:
                continue
            settled.setdefault(component, []).append(Settled(device, metered))
            ledger.book_device(device.id, metered.energy_j, metered.elapsed_s)
        return settled

    def _note(self, reading: Reading, metered: Metered) -> None:
        device = reading.device.id
        if reading.gpu is not None:
            self.state.gpus[device] = reading.gpu
        text = _EVENT_TEXT.get(metered.event)
        if text is None:
            return
        # A device that does it again and again is told of once in a while.
        noted = self._noted.get(device)
        if noted is None or noted[0] != metered.event or reading.time_s >= noted[1]:
            until_s = reading.time_s + _NOTE_AGAIN_S
            self._noted[device] = (metered.event, until_s)
            _log.warning(
                text, extra={"component": device.component, "device": device.name}
            )


def _busy_ratio(step: UsageStep) -> Ratio | None:
    return None if step.node is None else step.node.utilization
