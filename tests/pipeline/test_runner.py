import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from exporter.carbon.static import FixedPue
from exporter.core.model import Reading
from exporter.core.snapshot import Snapshot
from exporter.core.units import GramsPerKwh
from exporter.pipeline.checkpoint import Checkpoint
from exporter.pipeline.engine import Engine
from exporter.pipeline.idle_store import IdleStore
from exporter.pipeline.runner import Live, Publisher, Runner
from exporter.pipeline.state import EngineSettings
from tests.fakes.clock import Clock
from tests.fakes.node import GREEN, cpu, gpu
from tests.fakes.open_files import open_files
from tests.fakes.sampling import (
    LONG_S,
    power,
    sampler_of,
)
from tests.fakes.sources import FakeIntensity, FakePower
from tests.fakes.waiting import wait_until


@dataclass
class SlowPower(FakePower):
    """Each reading takes as long as is said, by a played or by the real clock."""

    take_s: list[float] = field(default_factory=list)
    pass_s: Callable[[float], object] = time.sleep

    def read(self) -> tuple[Reading, ...]:
        """Read, after a while."""
        if self.take_s:
            self.pass_s(self.take_s.pop(0))
        return super().read()


@dataclass
class Recorder(Publisher):
    """Keeps every snapshot, and ends the run after some."""

    ticks: int = 3
    seen: list[Snapshot] = field(default_factory=list)
    on_publish: Callable[[Snapshot], None] = lambda _: None

    def __post_init__(self) -> None:
        super().__init__(1.0)

    def publish(self, snapshot: Snapshot) -> None:
        """Keep it."""
        self.on_publish(snapshot)
        self.seen.append(snapshot)
        super().publish(snapshot)

    def enough(self) -> bool:
        """Whether the run is to end."""
        return len(self.seen) >= self.ticks


# --- the schedule -----------------------------------------------------------


def test_ticks_do_not_drift() -> None:
    """Each takes 20 of 50 ms, and the next one is on the grid all the same."""
    interval_s = 0.05
    source = SlowPower("rapl", time.monotonic, {cpu(): 100.0}, take_s=[0.02] * 30)
    seen = Recorder(ticks=30)
    asked_s: list[float] = []

    def clock() -> float:
        asked_s.append(time.monotonic())
        return asked_s[-1]

    Runner(
        sampler_of(source, interval_s=interval_s),
        Engine(EngineSettings()),
        seen,
        give_up=seen.enough,
        monotonic=clock,
    ).run()

    # The grid begins when the runner looks at the clock for the first time.
    begin_s = asked_s[0]
    lateness_s = [
        one.time_s - begin_s - (number + one.missed_ticks) * interval_s
        for number, one in enumerate(seen.seen)
    ]
    # Every single one may be late on a busy machine, but not all of the last ten.
    assert min(lateness_s[-10:]) < interval_s
    assert min(lateness_s) >= -0.01


def test_ticks_that_were_missed_are_counted_and_not_caught_up() -> None:
    """The second tick takes 3.5 intervals: ticks 2, 3 and 4 are missed."""
    clock = Clock()
    source = SlowPower(
        "rapl", clock, {cpu(): 100.0}, take_s=[0.001, 0.0035], pass_s=clock.pass_s
    )
    seen = Recorder(ticks=3)

    Runner(
        sampler_of(source, monotonic=clock),
        Engine(EngineSettings()),
        seen,
        give_up=seen.enough,
        monotonic=clock,
    ).run()

    assert [one.missed_ticks for one in seen.seen] == [0, 0, 3]


def test_a_run_ends_when_it_is_told_to() -> None:
    """By any thread, and however often; at once, though the next tick is far."""
    seen = Recorder(ticks=10**9)
    runner = Runner(
        sampler_of(power(), interval_s=3600.0), Engine(EngineSettings()), seen
    )
    thread = threading.Thread(target=runner.run)
    thread.start()
    wait_until(lambda: seen.latest() is not None, "the first tick", LONG_S)

    runner.stop()
    runner.stop()
    thread.join(LONG_S)

    assert not thread.is_alive()
    assert len(seen.seen) == 1


def test_sources_are_closed_when_a_run_ends() -> None:
    """By its own decision here."""
    source, seen = power(), Recorder(ticks=1)

    Runner(
        sampler_of(source), Engine(EngineSettings()), seen, give_up=seen.enough
    ).run()

    wait_until(lambda: source.closed, "it is closed", LONG_S)


