import pytest

from exporter.config import Config
from exporter.core.snapshot import Snapshot
from exporter.core.workload import WorkloadsReading
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import job_j
from tests.fakes.node import cpu, jobs, labels, node, reading, sample, usage

TEN_MINUTES_S = 600.0


def fold(engine: Engine, second: float, running: WorkloadsReading) -> Snapshot:
    """Fold a second of a node that draws 100 W with one busy CPU."""
    now_s = 1000.0 + second
    package = reading(cpu(wraps_at=10**15), now_s, 100.0 * now_s)
    return engine.fold(
        sample(now_s, package, node=node(now_s, now_s), workloads=(running,))
    )


def test_a_job_of_half_a_second_is_there_for_ten_minutes() -> None:
    """It came and went between two ticks: no scrape of any server may miss it."""
    engine = Engine(EngineSettings())
    fold(engine, 0.0, jobs(group_cpu_s=50.0))
    brief = usage("7", None, labels=labels("7"))

    told = fold(engine, 1.0, jobs(brief, group_cpu_s=50.5))
    later = [
        fold(engine, second, jobs(group_cpu_s=50.5))
        for second in (2.0, 60.0, 300.0, 599.0, 1.0 + TEN_MINUTES_S)
    ]
    gone = fold(engine, 3.0 + TEN_MINUTES_S, jobs(group_cpu_s=50.5))

    assert job_j(told, "7") == pytest.approx({"cpu": 50.0})
    assert [job_j(each, "7") for each in later] == [job_j(told, "7")] * len(later)
    assert gone.jobs == ()


def test_ten_minutes_are_what_nobody_has_to_configure() -> None:
    """The engine is told by the configuration, and both agree."""
    assert Config().metrics.ended_jobs_s == TEN_MINUTES_S
    assert EngineSettings().ended_jobs_s == TEN_MINUTES_S
