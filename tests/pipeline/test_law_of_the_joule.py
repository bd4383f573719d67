"""The law of the joule (docs/design.md) over random lives of a node.

Anything may happen in any order, and the rules are checked after each tick.
"""

from dataclasses import replace
from math import fsum, isfinite
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from exporter.core.embodied import EmbodiedCarbon
from exporter.core.model import COMPONENTS, Component, IdlePolicy
from exporter.core.snapshot import Snapshot
from exporter.core.units import Grams, GramsPerKwh, Seconds, Watts
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import counters
from tests.fakes.life import Life, LivingJob, PlayedDevice
from tests.fakes.node import (
    GREEN,
    cpu,
    dram,
    gpu,
    hold,
    labels,
    node_meter,
)

FALLBACK_LEVELS: st.SearchStrategy[Literal[0, 1, 2, 3]] = st.sampled_from([0, 1, 2, 3])
KEYS = st.sampled_from(["1", "2", "3", "4"])
# Mostly as planned; late; too long for a gauge; long enough to lose a scheduler.
SECONDS = st.sampled_from([1.0, 1.0, 1.0, 1.0, 0.3, 2.9, 4.0, 61.0, 700.0])
MAKING = EmbodiedCarbon(Grams(1.5e6), Seconds(4e7))
PARTS_OF_THE_NODE: tuple[Component, ...] = ("cpu", "dram", "gpu")


