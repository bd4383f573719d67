"""A daemon that was dead for a while, and an Epilog that took note meanwhile."""

from pathlib import Path

import pytest

from tests.fakes.cgroups import Layout, drop, sluid_of
from tests.fakes.charges import Charges
from tests.fakes.inventory import FakeInventory, gpu
from tests.fakes.slurm_node import SlurmNode, ids, slurm_node, usage_of

LAYOUTS = pytest.mark.parametrize("layout", ["v1", "v2", "sluid"])
GPU = gpu(0)


def _drop(node: SlurmNode, job_id: int, **variables: str) -> None:
    """Let a Prolog run now."""
    sluid = sluid_of(job_id)
    node.date(
        drop(
            node.drops, job_id, SLURM_JOB_USER="ada", SLURM_JOB_SLUID=sluid, **variables
        )
    )


@LAYOUTS
def test_jobs_that_ended_meanwhile_are_charged_for_what_they_used(
    tmp_path: Path, layout: Layout
) -> None:
    """One after 4 of 20 s, one after 14, one not at all; slurmd itself is busy too."""
    with slurm_node(tmp_path, layout, plays_wall=True) as node:
        node.slurm.daemon_cpus = 0.5
        for job_id in (1, 2, 3):
            _drop(node, job_id)
        charges = Charges(node, interval_s=1.0)
        jobs = [node.slurm.start_job(job_id, busy_cpus=job_id) for job_id in (1, 2, 3)]
        charges.take(node.look())
        charges.take(node.tick())

        node.clock.pass_s(4.0)
        node.end_unheard(jobs[0])
        node.clock.pass_s(10.0)
        node.end_unheard(jobs[1])
        node.clock.pass_s(5.0)
        node.restart()
        charges.take(node.tick())
        charges.take(node.tick())

        expected = {"1": 1.0 * 5, "2": 2.0 * 15, "3": 3.0 * 22}
        assert charges.cpu_s == pytest.approx(expected, abs=1e-5)
        assert charges.unknown_s == 0.0


@LAYOUTS
def test_without_an_epilog_it_is_unknown_what_they_used(
    tmp_path: Path, layout: Layout
) -> None:
    """Two ended, each at a moment that nobody knows: 50 s of either or of others."""
    with slurm_node(tmp_path, layout, plays_wall=True) as node:
        for job_id in (1, 2, 3):
            _drop(node, job_id)
        charges = Charges(node, interval_s=1.0)
        jobs = [node.slurm.start_job(job_id, busy_cpus=job_id) for job_id in (1, 2, 3)]
        charges.take(node.look())
        charges.take(node.tick())

        node.clock.pass_s(10.0)
        node.slurm.end_job(jobs[0])
        node.clock.pass_s(10.0)
        node.slurm.end_job(jobs[1])
        node.restart()
        charges.take(node.tick())

        expected = {"1": 1.0, "2": 2.0, "3": 3.0 * 22}
        assert charges.cpu_s == pytest.approx(expected, abs=1e-5)
        assert charges.unknown_s == pytest.approx(50.0, abs=1e-5)


@LAYOUTS
def test_a_job_that_came_and_went_is_told_with_all_it_was(
    tmp_path: Path, layout: Layout
) -> None:
    """It has its user, its times and its CPU time, although nobody ever saw it."""
    with slurm_node(tmp_path, layout, plays_wall=True) as node:
        _drop(node, 1)
        charges = Charges(node, interval_s=1.0)
        node.slurm.start_job(1, busy_cpus=1.0)
        charges.take(node.look())
        begin_unix_s = node.unix_time()
        _drop(node, 2, SLURM_JOB_ACCOUNT="physics", SLURM_JOB_CPUS_PER_NODE="4")
        job = node.slurm.start_job(2, busy_cpus=4.0)
        node.clock.pass_s(7.0)
        node.end_unheard(job)
        node.clock.pass_s(4.0)
        node.restart()

        reading = node.tick()
        step = charges.take(reading)
        gone = node.tick()

        told = usage_of(reading, 2)
        assert told.labels is not None
        assert (told.labels.user, told.labels.account) == ("ada", "physics")
        assert told.start_unix_s == pytest.approx(begin_unix_s)
        assert told.end_unix_s == pytest.approx(begin_unix_s + 7.0)
        assert charges.cpu_s["2"] == pytest.approx(28.0, abs=1e-5)
        reserved_s = step.window(0.0).usages[told.workload].reserved_cpu_s
        assert reserved_s == pytest.approx(4 * 7.0)
        assert ids(gone) == {1}


