"""The bookings of one tick: energy drawn, divided, and entered in the ledger."""

from typing import NamedTuple

from exporter.core.attribution import (
    Attribution,
    attribute_cpu,
    attribute_dram,
    attribute_gpu,
    attribute_platform,
)
from exporter.core.emissions import grams_per_joule, is_fallback
from exporter.core.idle import Idle, IdleLearner, idle_power
from exporter.core.interval import HoldWindow, UsageStep, UsageWindow
from exporter.core.ledger import COMPONENT_INDEX
from exporter.core.model import Component, Device, Sample, WorkloadId
from exporter.core.units import Joules, Ratio, Seconds, Watts
from exporter.pipeline.state import EngineSettings, EngineState


class Drawn(NamedTuple):
    """Energy that one device gave in this tick."""

    device: Device
    energy_j: float
    elapsed_s: float


class Booking:
    """The bookings of one tick: what one component caused, by job."""

    def __init__(
        self,
        sample: Sample,
        step: UsageStep,
        state: EngineState,
        settings: EngineSettings,
        busy: Ratio | None,
    ) -> None:
        self._sample = sample
        self._step = step
        self._state = state
        self._settings = settings
        self._busy = busy
        self._gram_per_j = grams_per_joule(sample.intensity, sample.pue)
        self._fallback = is_fallback(sample.intensity)
        self._total_j = 0.0
        self._by_job_j: dict[WorkloadId, float] = {}
        self._power_w: dict[Component, dict[WorkloadId, float]] = {}

    def book_usage_component(self, component: Component, drawn: list[Drawn]) -> None:
        """Book CPU or DRAM energy; without any, the usage waits for it."""
        window = self._waiting_window(component)
        if not drawn:
            if window is not None and component in self._state.ledger.unmeasured_s:
                self._state.windows[component] = window
            return
        self._state.windows.pop(component, None)
        energy_j = Joules(sum(one.energy_j for one in drawn))
        elapsed_s = Seconds(max(one.elapsed_s for one in drawn))
        self._learn(component, energy_j, elapsed_s, self._busy)
        idle_j = self._idle(component).energy_j(energy_j, elapsed_s)
        divide = attribute_cpu if component == "cpu" else attribute_dram
        policy = self._settings.idle_policy
        self._book(
            component, energy_j, elapsed_s, divide(energy_j, idle_j, window, policy)
        )

    def book_gpus(self, drawn: list[Drawn]) -> None:
        """Book each GPU's energy; where there is none, its holds wait for it."""
        gave = {one.device.id.name for one in drawn}
        for device in self._state.meters:
            if device.component == "gpu" and device.name not in gave:
                waiting = self._waiting_holds(device.name)
                if waiting is not None:
                    self._state.holds[device.name] = waiting
        for one in drawn:
            name = one.device.id.name
            holds = self._waiting_holds(name)
            self._state.holds.pop(name, None)
            energy_j, elapsed_s = Joules(one.energy_j), Seconds(one.elapsed_s)
            status = self._state.gpus.get(one.device.id)
            utilization = status.utilization if status is not None else None
            self._learn(f"gpu/{name}", energy_j, elapsed_s, utilization)
            idle_j = self._idle("gpu", name).energy_j(energy_j, elapsed_s)
            self._book(
                "gpu", energy_j, elapsed_s, attribute_gpu(energy_j, idle_j, holds)
            )

    def book_platform(self, drawn: list[Drawn]) -> None:
        """Book what a meter of the whole node shows above the other components.

        A meter that lags shows too little first and too much later: the lack is
        carried over, so that the sum is the meter's.
        """
        for one in drawn:
            if one.device.scope == "node":
                left_j = one.energy_j - self._total_j - self._state.platform_debt_j
                self._state.platform_debt_j = max(0.0, -left_j)
                energy_j = Joules(max(0.0, left_j))
            else:
                energy_j = Joules(one.energy_j)
            if one.elapsed_s > 0:
                self._state.platform_power_w = Watts(energy_j / one.elapsed_s)
            policy = self._settings.platform_policy
            parts = attribute_platform(
                energy_j, self._by_job_j, Joules(self._total_j), policy
            )
            self._book("platform", energy_j, Seconds(one.elapsed_s), parts)

    def set_job_power(self) -> None:
        """Set the power of all jobs in those components that had energy."""
        jobs = self._state.ledger.jobs
        for component, power_w in self._power_w.items():
            index = COMPONENT_INDEX[component]
            for workload in self._step.current:
                jobs[workload].power_w[index] = power_w.get(workload)

    def _book(
        self,
        component: Component,
        energy_j: Joules,
        elapsed_s: Seconds,
        parts: Attribution,
    ) -> None:
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
            ledger.book_job(workload, component, part_j, self._gram_per_j, now_s)
            self._by_job_j[workload] = self._by_job_j.get(workload, 0.0) + part_j
            if elapsed_s > 0:
                watts = part_j / elapsed_s
                power_w[workload] = power_w.get(workload, 0.0) + watts

    def _waiting_window(self, component: Component) -> UsageWindow | None:
        waiting = self._state.windows.get(component)
        window = self._step.window
        if waiting is None or window is None:
            return window if waiting is None else waiting
        return waiting.then(window)

    def _waiting_holds(self, name: str) -> HoldWindow | None:
        if not self._step.holds_known:
            return None
        elapsed_s = self._step.elapsed_s
        now = self._step.holds.get(name) or HoldWindow(elapsed_s, 0.0, {})
        waiting = self._state.holds.get(name)
        return now if waiting is None else waiting.then(now)

    def _idle(self, component: Component, name: str = "") -> Idle:
        """Return and remember the idle power of a component, or of one GPU."""
        configured_w = dict(self._settings.idle_w).get(component)
        key = f"{component}/{name}" if name else component
        idle = idle_power(configured_w, self._state.learners.get(key))
        self._state.idle[key] = idle
        return idle

    def _learn(
        self,
        key: str,
        energy_j: Joules,
        elapsed_s: Seconds,
        utilization: Ratio | None,
    ) -> None:
        if utilization is None or elapsed_s <= 0:
            return
        learner = self._state.learners.get(key)
        if learner is None:
            learner = self._state.learners[key] = IdleLearner()
        learner.observe(energy_j, elapsed_s, utilization)
