"""What the core charges jobs for, from what this source reads."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.workload import WorkloadId
from exporter.workloads.inotify import Inotify
from tests.fakes.cgroups import Layout, drop
from tests.fakes.charges import Charges
from tests.fakes.slurm_node import slurm_node, wait_watched


def _no_inotify() -> Inotify:
    raise OSError(24, "Too many open files")


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_a_job_shorter_than_a_tick_is_charged_for_what_it_used(
    tmp_path: Path, layout: Layout
) -> None:
    """Half a second between two ticks, beside a job that goes on."""
    with slurm_node(tmp_path, layout) as node:
        charges = Charges(node)
        node.slurm.start_job(1, busy_cpus=2.0)
        charges.take(node.look())
        node.clock.pass_s(0.2)
        brief = node.slurm.start_job(2, uid=7, busy_cpus=1.0)
        wait_watched(node.slurm.directory(brief).parent)
        node.clock.pass_s(0.5)
        node.slurm.end_job(brief)

        reading = node.read_until(
            lambda each: WorkloadId("slurm", "2") in each.groups[0].members
        )
        charges.take(reading)
        for _ in range(3):
            charges.take(node.tick())

        assert charges.cpu_s["2"] == pytest.approx(0.5)
        assert charges.cpu_s["1"] == pytest.approx(2 * (0.7 + 3.0))


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_the_last_slice_of_a_job_is_its_own(tmp_path: Path, layout: Layout) -> None:
    """Whatever it used after its last reading is what its group has more."""
    with slurm_node(tmp_path, layout) as node:
        charges = Charges(node)
        node.slurm.start_job(1, busy_cpus=3.0)
        job = node.slurm.start_job(2, busy_cpus=1.0)
        charges.take(node.look())
        charges.take(node.tick())
        node.clock.pass_s(0.9)
        node.slurm.end_job(job)

        charges.take(node.look())
        charges.take(node.tick())

        assert charges.cpu_s["2"] == pytest.approx(1.9)
        assert charges.cpu_s["1"] == pytest.approx(3 * (1.0 + 0.9 + 31.0 + 1.0))


def test_left_over_cgroups_take_nothing_from_jobs(tmp_path: Path) -> None:
    """A slurmd that was killed leaves some, in one tree or another."""
    with slurm_node(tmp_path) as node:
        charges = Charges(node)
        stale = node.slurm.cgroupfs / "memory" / "slurm_old" / "uid_9" / "job_9"
        stale.mkdir(parents=True)
        job = node.slurm.start_job(1, busy_cpus=0.0)
        charges.take(node.look())
        charges.take(node.tick())
        node.slurm.spend(job, 0.9)
        node.slurm.end_job(job)

        charges.take(node.look())

        assert charges.cpu_s["1"] == pytest.approx(0.9)


_event = st.one_of(
    st.tuples(st.just("start"), st.integers(1, 6), st.integers(0, 4)),
    st.tuples(st.just("end"), st.integers(1, 6), st.just(0)),
    st.tuples(st.just("pause"), st.integers(1, 6), st.integers(0, 4)),
    st.tuples(st.just("pass"), st.integers(1, 9), st.just(0)),
    st.tuples(st.just("tick"), st.just(0), st.just(0)),
)


@pytest.mark.parametrize("layout", ["v1", "v2", "sluid"])
@given(events=st.lists(_event, max_size=40))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_cpu_time_is_invented_and_none_that_was_read_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    layout: Layout,
    events: list[tuple[str, int, int]],
) -> None:
    """In any life of a node the jobs are charged for what they used, in sum.

    Without a watcher, so that nothing depends on when a thread runs: a job that
    comes and goes between two looks is then nobody's, and may miss in the sum. So
    may the last slice of a job that is requeued before the next look.
    """
    root = tmp_path_factory.mktemp("node")
    with slurm_node(root, layout, open_inotify=_no_inotify) as node:
        charges = Charges(node)
        for job_id in range(1, 7):
            drop(
                node.drops,
                job_id,
                SLURM_JOB_USER="alice",
                SLURM_JOB_NAME="x",
                SLURM_JOB_SLUID=f"s000000000000{job_id}",
            )
        charges.take(node.tick())
        read_s: dict[int, float] = {}
        late_s: dict[int, float] = {}
        missed_s = 0.0
        for kind, number, cpus in events:
            jobs = node.slurm.jobs
            if kind == "start" and number not in jobs:
                node.slurm.start_job(number, busy_cpus=cpus / 2)
                missed_s += late_s.pop(number, 0.0)
                read_s.pop(number, None)
            elif kind == "end" and number in jobs:
                node.slurm.play()
                used_s = jobs[number].used_s
                if number in read_s:
                    late_s[number] = used_s - read_s[number]
                else:
                    missed_s += used_s
                node.slurm.end_job(jobs[number])
            elif kind == "pause" and number in jobs:
                node.slurm.play()
                jobs[number].busy_cpus = cpus / 2
            elif kind == "pass":
                node.clock.pass_s(number / 10)
            elif kind == "tick":
                charges.take(node.tick())
                late_s.clear()
                read_s = {job.job_id: job.used_s for job in jobs.values()}
        for _ in range(3):
            charges.take(node.tick())

        used_s = node.slurm.ended_s + sum(j.used_s for j in node.slurm.jobs.values())
        charged_s = sum(charges.cpu_s.values())
        assert charged_s <= used_s + 1e-6
        assert charged_s >= used_s - missed_s - 1e-6
