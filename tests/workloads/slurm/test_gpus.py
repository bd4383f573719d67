"""Who holds which GPU, by whose word, and what happens if they differ."""

from pathlib import Path

import pytest

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInstance
from exporter.core.units import Ratio
from exporter.core.workload import GpuHold, WorkloadsReading
from exporter.workloads.gpu_maps import READ_AGAIN_S, JobMap
from exporter.workloads.slurm import GpuSettings
from tests.fakes.cgroups import Layout, drop, environ
from tests.fakes.inventory import FakeInventory, gpu
from tests.fakes.slurm_node import SlurmNode, slurm_node, usage_of

# Minor numbers run against the order on the bus, as on real nodes.
_GPUS = tuple(gpu(index, minor=7 - index) for index in range(4))
_UUID = [info.uuid for info in _GPUS]


def _inventory() -> FakeInventory:
    return FakeInventory(_GPUS)


def _divided() -> FakeInventory:
    """Return GPUs of which the first is divided into three instances."""
    parts = tuple(
        GpuInstance(f"MIG-{name}", _UUID[0], number, Ratio(slices / 7))
        for name, number, slices in (("a", 1, 3), ("b", 2, 2), ("c", 5, 1))
    )
    return FakeInventory(_GPUS, parts)


def _holds(reading: WorkloadsReading, job_id: int) -> dict[str, float]:
    held: dict[str, float] = {}
    for hold in usage_of(reading, job_id).gpus:
        held[hold.device] = held.get(hold.device, 0.0) + hold.share
    return held


def _whole(*indexes: int) -> dict[str, float]:
    return {_UUID[index]: 1.0 for index in indexes}


def _conflicts(node: SlurmNode) -> int:
    return dict(node.source.doubts).get("conflict", 0)


# --- witnesses ------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["v1", "v2", "sluid"])
def test_an_environment_tells_the_gpus_of_a_job(tmp_path: Path, layout: Layout) -> None:
    """By Slurm's numbers; those of CUDA are the job's own and begin at 0."""
    with slurm_node(tmp_path, layout, inventory=_inventory()) as node:
        told = environ(1, SLURM_JOB_GPUS="0,3", CUDA_VISIBLE_DEVICES="0,1")
        node.slurm.start_job(1, variables=told)

        assert _holds(node.look(), 1) == _whole(3, 0)


def test_the_order_in_which_slurm_counts_is_the_site_s(tmp_path: Path) -> None:
    """With AutoDetect=nvml it counts as on the bus."""
    settings = GpuSettings(order="pci")
    with slurm_node(tmp_path, "v1", inventory=_inventory(), gpus=settings) as node:
        node.slurm.start_job(1, variables=environ(1, SLURM_JOB_GPUS="0,3"))

        assert _holds(node.look(), 1) == _whole(0, 3)


def test_a_uuid_needs_no_order(tmp_path: Path) -> None:
    """Prologs since 25.11 tell them."""
    with slurm_node(tmp_path, "v2", inventory=_inventory()) as node:
        drop(node.drops, 1, SLURM_JOB_GPUS="0", CUDA_VISIBLE_DEVICES=_UUID[2])
        node.slurm.start_job(1, step=None)

        assert _holds(node.look(), 1) == _whole(2)