def test_a_gpu_of_a_job_that_came_and_went_is_told_once_gpus_are_known(
    tmp_path: Path,
) -> None:
    """A daemon that has just started does not know them in its first tick."""
    inventory = FakeInventory()
    with slurm_node(tmp_path, "v2", inventory=inventory, plays_wall=True) as node:
        charges = Charges(node, interval_s=1.0)
        charges.take(node.look())
        _drop(node, 2, SLURM_JOB_GPUS="0")
        job = node.slurm.start_job(2)
        node.clock.pass_s(7.0)
        node.end_unheard(job)
        node.clock.pass_s(2.0)
        node.restart()

        first = charges.take(node.tick())
        inventory.infos = (GPU,)
        reading = node.tick()
        step = charges.take(reading)
        gone = node.tick()

        told = usage_of(reading, 2)
        (held,) = told.gpus
        assert first.holds == {}
        assert held.device == GPU.uuid
        assert step.holds[GPU.uuid].held_s == 0.0
        before = step.held_before(GPU.uuid, [told.workload], 10.0)
        assert before.held_s == pytest.approx(7.0)
        assert ids(gone) == set()


def test_who_held_a_gpu_before_is_no_rival_of_who_holds_it_now(tmp_path: Path) -> None:
    """One after the other, both for themselves: nobody has to be doubted."""
    inventory = FakeInventory((GPU,))
    with slurm_node(tmp_path, "v2", inventory=inventory, plays_wall=True) as node:
        node.look()
        for job_id in (1, 2):
            _drop(node, job_id, SLURM_JOB_GPUS="0")
        node.end_unheard(node.slurm.start_job(1))
        node.slurm.start_job(2)
        node.restart()

        reading = node.look()

        for job_id in (1, 2):
            assert [hold.share for hold in usage_of(reading, job_id).gpus] == [1.0]
        assert node.source.doubts == ()


def test_a_job_that_runs_again_is_told_as_running(tmp_path: Path) -> None:
    """Requeued while the daemon was dead: 5 s of the first run, 3 of the second."""
    with slurm_node(tmp_path, "v2", plays_wall=True) as node:
        _drop(node, 1)
        charges = Charges(node, interval_s=1.0)
        job = node.slurm.start_job(1)
        charges.take(node.look())
        charges.take(node.tick())
        node.clock.pass_s(4.0)
        node.end_unheard(job)
        node.clock.pass_s(2.0)
        node.slurm.start_job(1)
        node.clock.pass_s(2.0)
        node.restart()

        reading = node.tick()
        charges.take(reading)

        assert usage_of(reading, 1).end_unix_s is None
        assert charges.cpu_s["1"] == pytest.approx(1.0 + 4.0 + 3.0, abs=1e-5)


def test_a_daemon_that_hung_catches_up_too(tmp_path: Path) -> None:
    """It did not read for a while, and the Epilog gave up waiting for it."""
    with slurm_node(tmp_path, "v2", plays_wall=True) as node:
        _drop(node, 1)
        charges = Charges(node, interval_s=1.0)
        job = node.slurm.start_job(1)
        charges.take(node.look())
        charges.take(node.tick())
        node.clock.pass_s(4.0)
        node.end_unheard(job)

        reading = node.look()
        charges.take(reading)

        assert usage_of(reading, 1).end_unix_s is not None
        assert charges.cpu_s["1"] == pytest.approx(5.0, abs=1e-5)


def test_what_has_been_taken_in_is_removed(tmp_path: Path) -> None:
    """Not before the tick that read it can have been saved."""
    with slurm_node(tmp_path, "v2", plays_wall=True) as node:
        node.look()
        job = node.slurm.start_job(1)
        node.end_unheard(job)
        node.restart()
        node.tick()
        before = list(node.ended.iterdir())

        node.look()

        assert len(before) == 1
        assert list(node.ended.iterdir()) == []


def test_an_end_in_the_future_is_not_believed(tmp_path: Path) -> None:
    """The wall clock was set back."""
    with slurm_node(tmp_path, "v2", plays_wall=True) as node:
        node.look()
        node.clock.pass_s(3600.0)
        node.end_unheard(node.slurm.start_job(1))
        node.clock.pass_s(-3600.0)
        node.restart()

        reading = node.tick()

        assert reading.missed == ()
        assert ids(reading) == set()
