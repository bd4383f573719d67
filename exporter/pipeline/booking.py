"""The bookings of one tick: energy drawn, divided, and entered in the ledger."""

from typing import NamedTuple

from exporter.core.accounts import COMPONENT_INDEX
from exporter.core.attribution import (
    Attribution,
    attribute_cpu,
    attribute_dram,
    attribute_gpu,
    attribute_platform,
    nobody,
)
from exporter.core.emissions import (
    grams_per_joule,
    is_fallback,
    market_grams_per_joule,
)
from exporter.core.metering import STALE_AFTER_INTERVALS, Metered
from exporter.core.model import COMPONENTS, Component, Device, DeviceId, Sample
from exporter.core.units import Joules, Ratio, Seconds, Watts
from exporter.core.usage_step import UsageStep
from exporter.core.windows import FORGOTTEN, HoldWindow
from exporter.core.workload import WorkloadId
from exporter.pipeline.idle_powers import IdlePowers, modelled_idle_w
from exporter.pipeline.state import EngineSettings, EngineState
from exporter.pipeline.waiting import holds_until_now, window_until_now


class Settled(NamedTuple):
    """A device whose energy up to now is settled in this tick."""

    device: Device
    metered: Metered


class Booking:
    """The bookings of one tick: what one component caused, by job."""

    def __init__(
        self,
        sample: Sample,
        step: UsageStep,
        state: EngineState,
        settings: EngineSettings,
    ) -> None:
        self._sample = sample
        self._step = step
        self._state = state
        self._settings = settings
        self._idle = IdlePowers(state, settings)
        self._window = step.window(waited_s=0.0)
        self._gram_per_j = grams_per_joule(sample.intensity, sample.pue)
        self._fallback = is_fallback(sample.intensity)
        self._estimators = {
            status.info.name
            for status in sample.sources
            if status.info.quality in {"estimated", "simulated"}
        }
        self._has_estimates = False
        self._total_j = 0.0
        self._by_job_j: dict[WorkloadId, float] = {}
        self._power_w: dict[Component, dict[WorkloadId, float]] = {}

    def book_usage_component(
        self, component: Component, settled: list[Settled]
    ) -> None:
        """Book CPU or DRAM energy; until some is settled, the usage waits for it."""
        if not settled and component not in self._state.ledger.unmeasured_s:
            return
        window = window_until_now(self._state, self._step, self._window, component)
        if not settled:
            self._state.windows[component] = window
            return
        self._state.windows.pop(component, None)
        known = [one for one in settled if one.metered.energy_j is not None]
        if not known:
            return
        energy_j = Joules(sum([one.metered.energy_j or 0.0 for one in known]))
        elapsed_s = Seconds(max([one.metered.elapsed_s for one in known]))
        modelled_w = modelled_idle_w([one.device for one in known])
        if modelled_w is None and not any(one.metered.unmeasured_s for one in settled):
            busy = None if window.node is None else window.node.utilization
            self._idle.learn(component, energy_j, elapsed_s, busy)
        idle = self._idle.of(component, modelled_w=modelled_w)
        idle_j = idle.energy_j(energy_j, elapsed_s)
        divide = attribute_cpu if component == "cpu" else attribute_dram
        policy = self._settings.idle_policy
        self._book(
            component,
            energy_j,
            elapsed_s,
            divide(energy_j, idle_j, window, policy),
            self._estimated_part(known, energy_j),
        )

    def book_gpus(self, settled: list[Settled]) -> None:
        """Book each GPU's energy; until it is settled, its holds wait for it."""
        names = {one.device.id.name for one in settled}
        for device in self._state.meters:
            if device.component == "gpu" and device.name not in names:
                waiting = holds_until_now(self._state, self._step, device.name)
                if waiting is not None:
                    self._state.holds[device.name] = waiting
        unheld: list[Settled] = []
        for one in settled:
            device, metered = one.device.id, one.metered
            holds = holds_until_now(self._state, self._step, device.name)
            self._state.holds.pop(device.name, None)
            self._note_division(device.name, holds)
            if metered.energy_j is None:
                continue
            energy_j, elapsed_s = metered.energy_j, metered.elapsed_s
            status = self._state.gpus.get(device)
            if status is not None and not metered.unmeasured_s:
                key = f"gpu/{device.name}"
                self._idle.learn(key, energy_j, elapsed_s, status.utilization)
            idle = self._idle.of("gpu", device.name)
            if holds is not None and not holds.holds:
                unheld.append(one)
                continue
            idle_j = idle.energy_j(energy_j, elapsed_s)
            self._book(
                "gpu",
                energy_j,
                elapsed_s,
                attribute_gpu(energy_j, idle_j, holds),
                self._estimated_part([one], energy_j),
            )
        self._book_unheld(unheld)

    def book_gpu_use(self) -> None:
        """Book who held which GPU since the last tick, and how busy that was.

        A gauge is taken for the whole tick, unless that is longer than any gauge
        is believed.
        """
        ledger = self._state.ledger
        recent = self._step.elapsed_s <= STALE_AFTER_INTERVALS * self._sample.interval_s
        for name, window in self._step.holds.items():
            utilization = self._utilization(name) if recent else None
            for workload, hold in window.holds.items():
                if workload != FORGOTTEN:
                    ledger.book_gpu_use(workload, hold.share_s, utilization)

    def book_platform(self, settled: list[Settled]) -> None:
        """Book what a meter of the whole node shows above the other components.

        What the others drew since it last told its own energy is subtracted. A
        meter that lags shows too little first and too much later: the lack is
        carried over, so that the sum is the meter's.
        """
        state = self._state
        if "platform" not in state.ledger.unmeasured_s:
            return
        waiting_j = state.platform_waiting_j + self._total_j
        meters = [one for one in settled if one.device.scope == "node"]
        parts = [one for one in settled if one.device.scope != "node"]
        state.platform_waiting_j = 0.0 if meters else waiting_j
        if settled:
            state.platform_power_w = None
        for one in parts:
            if one.metered.energy_j is not None:
                self._book_platform_energy(one.metered.energy_j, one)
                waiting_j += one.metered.energy_j
        for one in meters:
            if one.metered.energy_j is not None:
                left_j = one.metered.energy_j - waiting_j - state.platform_debt_j
                state.platform_debt_j = max(0.0, -left_j)
                self._book_platform_energy(Joules(max(0.0, left_j)), one)

    def book_beside(self) -> None:
        """Book what is counted beside emissions, where the operator wants it."""
        ledger = self._state.ledger
        now_s = self._sample.time_s
        contracted = self._settings.market_intensity
        if contracted is not None:
            gram_per_j = market_grams_per_joule(contracted, self._sample.pue)
            ledger.market_g += self._total_j * gram_per_j
            for workload, energy_j in self._by_job_j.items():
                market_g = energy_j * gram_per_j
                ledger.book_beside(workload, now_s, market_g=market_g)
        embodied = self._settings.embodied
        if embodied is not None:
            spent_g = embodied.spent_g(self._step.elapsed_s)
            ledger.embodied_g += spent_g
            gpus = sum(device.component == "gpu" for device in self._state.meters)
            shares = embodied.shares(self._step.current, self._state.usage.node, gpus)
            for workload, share in shares.items():
                ledger.book_beside(workload, now_s, embodied_g=spent_g * share)

    def _book_platform_energy(self, energy_j: Joules, one: Settled) -> None:
        state = self._state
        elapsed_s = one.metered.elapsed_s
        if elapsed_s > 0:
            before_w = state.platform_power_w or 0.0
            state.platform_power_w = Watts(before_w + energy_j / elapsed_s)
        # A measured whole minus an estimated part is no measurement.
        subtracted = one.device.scope == "node" and self._has_estimates
        estimated = subtracted or one.device.source in self._estimators
        parts = attribute_platform(
            energy_j,
            self._by_job_j,
            Joules(self._total_j),
            self._settings.platform_policy,
        )
        self._book("platform", energy_j, elapsed_s, parts, float(estimated))

    def set_job_power(self) -> None:
        """Set the power of all jobs in those components that had energy."""
        jobs = self._state.ledger.jobs
        current = self._step.current
        accounts = [jobs[workload] for workload in current]
        for component, power_w in self._power_w.items():
            index = COMPONENT_INDEX[component]
            for job in accounts:
                job.power_w[index] = power_w.get(job.workload)
        for job in accounts:
            total_w = sum(filter(None, job.power_w))
            if total_w > (job.peak_power_w or 0.0):
                job.peak_power_w = total_w
        if not self._step.holds_known:
            for workload, job in jobs.items():
                if workload not in current:
                    job.power_w = [None] * len(COMPONENTS)

    def _book(
        self,
        component: Component,
        energy_j: Joules,
        elapsed_s: Seconds,
        parts: Attribution,
        estimated: float,
    ) -> None:
        self._has_estimates |= estimated > 0
        ledger = self._state.ledger
        ledger.book_component(
            component, energy_j, self._gram_per_j, fallback=self._fallback
        )
        ledger.book_unattributed(component, parts.unattributed_j)
        self._total_j += energy_j
        power_w = self._power_w.setdefault(component, {})
        now_s = self._sample.time_s
        for workload, part_j in parts.shares_j.items():
            if workload not in ledger.jobs:
                # The energy waited so long that the job is forgotten.
                ledger.book_unattributed(component, {"unknown": part_j})
                continue
            ledger.book_job(
                workload,
                component,
                part_j,
                self._gram_per_j,
                now_s,
                estimated=estimated,
                fallback=self._fallback,
            )
            self._by_job_j[workload] = self._by_job_j.get(workload, 0.0) + part_j
            if elapsed_s > 0:
                watts = part_j / elapsed_s
                power_w[workload] = power_w.get(workload, 0.0) + watts

    def _book_unheld(self, settled: list[Settled]) -> None:
        """Book GPUs that nobody holds, all at once: no job has a part in them."""
        if not settled:
            return
        energy_j = Joules(sum([one.metered.energy_j or 0.0 for one in settled]))
        parts = nobody(energy_j, "unallocated")
        estimated = self._estimated_part(settled, energy_j)
        # Without a job there is no power of a job, and that is what the time is for.
        self._book("gpu", energy_j, Seconds(0.0), parts, estimated)

    def _note_division(self, name: str, holds: HoldWindow | None) -> None:
        division = None if holds is None else holds.division
        if division is None:
            self._state.divisions.pop(name, None)
        else:
            self._state.divisions[name] = division

    def _estimated_part(self, settled: list[Settled], energy_j: Joules) -> float:
        """How much of an energy comes from sources that estimate, 0..1."""
        if not self._estimators or energy_j <= 0:
            return 0.0
        estimated_j = sum(
            one.metered.energy_j or 0.0
            for one in settled
            if one.device.source in self._estimators
        )
        return estimated_j / energy_j

    def _utilization(self, name: str) -> Ratio | None:
        """How busy a GPU says it is in this tick."""
        device = DeviceId("gpu", name)
        account = self._state.ledger.devices.get(device)
        status = self._state.gpus.get(device)
        if account is None or status is None or account.seen_s < self._sample.time_s:
            return None
        return status.utilization
