import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from exporter.core.archive import JobRecord
from exporter.core.ledger import Ledger
from exporter.core.model import SourceInfo, SourceStatus
from exporter.core.units import Seconds
from exporter.core.workload import GpuUse
from exporter.pipeline.engine import Engine
from exporter.pipeline.recorder import JobRecorder, running_keys
from exporter.pipeline.runner import Publisher, Runner
from exporter.pipeline.state import EngineSettings
from tests.fakes.node import UNIX_S, hold, job_id, labels, usage
from tests.fakes.sampling import power, sampling
from tests.fakes.sources import FakeJob, FakeWorkloads

A, B = job_id("a"), job_id("b")
UP = SourceStatus(SourceInfo("archive", "", "none", "none", "node"), up=True)


@dataclass
class FakeKeeper:
    """Remembers what it was given."""

    status: SourceStatus = UP
    puts: list[dict[str, JobRecord]] = field(default_factory=list)
    closed_s: float | None = None

    def put(self, records: Iterable[JobRecord]) -> None:
        """Remember records by the key of their workload."""
        self.puts.append({one.workload.key: one for one in records})

    def close(self, timeout_s: float) -> None:
        """Remember how much time there was."""
        self.closed_s = timeout_s


class Node:
    """A ledger that is told of jobs by hand, with a recorder at work."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.keeper = FakeKeeper()
        self.recorder = JobRecorder(self.keeper)

    def tick(
        self, now_s: float, *keys: str, ended: str = "", known: bool = True
    ) -> None:
        """See jobs, the ended ones included, as the engine does."""
        seen = {
            job_id(key): usage(
                key, now_s, gpus=(hold(),), labels=labels(key) if known else None
            )
            for key in keys
        }
        now, unix = Seconds(now_s), Seconds(UNIX_S + now_s)
        gone = [job_id(key) for key in ended]
        self.ledger.see_jobs(seen, dict.fromkeys(seen, 1.0), now, unix)
        self.ledger.freeze_labels(now, 100)
        self.ledger.end_jobs(gone, now, unix)
        self.ledger.freeze_labels(now, 100)
        self.ledger.forget_jobs(now, 600.0)
        self.recorder.after_tick(self.ledger, gone, now, unix)

    def charge(self, key: str, energy_j: float) -> None:
        """Charge a job for CPU energy, a tenth of it estimated."""
        job = self.ledger.jobs[job_id(key)]
        job.energy_j[0] += energy_j
        job.estimated_j += energy_j / 10

    @property
    def told(self) -> list[dict[str, JobRecord]]:
        """What was told since this was last asked."""
        told = list(self.keeper.puts)
        self.keeper.puts.clear()
        return told


def states(told: dict[str, JobRecord]) -> dict[str, str]:
    """Return the state of each job that was told."""
    return {key: one.state for key, one in told.items()}


def test_a_job_is_told_in_the_tick_in_which_it_ends() -> None:
    """With all that its account knows."""
    node = Node()
    node.tick(0.0)
    node.tick(1.0, "a", "b")
    node.charge("a", 50.0)
    job = node.ledger.jobs[A]
    job.emissions_g, job.fallback_g, job.peak_power_w = 3.0, 1.0, 75.0
    job.gpu_use, job.start_unix_s = GpuUse(2.0), UNIX_S - 9

    node.tick(2.0, "a", "b", ended="a")

    (told,) = node.told
    assert told == {
        "a": JobRecord(
            workload=A,
            labels=labels("a"),
            created_unix_s=Seconds(UNIX_S + 1),
            state="ended",
            start_unix_s=Seconds(UNIX_S - 9),
            end_unix_s=Seconds(UNIX_S + 2),
            seen_unix_s=Seconds(UNIX_S + 2),
            energy_j=(("cpu", 50.0),),  # type: ignore[arg-type]  # plain numbers
            estimated_j=5.0,  # type: ignore[arg-type]
            emissions_g=3.0,  # type: ignore[arg-type]
            fallback_g=1.0,  # type: ignore[arg-type]
            cpu_s=Seconds(2.0),
            peak_power_w=75.0,  # type: ignore[arg-type]
            gpu_use=GpuUse(2.0),
        )
    }


def test_running_jobs_are_told_once_a_minute() -> None:
    """If the node goes down, so much is lost at most."""
    node = Node()
    node.tick(0.0, "a")
    told_at = []
    for second in range(1, 182):
        node.tick(float(second), "a")
        told_at += [second] * len(node.told)

    assert told_at[-3:] == [60, 120, 180]
    node.tick(240.0, "a")
    (told,) = node.told
    assert states(told) == {"a": "running"}
    assert told["a"].seen_unix_s == UNIX_S + 240
    assert told["a"].end_unix_s is None


def test_a_job_without_labels_is_not_told_before_it_has_some() -> None:
    """Nobody could find it again; it has them at its end at the latest."""
    node = Node()
    node.tick(0.0, "a", known=False)
    assert not node.told

    node.tick(0.5, "a", ended="a", known=False)

    (told,) = node.told
    assert told["a"].labels.job_id == "a"


def test_energy_that_comes_after_the_end_is_told_too() -> None:
    """A sensor that could not be read for a while tells late."""
    node = Node()
    node.tick(0.0, "a")
    node.tick(1.0, "a", ended="a")
    node.keeper.puts.clear()
    node.charge("a", 5.0)

    node.tick(60.0)
    once = node.told
    node.tick(120.0)

    assert [told["a"].energy_j for told in once] == [(("cpu", 5.0),)]
    assert not node.told


def test_energy_that_comes_just_before_a_job_is_forgotten_is_told_too() -> None:
    """The last look is after that."""
    node = Node()
    node.tick(0.0, "a", "b")
    node.tick(1.0, "a", "b", ended="ab")
    node.tick(600.0)
    node.charge("a", 5.0)
    node.keeper.puts.clear()

    node.tick(601.1)
    assert not node.ledger.jobs
    node.tick(660.0)

    (told,) = node.told
    assert told.keys() == {"a"}
    assert told["a"].energy_j == (("cpu", 5.0),)


def test_a_job_that_is_not_exported_is_told_too() -> None:
    """The cap on exported jobs is there for Prometheus, not for the disk."""
    node = Node()
    node.tick(0.0, "a")
    node.ledger.jobs[A].exported = False

    node.tick(1.0, "a", ended="a")

    assert [states(told) for told in node.told] == [{"a": "running"}, {"a": "ended"}]


def test_a_component_that_the_node_can_tell_of_is_a_measured_zero() -> None:
    """Of others nothing is known, which is no zero."""
    node = Node()
    node.ledger.components = {"cpu": 100.0, "gpu": 7.0}
    node.tick(0.0, "a")

    (told,) = node.told
    assert told["a"].energy_j == (("cpu", 0.0), ("gpu", 0.0))


def test_a_job_that_is_requeued_and_ends_again_is_told_again() -> None:
    """Though it has used nothing since; also in a tick that looks at all."""
    node = Node()
    node.tick(0.0, "a")
    node.tick(1.0, "a", ended="a")
    node.tick(60.0, "a")
    states_so_far = [states(told)["a"] for told in node.told]

    node.tick(120.0, "a", ended="a")

    assert states_so_far == ["running", "ended", "running"]
    (told,) = node.told
    assert states(told) == {"a": "ended"}
    assert told["a"].end_unix_s == UNIX_S + 120


def test_after_a_restart_all_ended_jobs_are_told_again() -> None:
    """The daemon may have been killed between the end and the writing."""
    node = Node()
    node.tick(0.0, "a", "b")
    node.tick(1.0, "a", "b", ended="a")
    node.keeper.puts.clear()

    node.recorder = JobRecorder(node.keeper)
    node.tick(2.0, "b")
    node.tick(3.0, "b")

    (told,) = node.told
    assert states(told) == {"a": "ended", "b": "running"}


def test_at_the_end_of_the_daemon_running_jobs_are_told_once_more() -> None:
    """So that nothing of the last minute is missing while it is down."""
    node = Node()
    node.tick(0.0, "a", "b")
    node.tick(1.0, "a", "b", ended="a")
    node.tick(30.0, "b")
    node.keeper.puts.clear()

    node.recorder.close(node.ledger, 0.5)

    (told,) = node.told
    assert states(told) == {"b": "running"}
    assert told["b"].seen_unix_s == UNIX_S + 30
    assert node.keeper.closed_s == 0.5


def test_nothing_is_put_where_there_is_nothing_to_tell() -> None:
    """The archive's thread sleeps on a node without jobs."""
    node = Node()
    for second in range(0, 300, 10):
        node.tick(float(second))

    assert not node.told
    assert node.recorder.status is node.keeper.status


