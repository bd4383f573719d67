"""How busy simulated jobs are."""

from exporter.simulation.cluster import Cluster, Job
from exporter.simulation.load import load_of
from exporter.simulation.rack import ACT_S, rack_jobs

_JOBS = rack_jobs(Cluster(nodes=4), 0, 82_500)


def _job(rhythm: str) -> Job:
    return next(
        job
        for job in _JOBS
        if job.kind.rhythm == rhythm
        and job.gpus[0]
        and job.end_unix_s - job.start_unix_s > 400
        and job.start_unix_s >= 82_500 * ACT_S
    )


def _utilizations(rhythm: str) -> list[float]:
    job = _job(rhythm)
    return [
        load_of(job, job.nodes[0], job.start_unix_s + age_s).gpu
        for age_s in range(60, 400)
    ]


def test_no_job_uses_more_than_it_reserved() -> None:
    """Whatever goes up and down stays within the machine."""
    for job in _JOBS:
        for unix_s in range(job.start_unix_s, job.end_unix_s, 41):
            load = load_of(job, job.nodes[-1], unix_s)

            assert 0 <= load.busy_cpus <= job.cpus
            assert 0 <= load.gpu <= 1
            assert 0 <= load.gpu_memory <= 1
            assert 0 < load.memory_bytes <= job.kind.memory_bytes


def test_training_pauses_for_its_checkpoints() -> None:
    """The sawtooth that everybody knows from dashboards."""
    training = _utilizations("training")

    assert max(training) > 0.9
    assert min(training) < 0.2


def test_a_held_gpu_does_nothing() -> None:
    """What an alert on idle GPUs has to find."""
    assert max(_utilizations("held")) == 0.0


def test_serving_follows_its_requests() -> None:
    """Neither idle nor full."""
    serving = _utilizations("serving")

    assert max(serving) - min(serving) > 0.2
    assert min(serving) > 0.0
