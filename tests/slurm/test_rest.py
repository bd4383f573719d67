"""The way of a job's facts from a real slurmrestd to the node on which it runs."""

import pytest

from exporter.carbon.answer import parse_json
from exporter.hub.slurm.plan import SlurmPlan
from exporter.hub.slurm.rest import open_rest
from exporter.hub.slurm.table import JobTable
from exporter.slurm_hub import read_jobs
from exporter.workloads.slurm import SlurmPlaces, SlurmWorkloads
from exporter.workloads.slurm.hub_jobs import HubJobs
from tests.fakes.inventory import FakeInventory
from tests.fakes.slurm_cgroups import CGROUPS
from tests.fakes.slurm_cluster import LONGEST_S, SlurmCluster
from tests.fakes.waiting import wait_until


def test_a_node_learns_from_slurm_what_it_cannot_know(
    cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing on a node tells the limit of a job's time in 22.05."""
    folder = tmp_path_factory.mktemp("node")
    hub_jobs = HubJobs()
    places = SlurmPlaces(
        cgroupfs=CGROUPS,
        # No process can be read, as without the capability to.
        procfs=folder / "no-proc",
        drops=folder / "drops",
        ended=folder / "ended",
    )
    job = cluster.submit(
        "sleep 600",
        user="nobody",
        options=("--job-name=train \u00e9", "--time=30", "--array=4"),
    )
    cluster.wait_for_state(job, "RUNNING")
    cluster.wait_for_processes(job, user="nobody")
    with open_rest(SlurmPlan(socket=cluster.start_rest())) as rest:
        table = JobTable(rest.jobs(), 0.0)
    source = SlurmWorkloads(places, FakeInventory(), hub_jobs=hub_jobs)
    try:
        hub_jobs.by_id = read_jobs(parse_json(table.answer(cluster.node).body.decode()))

        def found() -> dict[str, str]:
            told = [
                usage
                for usage in source.read().usages
                if usage.workload.key == str(job) and usage.time_limit_s is not None
            ]
            labels = told[0].labels if told else None
            return {} if labels is None else {"user": labels.user, **labels.info}

        wait_until(lambda: bool(found()), "the node has it", LONGEST_S, cluster.logs)
        facts = found()
    finally:
        source.close()
        cluster.cancel(job)
        cluster.wait_for_end(job)

    assert facts == {
        "user": "nobody",
        "name": "train \u00e9",
        "array_job_id": str(job),
        "array_task_id": "4",
        "node_list": cluster.node,
    }
