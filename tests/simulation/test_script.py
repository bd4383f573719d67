"""What happens on a simulated cluster."""

from collections import Counter

import pytest

from exporter.simulation.cluster import RACK_NODES, Cluster, Job, NodeSize
from exporter.simulation.people import KINDS, USERS
from exporter.simulation.rack import ACT_S, rack_jobs
from exporter.simulation.script import Script

_ACT = 82_500
_BEGIN_S = _ACT * ACT_S
_HOUR_S = 3600


def _all_jobs(cluster: Cluster, act: int = _ACT) -> tuple[Job, ...]:
    return rack_jobs(cluster, 0, act)


def test_the_nodes_of_a_cluster_agree_on_its_jobs() -> None:
    """A job of several nodes is the same one on each, and nobody told them."""
    cluster = Cluster(nodes=4)
    scripts = [Script(cluster, node) for node in range(4)]

    for unix_s in range(_BEGIN_S, _BEGIN_S + ACT_S, 97):
        seen = [set(script.jobs(unix_s)) for script in scripts]
        for node, jobs in enumerate(seen):
            for job in jobs:
                on = {other for other in range(4) if job in seen[other]}
                assert on == set(job.nodes)
                assert node in on


def test_jobs_follow_from_cluster_and_time_alone() -> None:
    """Who starts late, or looks back, sees what everybody else sees."""
    one, other = (Script(Cluster(nodes=4), 1) for _ in range(2))
    later = [other.jobs(_BEGIN_S + ACT_S + 60 * n) for n in range(3)]

    first = [one.jobs(_BEGIN_S + ACT_S + 60 * n) for n in range(3)]
    again = [other.jobs(_BEGIN_S + 60 * n) for n in range(3)]

    assert first == later
    assert again == [one.jobs(_BEGIN_S + 60 * n) for n in range(3)]


def test_another_seed_makes_other_jobs() -> None:
    """Two clusters of a demonstration need not be twins."""
    jobs = {
        seed: {(job.name, job.start_unix_s) for job in _all_jobs(Cluster(seed))}
        for seed in ("one", "two")
    }

    assert jobs["one"] != jobs["two"]


@pytest.mark.parametrize("gpus", [0, 2, 8])
def test_no_gpu_is_held_by_two_jobs_and_no_node_is_overbooked(gpus: int) -> None:
    """A scheduler hands out what there is, once."""
    size = NodeSize(gpus=gpus)
    cluster = Cluster(nodes=3, mixture="both", size=size)
    jobs = _all_jobs(cluster)
    assert jobs

    for unix_s in range(_BEGIN_S, _BEGIN_S + ACT_S, 31):
        running = [j for j in jobs if j.start_unix_s <= unix_s < j.end_unix_s]
        for node in range(3):
            here = [job for job in running if node in job.nodes]
            held = Counter(gpu for job in here for gpu in job.gpus_on(node))
            assert not held or max(held.values()) == 1
            assert set(held) <= set(range(gpus))
            assert sum(job.cpus for job in here) <= size.cpus
            assert sum(j.kind.memory_bytes for j in here) <= size.memory_bytes


def test_numbers_of_jobs_are_never_used_twice_in_a_day() -> None:
    """A number is the identity of a job, in all racks of a cluster."""
    cluster = Cluster(nodes=2 * RACK_NODES)
    jobs = [
        job
        for act in range(_ACT, _ACT + 4)
        for rack in range(2)
        for job in rack_jobs(cluster, rack, act)
        # One that began in the warm-up of an act is offered in the act before too.
        if job.start_unix_s >= act * ACT_S
    ]

    assert len({job.number for job in jobs}) == len(jobs)


def test_all_jobs_of_an_act_end_with_it() -> None:
    """The next act begins with jobs of its own, which would not fit beside them."""
    end_s = _BEGIN_S + ACT_S

    assert max(job.end_unix_s for job in _all_jobs(Cluster())) == end_s


def test_an_act_begins_with_jobs_that_have_been_running() -> None:
    """A cluster that is looked at for the first time is not an empty one."""
    for act in range(_ACT, _ACT + 4):
        begin_s = act * ACT_S
        jobs = _all_jobs(Cluster(), act)
        running = [job for job in jobs if job.start_unix_s <= begin_s]

        assert len(running) >= 4


def test_the_mixture_says_which_schedulers_a_node_has() -> None:
    """A job is only where its scheduler is."""
    mixed = Cluster(nodes=4)
    assert [mixed.schedulers(node) for node in range(4)] == [
        ("slurm", "kubernetes"),
        ("slurm",),
        ("slurm",),
        ("kubernetes",),
    ]

    for mixture in ("mixed", "slurm", "kubernetes", "both"):
        cluster = Cluster(nodes=4, mixture=mixture)
        for job in _all_jobs(cluster):
            for node in job.nodes:
                assert job.kind.scheduler in cluster.schedulers(node)


def test_a_few_hours_have_everything_to_look_at() -> None:
    """Several nodes, arrays, GPUs held for nothing, idle nodes, lost GPUs."""
    cluster = Cluster(nodes=4)
    jobs = _all_jobs(cluster)
    scripts = [Script(cluster, node) for node in range(4)]
    minutes = range(_BEGIN_S, _BEGIN_S + ACT_S, 60)

    assert {job.kind for job in jobs} == set(KINDS)
    assert any(len(job.nodes) > 1 for job in jobs)
    assert any(job.array_number is not None for job in jobs)
    assert {job.user for job in jobs} - {""} == {u for us in USERS.values() for u in us}
    for script in scripts[1:]:
        assert any(not script.jobs(minute) for minute in minutes)
    lost = [script.lost_gpu(minute) for script in scripts for minute in minutes]
    assert 0 < sum(gpu is not None for gpu in lost) < 0.1 * len(lost)


def test_at_most_one_gpu_of_a_rack_is_lost_at_a_time() -> None:
    """A faulty sensor is an exception."""
    scripts = [Script(Cluster(nodes=4), node) for node in range(4)]

    for unix_s in range(_BEGIN_S, _BEGIN_S + 4 * _HOUR_S, 20):
        assert sum(script.lost_gpu(unix_s) is not None for script in scripts) <= 1