def test_a_device_cgroup_tells_the_gpus_it_allows(tmp_path: Path) -> None:
    """Beside the devices that every job may open."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        devices = ("c 1:3 rwm", "c 195:255 rw", "c 195:6 rw", "c 195:4 rw")
        node.slurm.start_job(1, devices=devices)

        assert _holds(node.look(), 1) == _whole(1, 3)


def test_maps_of_other_exporters_tell_gpus_too(tmp_path: Path) -> None:
    """A site with such a Prolog changes nothing."""
    dcgm, gpustat = tmp_path / "dcgm", tmp_path / "gpustat"
    for directory in (dcgm, gpustat):
        directory.mkdir()
    (dcgm / "0").write_text("1\n")
    (gpustat / "0").write_text("2 1000\n")
    settings = GpuSettings(maps=(JobMap(dcgm, "dcgm"), JobMap(gpustat, "gpustat")))
    with slurm_node(tmp_path, "v1", inventory=_inventory(), gpus=settings) as node:
        node.slurm.start_job(1)
        node.slurm.start_job(2)

        reading = node.look()

        assert _holds(reading, 1) == _whole(0)
        assert _holds(reading, 2) == _whole(3)


def test_maps_are_read_again(tmp_path: Path) -> None:
    """They are rewritten in place when a job begins."""
    settings = GpuSettings(maps=(JobMap(tmp_path / "map", "dcgm"),))
    with slurm_node(tmp_path, "v1", inventory=_inventory(), gpus=settings) as node:
        node.slurm.start_job(1)
        before = _holds(node.look(), 1)
        (tmp_path / "map").mkdir()
        (tmp_path / "map" / "2").write_text("1\n")

        after = _holds(node.tick(READ_AGAIN_S), 1)

        assert before == {}
        assert after == _whole(2)


def test_a_gpu_is_held_whether_it_is_used_or_not(tmp_path: Path) -> None:
    """It is reserved, so nobody else can have it."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        drop(node.drops, 1, SLURM_JOB_GPUS="0")
        node.slurm.start_job(1, busy_cpus=0.0, step=None)

        for _ in range(3):
            assert _holds(node.look(), 1) == _whole(3)


def test_gpus_that_are_found_later_are_assigned_then(tmp_path: Path) -> None:
    """The driver may start after the job, or be let go of for a while."""
    inventory = FakeInventory()
    with slurm_node(tmp_path, "v1", inventory=inventory) as node:
        node.slurm.start_job(1, variables=environ(1, SLURM_JOB_GPUS="0"))
        before = _holds(node.look(), 1)
        inventory.infos = _GPUS

        after = _holds(node.tick(), 1)

        assert before == {}
        assert after == _whole(3)
        assert node.source.doubts == ()


def test_a_job_that_ended_holds_nothing(tmp_path: Path) -> None:
    """The next one gets the same GPU, and that is no conflict."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        told = {"SLURM_JOB_GPUS": "0"}
        first = node.slurm.start_job(1, variables=environ(1, **told))
        node.look()
        node.read_labelled(1)
        node.slurm.end_job(first)
        node.slurm.start_job(2, variables=environ(2, **told))

        reading = node.look()

        assert _holds(reading, 2) == _whole(3)
        assert _conflicts(node) == 0


# --- shares ---------------------------------------------------------------------------


def test_instances_are_parts_of_their_gpu(tmp_path: Path) -> None:
    """Two jobs on one GPU; a slice that nobody holds stays nobody's."""
    with slurm_node(tmp_path, "v1", inventory=_divided()) as node:
        told = {"SLURM_JOB_GPUS": "0"}
        one = environ(1, CUDA_VISIBLE_DEVICES="MIG-a", **told)
        two = environ(2, CUDA_VISIBLE_DEVICES=f"MIG-b,MIG-c,{_UUID[1]}", **told)
        node.slurm.start_job(1, variables=one)
        node.slurm.start_job(2, variables=two)

        reading = node.look()

        assert _holds(reading, 1) == {_UUID[0]: pytest.approx(3 / 7)}
        assert _holds(reading, 2) == {
            _UUID[0]: pytest.approx(3 / 7),
            _UUID[1]: 1.0,
        }
        assert _conflicts(node) == 0


def test_shards_are_parts_of_what_gres_conf_divides_a_gpu_into(
    tmp_path: Path,
) -> None:
    """What is left over is nobody's."""
    settings = GpuSettings(shards_per_gpu=8)
    with slurm_node(tmp_path, "v1", inventory=_inventory(), gpus=settings) as node:
        for job_id, shards in ((1, 1), (2, 3)):
            told = environ(job_id, SLURM_JOB_GPUS="0", SLURM_SHARDS_ON_NODE=shards)
            node.slurm.start_job(job_id, variables=told)

        reading = node.look()

        assert _holds(reading, 1) == {_UUID[3]: 1 / 8}
        assert _holds(reading, 2) == {_UUID[3]: 3 / 8}
        assert _conflicts(node) == 0