class LifeOfANode(RuleBasedStateMachine):
    """Anything may happen between two ticks; the law holds after each."""

    life: Life
    before: Snapshot
    after: Snapshot

    @initialize(
        policy=st.sampled_from(["reserved", "used", "none"]),
        idle_w=st.none() | st.floats(0, 200),
        max_jobs=st.sampled_from([2, 100]),
        ended_jobs_s=st.sampled_from([0.5, 600.0]),
        range_j=st.sampled_from([3_000, 262_143, 10**9]),
        labels_known=st.booleans(),
        reports_ended=st.booleans(),
        market=st.none() | st.floats(0, 900).map(GramsPerKwh),
        has_embodied=st.booleans(),
    )
    def boot(
        self,
        *,
        policy: IdlePolicy,
        idle_w: float | None,
        max_jobs: int,
        ended_jobs_s: float,
        range_j: int,
        labels_known: bool,
        reports_ended: bool,
        market: GramsPerKwh | None,
        has_embodied: bool,
    ) -> None:
        """Start the daemon on a node that has been up for long."""
        idle: tuple[tuple[Component, Watts], ...] = ()
        if idle_w is not None:
            idle = (("cpu", Watts(idle_w)), ("gpu", Watts(20)))
        self.life = Life(
            [
                PlayedDevice(cpu("package-0", wraps_at=range_j * 10**6), 120.0),
                PlayedDevice(cpu("package-1", wraps_at=range_j * 10**6), 95.0),
                PlayedDevice(dram(), 12.0),
                PlayedDevice(gpu("GPU-0"), 300.0),
                PlayedDevice(gpu("GPU-1", counter=False), 250.0),
                PlayedDevice(node_meter(), 900.0),
            ],
            EngineSettings(
                policy,
                "proportional",
                idle,
                max_jobs,
                ended_jobs_s,
                market,
                MAKING if has_embodied else None,
            ),
            reports_ended=reports_ended,
        )
        self.labels_known = labels_known
        self.counter_restarted = False
        self.grams = self.fallback_grams = self.market_grams = 0.0
        self.booted_s = self.life.now_s + 1.0
        self.before = self.after = self.life.tick()
        self.departed = False

    # --- what may happen ----------------------------------------------------

    @rule(seconds=SECONDS, ticks=st.integers(1, 12))
    def time_passes(self, seconds: float, ticks: int) -> None:
        """Ticks come as planned, or late after a standstill."""
        for tick in range(ticks):
            known = set(self.life.state.ledger.jobs)
            self.before = self.after
            self.after = self.life.tick(seconds if tick == 0 else 1.0)
            self.departed |= not known <= set(self.life.state.ledger.jobs)
            self._emit()
            self.rule_7_no_counter_falls()
            self.rule_8_labels_do_not_change()

    @rule(
        key=KEYS,
        cpus=st.sampled_from([0.0, 0.5, 3.0]),
        gpus=st.integers(0, 2),
        started=st.none() | st.sampled_from([-900.0, 0.0, 1e6]),
        limit_s=st.none() | st.sampled_from([1.0, 90.0, 1e5]),
    )
    def a_job_starts(
        self,
        key: str,
        cpus: float,
        gpus: int,
        started: float | None,
        limit_s: float | None,
    ) -> None:
        """Also one whose id was there before: it was requeued."""
        if started is not None:
            started += self.after.unix_s
        holds = [hold(f"GPU-{index}", 0.5, 0.25 * index) for index in range(gpus)]
        known = labels(key, user=f"user {key}") if self.labels_known else None
        self.life.jobs.setdefault(
            key,
            LivingJob(
                cpus, tuple(holds), known, started_unix_s=started, limit_s=limit_s
            ),
        )

    @rule(key=KEYS)
    def labels_of_a_job_become_known(self, key: str) -> None:
        """Or change, which is none of a counter's business."""
        if key in self.life.jobs:
            self.life.jobs[key].labels = labels(key, user="ada")

    @rule(key=KEYS, seconds=st.sampled_from([0.0, 0.4]))
    def a_job_ends(self, key: str, seconds: float) -> None:
        """At a tick, or between two."""
        self.life.pass_s(seconds)
        self.life.end(key)

    @rule(which=st.integers(0, 5))
    def a_sensor_fails_or_comes_back(self, which: int) -> None:
        """Its driver hangs, or a permission is lost."""
        self.life.devices[which].readable ^= True

    @rule()
    def the_node_cannot_be_read_or_can_again(self) -> None:
        """How busy it is becomes unknown."""
        self.life.node_readable ^= True

    @rule()
    def the_scheduler_cannot_be_read_or_can_again(self) -> None:
        """Who is running becomes unknown."""
        self.life.jobs_readable ^= True

    @rule()
    def a_gpu_counter_sticks_or_goes_on(self) -> None:
        """Its gauge is right all the time."""
        played = self.life.devices[3]
        if played.stuck:
            played.unstick()
        else:
            played.stick()

    @rule()
    @precondition(lambda self: not self.life.devices[3].stuck)
    def a_gpu_counter_restarts(self) -> None:
        """The driver was loaded again."""
        self.life.devices[3].restart_counter()
        self.counter_restarted = True

    @rule(which=st.integers(0, 2), power_w=st.floats(0, 500))
    def power_changes(self, which: int, power_w: float) -> None:
        """Of a device with a counter, which misses nothing."""
        self.life.devices[which].power_w = power_w

    @rule(value=st.floats(1, 1500), level=FALLBACK_LEVELS)
    def the_grid_changes(self, value: float, level: Literal[0, 1, 2, 3]) -> None:
        """The wind stops, or the hub cannot be asked."""
        self.life.intensity = replace(
            GREEN,
            value=GramsPerKwh(value),
            fallback_level=level,
        )

    @rule()
    def the_daemon_is_killed(self) -> None:
        """Between two ticks."""
        self.life.restart()

    @rule()
    def the_daemon_is_killed_in_a_tick(self) -> None:
        """Having counted what nobody has seen."""
        self.life.pass_s(0.2)
        self.life.crash_in_tick()

    # --- the law ------------------------------------------------------------

    @invariant()
    def the_law_holds(self) -> None:
        """Rule by rule."""
        self.rule_1_jobs_and_unattributed_are_the_component()
        self.rule_1_tenants_and_unattributed_are_the_node()
        self.rule_1_tenants_are_the_sum_of_their_jobs()
        self.rules_1_and_4_the_component_is_its_devices()
        self.rules_2_and_3_what_is_counted_was_drawn()
        self.rule_5_power_is_the_sum_of_what_is_known_and_the_rest_is_counted()
        self.rule_7_counters_are_numbers()
        self.rule_8_no_job_waits_longer_than_five_seconds()
        self.no_place_is_free_while_a_job_waits()
        self.rule_11_grams_are_the_integral_of_energy_and_intensity()
        self.rule_11_contracts_are_counted_apart()
        self.making_the_node_is_used_up_once()
        self.what_is_projected_can_be()

    def rule_1_jobs_and_unattributed_are_the_component(self) -> None:
        """Nothing invented, nothing lost: per component."""
        ledger = self.life.state.ledger
        for index, component in enumerate(COMPONENTS):
            jobs_j = fsum(job.energy_j[index] for job in ledger.jobs.values())
            rest_j = fsum(
                j for (c, _), j in ledger.unattributed.items() if c == component
            )
            whole_j = ledger.components.get(component, 0.0)
            if self.departed:
                assert jobs_j + rest_j <= whole_j * (1 + 1e-9)
            else:
                assert jobs_j + rest_j == pytest.approx(whole_j, rel=1e-9)

    def rule_1_tenants_and_unattributed_are_the_node(self) -> None:
        """Also when jobs have left: their tenants have their energy."""
        ledger = self.life.state.ledger
        waiting_j = fsum(
            fsum(job.energy_j) for job in ledger.jobs.values() if job.labels is None
        )
        tenants_j = fsum(tenant.energy_j for tenant in ledger.tenants.values())
        rest_j = fsum(ledger.unattributed.values())
        assert waiting_j + tenants_j + rest_j == pytest.approx(
            self.after.node_energy_j, rel=1e-9
        )

    def rules_1_and_4_the_component_is_its_devices(self) -> None:
        """Both come from the same difference."""
        ledger = self.life.state.ledger
        for component in PARTS_OF_THE_NODE:
            devices_j = fsum(
                account.energy_j
                for device, account in ledger.devices.items()
                if device.component == component
            )
            assert devices_j == pytest.approx(ledger.components.get(component, 0.0))

    def rules_2_and_3_what_is_counted_was_drawn(self) -> None:
        """Never more; and all of it, where no time is unmeasured."""
        state = self.life.state
        for played in self.life.devices:
            meter = state.meters.get(played.device.id)
            if meter is None or played.first_j is None:
                continue
            component = played.device.id.component
            counted_j = state.ledger.devices[played.device.id].energy_j
            drawn_j = played.drawn_j - played.first_j
            assert counted_j <= drawn_j + 0.01
            if component == "gpu" and not self.counter_restarted:
                drawn_j -= played.power_w * (self.life.now_s - meter.energy_time_s)
            elif component == "gpu" or meter.time_s != self.life.now_s:
                continue
            if state.ledger.unmeasured_s[component] == 0:
                assert counted_j == pytest.approx(drawn_j, abs=0.01, rel=1e-9)

    def rule_5_power_is_the_sum_of_what_is_known_and_the_rest_is_counted(self) -> None:
        """Whatever was read once is in the sum, or is missing; restarts or not."""
        shown_w = {one.device: one.power_w for one in self.after.devices}
        power_w = {one.component: one.power_w for one in self.after.components}
        missing = dict(self.after.devices_missing)
        for component in COMPONENTS:
            was_read = [
                shown_w.get(played.device.id)
                for played in self.life.devices
                if played.device.id.component == component
                and played.first_j is not None
            ]
            known_w = [watts for watts in was_read if watts is not None]
            assert missing.get(component, 0) == len(was_read) - len(known_w)
            if component in PARTS_OF_THE_NODE:
                expected_w = fsum(known_w) if known_w else None
                assert power_w.get(component) == pytest.approx(expected_w)
        parts_w = [watts for watts in power_w.values() if watts is not None]
        assert self.after.node_power_w == (
            pytest.approx(fsum(parts_w)) if parts_w else None
        )

    def rule_7_no_counter_falls(self) -> None:
        """Nor does a total disappear."""
        after = counters(self.after)
        for series, value in counters(self.before).items():
            if series[0] not in {"device", "job", "tenant"}:
                assert series in after, series
            assert after.get(series, value) >= value, series

    def rule_7_counters_are_numbers(self) -> None:
        """A NaN or a negative total would be for ever."""
        for value in counters(self.after).values():
            assert isfinite(value)
            assert value >= 0

    def rule_8_labels_do_not_change(self) -> None:
        """Of one and the same job; what only describes it may come later."""
        shown = {(j.workload, j.created_unix_s): j.labels for j in self.before.jobs}
        for job in self.after.jobs:
            was = shown.get((job.workload, job.created_unix_s), job.labels)
            assert replace(job.labels, info=was.info) == was

    def rule_8_no_job_waits_longer_than_five_seconds(self) -> None:
        """Unless there are too many."""
        for job in self.life.state.ledger.jobs.values():
            if self.after.time_s - job.first_seen_s >= 5.0:
                assert job.labels is not None

    def no_place_is_free_while_a_job_waits(self) -> None:
        """The cap is no more than reached, and a restart takes no place away."""
        jobs = self.life.state.ledger.jobs.values()
        exported = sum(job.exported for job in jobs)
        waiting = [
            job
            for job in jobs
            if job.labels is not None and not job.exported and job.ended_s is None
        ]
        cap = self.life.settings.max_jobs
        assert exported <= cap
        assert exported == cap or not waiting
        assert self.after.jobs_waiting == len(waiting)
        kept = {(j.workload, j.created_unix_s) for j in self.after.jobs}
        for job in self.before.jobs:
            if (account := self.life.state.ledger.jobs.get(job.workload)) is not None:
                same = account.created_unix_s == job.created_unix_s
                assert not same or (job.workload, job.created_unix_s) in kept

    def rule_11_grams_are_the_integral_of_energy_and_intensity(self) -> None:
        """Tick by tick; those on fallback data are counted apart too."""
        assert self.after.emissions_g == pytest.approx(self.grams, rel=1e-9)
        assert self.after.fallback_emissions_g == pytest.approx(
            self.fallback_grams, rel=1e-9
        )

    def rule_11_contracts_are_counted_apart(self) -> None:
        """The same energy at the operator's figure, for the node and its jobs."""
        if self.life.settings.market_intensity is None:
            assert self.after.market_g is None
            return
        assert self.after.market_g == pytest.approx(self.market_grams, rel=1e-9)
        ledger = self.life.state.ledger
        parts = [tenant.market_g for tenant in ledger.tenants.values()]
        parts += [job.market_g for job in ledger.jobs.values() if job.labels is None]
        assert fsum(parts) <= self.market_grams * (1 + 1e-9)

    def making_the_node_is_used_up_once(self) -> None:
        """By the second, restarts or not; jobs have a part of it."""
        if self.life.settings.embodied is None:
            assert self.after.embodied_g is None
            return
        whole_g = MAKING.spent_g(Seconds(self.after.time_s - self.booted_s))
        assert self.after.embodied_g == pytest.approx(whole_g, rel=1e-9)
        ledger = self.life.state.ledger
        parts = [tenant.embodied_g for tenant in ledger.tenants.values()]
        parts += [job.embodied_g for job in ledger.jobs.values() if job.labels is None]
        assert fsum(parts) <= whole_g * (1 + 1e-9)

    def what_is_projected_can_be(self) -> None:
        """Numbers, of jobs that run and have a limit; of no other."""
        for job in self.after.jobs:
            energy_j, grams = job.projected_energy_j, job.projected_emissions_g
            assert (energy_j is None) == (grams is None)
            if energy_j is None or grams is None:
                continue
            assert job.end_unix_s is None
            assert isfinite(energy_j)
            assert isfinite(grams)
            assert energy_j > 0
            assert grams > 0

    def rule_1_tenants_are_the_sum_of_their_jobs(self) -> None:
        """Each joule once, whenever the labels came."""
        ledger = self.life.state.ledger
        if self.departed:
            return
        sums: dict[tuple[str, str, str], list[float]] = {}
        for job in ledger.jobs.values():
            if job.labels is not None:
                key = (job.workload.scheduler, job.labels.tenant, job.labels.user)
                sums.setdefault(key, []).extend(job.energy_j)
        assert sums.keys() == ledger.tenants.keys()
        for key, parts in sums.items():
            assert ledger.tenants[key].energy_j == pytest.approx(fsum(parts))

    def _emit(self) -> None:
        energy_j = self.after.node_energy_j - self.before.node_energy_j
        intensity = self.life.intensity
        grams = energy_j * intensity.value * self.life.pue / 3.6e6
        self.grams += grams
        contracted = self.life.settings.market_intensity or 0.0
        self.market_grams += energy_j * contracted * self.life.pue / 3.6e6
        if intensity.fallback_level > 0:
            self.fallback_grams += grams


LifeOfANode.TestCase.settings = settings(stateful_step_count=30)
TestLifeOfANode = LifeOfANode.TestCase