def test_sources_are_closed_when_a_tick_cannot_be_done() -> None:
    """A marginal intensity may not be counted, and is a fault of the program."""
    source = power()
    sampler = sampler_of(source)
    sampler.intensity = FakeIntensity(replace(GREEN, signal="marginal"))

    with pytest.raises(ValueError, match="marginal"):
        Runner(sampler, Engine(EngineSettings()), Recorder()).run()

    wait_until(lambda: source.closed, "it is closed", LONG_S)


# --- the tick ---------------------------------------------------------------


def test_what_is_published_has_been_saved_before(tmp_path: Path) -> None:
    """Rule 7: whatever Prometheus may have seen can be gone on from."""
    saved_j: list[float] = []

    def compare(snapshot: Snapshot) -> None:
        state = Checkpoint(tmp_path, "boot").load()
        assert state is not None
        saved_j.append(sum(state.ledger.components.values()) - snapshot.node_energy_j)

    seen = Recorder(ticks=5, on_publish=compare)

    Runner(
        sampler_of(power()),
        Engine(EngineSettings()),
        seen,
        checkpoint=Checkpoint(tmp_path, "boot"),
        give_up=seen.enough,
    ).run()

    assert seen.seen[-1].node_energy_j > 0
    assert saved_j == [0.0] * 5


def test_at_the_end_the_files_of_the_checkpoint_are_closed(tmp_path: Path) -> None:
    """They are open from the first tick on."""
    runner = Runner(
        sampler_of(power()),
        Engine(EngineSettings()),
        Publisher(1.0),
        checkpoint=Checkpoint(tmp_path, "boot"),
    )

    runner.tick()
    in_use = open_files(tmp_path)
    runner.stop()
    runner.run()

    assert in_use == [tmp_path / "checkpoint.0"]
    assert open_files(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_that_cannot_be_written_is_a_source_that_is_down(
    tmp_path: Path,
) -> None:
    """It goes on measuring, and an alert can tell."""
    runner = Runner(
        sampler_of(power()),
        Engine(EngineSettings()),
        Publisher(1.0),
        checkpoint=Checkpoint(tmp_path / "missing", "boot"),
    )

    down = runner.tick().sources[-1]
    (tmp_path / "missing").mkdir()
    up = runner.tick().sources[-1]
    runner.stop()
    runner.run()

    assert down.info.name == up.info.name == "checkpoint"
    assert (down.up, down.reason) == (False, "faulty")
    assert "No such file" in down.message
    assert (up.up, up.reason) == (True, "")


def test_a_tick_says_how_long_it_took() -> None:
    """So does its snapshot, which is what is published."""
    publisher = Publisher(1.0)
    runner = Runner(sampler_of(power()), Engine(EngineSettings()), publisher)

    snapshot = runner.tick()
    runner.stop()
    runner.run()

    assert snapshot.tick_duration_s >= snapshot.sample_duration_s > 0


def test_other_settings_are_in_force_from_the_next_tick_on() -> None:
    """A reload while it runs."""
    engine = Engine(EngineSettings())
    runner = Runner(sampler_of(power()), engine, Publisher(1.0))
    before = runner.tick()
    live = Live(
        EngineSettings("none"),
        FakeIntensity(replace(GREEN, value=GramsPerKwh(7.0))),
        pue=FixedPue(1.5),
    )

    runner.apply(live)
    after = runner.tick()
    runner.stop()
    runner.run()

    assert (before.pue, before.intensity.value) == (1.0, 400.0)
    assert (after.pue, after.intensity.value) == (1.5, 7.0)
    assert engine.settings == EngineSettings("none")


def test_learned_idle_power_is_kept_now_and_then_and_at_the_end(
    tmp_path: Path,
) -> None:
    """Each five minutes of the clock, because a crash forgets it."""
    clock = Clock()
    gauge = gpu(counter=False)
    source = SlowPower(
        "gpu", clock, {gauge: 50.0}, take_s=[1.0] * 400, pass_s=clock.pass_s
    )
    engine, seen = Engine(EngineSettings()), Recorder(ticks=320)
    path = tmp_path / "idle-power.json"
    kept_at: list[int] = []

    def watch(_: Snapshot) -> None:
        if path.exists() and not kept_at:
            kept_at.append(len(seen.seen))

    seen.on_publish = watch

    Runner(
        sampler_of(source, interval_s=1.0, monotonic=clock),
        engine,
        seen,
        idle_store=IdleStore(tmp_path),
        give_up=seen.enough,
        monotonic=clock,
    ).run()

    assert kept_at == [300]
    assert IdleStore(tmp_path).load() == {}