def test_memory_is_bounded_by_the_ledger() -> None:
    """Ended jobs are followed as long as it keeps them."""
    node = Node()
    for second in range(0, 4000, 10):
        key = f"{second}"
        node.tick(float(second), key)
        node.tick(second + 5.0, key, ended="")
        node.ledger.end_jobs([job_id(key)], Seconds(second + 5), Seconds(0))

    node.tick(4700.0)
    node.tick(4760.0)
    node.keeper.puts.clear()
    node.tick(4820.0)

    assert not node.ledger.jobs
    assert not node.told


@pytest.mark.parametrize("ended", ["", "a"])
def test_the_keys_of_running_jobs_are_those_of_their_records(ended: str) -> None:
    """The archive tells by them which rows were lost."""
    node = Node()
    node.tick(7.0, "a", "b", ended=ended)

    expected = {("slurm", "b", UNIX_S + 7)} | (
        set() if ended else {("slurm", "a", UNIX_S + 7)}
    )
    assert running_keys(node.ledger) == expected
    (told,) = node.told
    assert {one.key for one in told.values() if one.state == "running"} == expected


def test_the_tick_tells_and_the_end_of_the_run_closes() -> None:
    """A scrape sees whether jobs are kept."""
    keeper = FakeKeeper(SourceStatus(UP.info, up=False, reason="faulty"))
    publisher = Publisher(1.0)
    workloads = FakeWorkloads(time.monotonic, (FakeJob("a"),))
    with sampling(power(), workloads=(workloads,)) as sampler:
        Runner(
            sampler,
            Engine(EngineSettings()),
            publisher,
            recorder=JobRecorder(keeper),
            give_up=lambda: True,
        ).run()

    snapshot = publisher.latest()
    assert snapshot is not None
    assert snapshot.sources[-1] is keeper.status
    assert [states(told) for told in keeper.puts] == [{"a": "running"}] * 2
    assert keeper.closed_s is not None