@pytest.mark.parametrize("layout", ["v1", "v2", "sluid"])
def test_holders_of_shards_tell_what_they_did(tmp_path: Path, layout: Layout) -> None:
    """By the cgroups of their processes, which are named in three ways."""
    settings = GpuSettings(shards_per_gpu=8)
    inventory = _inventory()
    with slurm_node(tmp_path, layout, inventory=inventory, gpus=settings) as node:
        pids = []
        for job_id, shards in ((1, 1), (2, 3)):
            told = environ(job_id, SLURM_JOB_GPUS="0", SLURM_SHARDS_ON_NODE=shards)
            job = node.slurm.start_job(job_id, variables=told)
            pids.append(job.pids[-1])
        node.look()
        parts = {pids[0]: Ratio(0.6), pids[1]: Ratio(0.3)}
        inventory.activities[_UUID[3]] = GpuActivity(processes=parts)

        reading = node.look()
        later = node.look()

        assert [usage_of(reading, job_id).gpus for job_id in (1, 2)] == [
            (GpuHold(_UUID[3], Ratio(1 / 8), Ratio(0.6)),),
            (GpuHold(_UUID[3], Ratio(3 / 8), Ratio(0.3)),),
        ]
        assert usage_of(later, 1).gpus == (GpuHold(_UUID[3], Ratio(1 / 8)),)
        assert dict(node.source.doubts) == {}


def test_jobs_on_instances_tell_what_they_did(tmp_path: Path) -> None:
    """And how busy the whole GPU was, free instances included."""
    inventory = _divided()
    with slurm_node(tmp_path, "v2", inventory=inventory) as node:
        one = environ(1, SLURM_JOB_GPUS="0", CUDA_VISIBLE_DEVICES="MIG-a")
        node.slurm.start_job(1, variables=one)
        node.look()
        busy = {"MIG-a": Ratio(0.7), "MIG-b": Ratio(0.0), "MIG-c": Ratio(1.0)}
        inventory.activities[_UUID[0]] = GpuActivity(instances=busy)

        reading = node.look()

        (hold,) = usage_of(reading, 1).gpus
        assert hold.instance == "MIG-a"
        assert hold.activity == pytest.approx(0.3)
        assert reading.gpu_activity == {_UUID[0]: pytest.approx(3.1 / 7)}


def test_without_that_number_the_holders_of_shards_share_all_of_it(
    tmp_path: Path,
) -> None:
    """The node does not tell how many shards there are."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        first = None
        for job_id, shards in ((1, 1), (2, 3)):
            told = environ(job_id, SLURM_JOB_GPUS="0", SLURM_SHARDS_ON_NODE=shards)
            job = node.slurm.start_job(job_id, variables=told)
            first = first or job
        both = node.look()
        node.read_labelled(1)
        assert first is not None
        node.slurm.end_job(first)

        alone = node.look()

        assert _holds(both, 1) == {_UUID[3]: 0.25}
        assert _holds(both, 2) == {_UUID[3]: 0.75}
        assert _holds(alone, 2) == _whole(3)


def test_mps_gives_the_share_that_was_asked_for(tmp_path: Path) -> None:
    """As a percentage of the threads."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        told = {
            "SLURM_JOB_GPUS": "0",
            "CUDA_VISIBLE_DEVICES": "0",
            "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "25",
        }
        drop(node.drops, 1, **told)
        node.slurm.start_job(1)

        assert _holds(node.look(), 1) == {_UUID[3]: 0.25}


def test_shards_on_several_gpus_are_spread_evenly(tmp_path: Path) -> None:
    """Slurm does not tell how it spread them."""
    settings = GpuSettings(shards_per_gpu=4)
    with slurm_node(tmp_path, "v1", inventory=_inventory(), gpus=settings) as node:
        told = environ(1, SLURM_JOB_GPUS="0,1", SLURM_SHARDS_ON_NODE=4)
        node.slurm.start_job(1, variables=told)

        assert _holds(node.look(), 1) == {_UUID[3]: 0.5, _UUID[2]: 0.5}


# --- conflicts ------------------------------------------------------------------------


def test_witnesses_that_differ_are_told_once_and_the_better_is_believed(
    tmp_path: Path,
) -> None:
    """A Prolog of a requeued job, or a wrong gpu_order."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        drop(node.drops, 1, SLURM_JOB_GPUS="0")
        node.slurm.start_job(1, devices=("c 195:6 rw",))

        readings = [node.look() for _ in range(3)]

        assert [_holds(each, 1) for each in readings] == [_whole(3)] * 3
        assert dict(node.source.doubts) == {"conflict": 1}
        assert "job 1 holds" in node.source.doubt
        assert "its device cgroup" in node.source.doubt


def test_a_step_with_fewer_gpus_than_its_job_is_no_conflict(tmp_path: Path) -> None:
    """Srun hands out a part of the allocation."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        drop(node.drops, 1, SLURM_JOB_GPUS="0,1")
        node.slurm.start_job(1, variables=environ(1, SLURM_STEP_GPUS="1"))

        assert _holds(node.look(), 1) == _whole(3, 2)
        assert _conflicts(node) == 0


def test_of_two_jobs_on_one_gpu_the_better_witness_wins(tmp_path: Path) -> None:
    """A user's environment takes nothing from whom the Prolog named."""
    with slurm_node(tmp_path, "v2", inventory=_inventory()) as node:
        drop(node.drops, 1, SLURM_JOB_GPUS="0")
        node.slurm.start_job(1, step=None)
        forged = environ(2, CUDA_VISIBLE_DEVICES=_UUID[3])
        node.slurm.start_job(2, variables=forged)

        reading = node.look()

        assert _holds(reading, 1) == _whole(3)
        assert _holds(reading, 2) == {}
        assert _conflicts(node) == 1
        assert "jobs 1, 2" in node.source.doubt


def test_two_jobs_with_equal_witnesses_both_hold_the_gpu(tmp_path: Path) -> None:
    """Nobody can tell better; the energy is divided, and the conflict told."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        for job_id in (1, 2):
            drop(node.drops, job_id, SLURM_JOB_GPUS="0")
            node.slurm.start_job(job_id)

        reading = node.look()

        assert _holds(reading, 1) == _holds(reading, 2) == _whole(3)
        assert _conflicts(node) == 1


def test_a_conflict_that_is_over_is_not_told_any_longer(tmp_path: Path) -> None:
    """The counter keeps it; the message is for what is wrong now."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        jobs = []
        for job_id in (1, 2):
            drop(node.drops, job_id, SLURM_JOB_GPUS="0", SLURM_JOB_USER="alice")
            jobs.append(node.slurm.start_job(job_id))
        node.look()
        node.read_labelled(2)
        node.slurm.end_job(jobs[1])
        node.look()

        node.look()

        assert node.source.doubt == ""
        assert _conflicts(node) == 1


def test_a_gpu_that_nobody_knows_is_told(tmp_path: Path) -> None:
    """It may be lost, or counted in another order."""
    with slurm_node(tmp_path, "v1", inventory=_inventory()) as node:
        node.slurm.start_job(1, variables=environ(1, SLURM_JOB_GPUS="0,7"))

        node.look()
        at_first = node.source.doubts

        reading = node.look()

        assert at_first == ()
        assert _holds(reading, 1) == _whole(3)
        assert dict(node.source.doubts) == {"unknown_gpu": 1}
        assert "slurm.gpu_order" in node.source.doubt


# --- the cross-check ------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["v1", "v2", "sluid"])
def test_a_process_on_a_gpu_that_its_job_does_not_hold_is_told(
    tmp_path: Path, layout: Layout
) -> None:
    """To use is not to hold: nothing is charged, but something is wrong."""
    inventory = _inventory()
    with slurm_node(tmp_path, layout, inventory=inventory) as node:
        told = environ(1, SLURM_JOB_GPUS="0")
        job = node.slurm.start_job(1, variables=told)
        node.look()
        inventory.pids = {_UUID[3]: (job.pids[-1],)}
        node.look()
        fine = _conflicts(node)
        inventory.pids = {_UUID[0]: (job.pids[-1],), _UUID[3]: (job.pids[-1], 4242)}

        reading = node.look()

        assert fine == 0
        assert _conflicts(node) == 1
        assert f"job 1 computes on GPU {_UUID[0]}" in node.source.doubt
        assert usage_of(reading, 1).gpus == (GpuHold(_UUID[3]),)
