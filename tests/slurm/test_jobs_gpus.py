import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.exposition import Scrape
from tests.e2e.processes import AS_NOBODY_WHO_MAY_READ
from tests.fakes.slurm_cluster import SlurmCluster, missing
from tests.slurm.site import Figures, Site
from tests.slurm.told import DEVICE_J, EXACT, JOB_GPUS, JobView

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

UTILIZATION = "jouled_job_gpu_utilization_ratio"
# While they work, by NVML's number, W.
WATTS = {0: 310.0, 1: 130.0}
REST_W = 60.0
# NVML counts in mJ.
NVML_J = 0.002

# As deploy/systemd has it: not root, but it may read environments.
AS_THE_SERVICE = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    "--inh-caps=+dac_read_search,+sys_ptrace",
    "--ambient-caps=+dac_read_search,+sys_ptrace",
    "--bounding-set=-all,+dac_read_search,+sys_ptrace",
)


@pytest.fixture
def still(site: Site) -> Iterator[Site]:
    """Return the node with GPUs that draw nothing, so that no tick's end matters."""
    for number in WATTS:
        site.driver.set_power(number, 0.0)
    site.rest()
    yield site
    for number in WATTS:
        site.driver.set_power(number, REST_W)


def submit(site: Site, *daemons: Daemon) -> list[int]:
    """Start a job for each GPU, and wait until these daemons know that they hold one.

    They are of a user whom no daemon runs as.
    """
    named = ["--job-name=train"]
    jobs = [
        site.cluster.submit("sleep 600", user="daemon", gpus=1, options=named)
        for _ in WATTS
    ]
    for daemon in daemons:
        for job in jobs:
            wait_for_gpu(daemon, job)
    return jobs


def wait_for_gpu(daemon: Daemon, job_id: int) -> None:
    """Wait until a daemon says that a job holds a GPU."""
    daemon.wait_for(
        lambda scrape: JobView(scrape, job_id).get(JOB_GPUS) == 1,
        f"job {job_id} to hold a GPU",
    )


def assert_charged(site: Site, jobs: Sequence[int], *daemons: Daemon) -> float:
    """Let the GPUs work, and fail if a job is not charged for its own and no other.

    Returns:
        The largest difference, J.
    """
    numbers = [site.gpu_of(job) for job in jobs]
    true_j = [site.driver.true_energy_j(each) for each in numbers]
    before = [told(site, daemon, jobs) for daemon in daemons]
    for number, watts in WATTS.items():
        site.driver.set_power(number, watts)
    for _ in range(3):
        for daemon in daemons:
            daemon.tick_after(time.time())
    for number in WATTS:
        site.driver.set_power(number, 0.0)
        site.driver.settle(number)
    drawn_j = [
        site.driver.true_energy_j(number) - earlier_j
        for number, earlier_j in zip(numbers, true_j, strict=True)
    ]

    errors_j = []
    for daemon, (devices_j, jobs_j) in zip(daemons, before, strict=True):
        # A busy machine may miss a reading or two.
        wait_for_devices(site, daemon, numbers, sum_of(devices_j, drawn_j))
        charged_j = told(site, daemon, jobs)[1]
        errors_j += [
            after - earlier - drawn
            for after, earlier, drawn in zip(charged_j, jobs_j, drawn_j, strict=True)
        ]
    assert min(drawn_j) > 100
    assert errors_j == pytest.approx([0.0] * len(errors_j), abs=NVML_J)
    return max(map(abs, errors_j))


def told(
    site: Site, daemon: Daemon, jobs: Sequence[int]
) -> tuple[list[float], list[float]]:
    """Return what a daemon says of the GPUs of these jobs, and charges them for, J."""
    scrape = daemon.scrape()
    numbers = [site.gpu_of(job) for job in jobs]
    charged_j = [JobView(scrape, job).energy_j("gpu") for job in jobs]
    return device_energies_j(site, scrape, numbers), charged_j


def device_energies_j(
    site: Site, scrape: Scrape, numbers: Sequence[int]
) -> list[float]:
    """Energy of some GPUs, J, by NVML's numbers."""
    uuids = [site.driver.gpus[number].uuid for number in numbers]
    return [scrape.get(DEVICE_J, device=uuid) or 0.0 for uuid in uuids]


def wait_for_devices(
    site: Site, daemon: Daemon, numbers: Sequence[int], energies_j: Sequence[float]
) -> None:
    """Wait until a daemon has counted all that some GPUs have drawn."""

    def are_counted(scrape: Scrape) -> bool:
        counted_j = device_energies_j(site, scrape, numbers)
        return counted_j == pytest.approx(energies_j, abs=NVML_J)

    daemon.wait_for(are_counted, "all that the GPUs have drawn")


def sum_of(some: Sequence[float], others: Sequence[float]) -> list[float]:
    """Add up one by one."""
    return [a + b for a, b in zip(some, others, strict=True)]


def test_each_job_has_the_joules_of_its_own_gpu(still: Site, figures: Figures) -> None:
    """Slurm's GPU 0 is NVML's GPU 1: who mixes them up charges the wrong job."""
    jobs = submit(still, still.daemon)

    error_j = assert_charged(still, jobs, still.daemon)

    figures.say(f"jobs with a GPU each: off by {error_j * 1e3:.3f} mJ at most")
    for job in jobs:
        device = still.driver.gpus[still.gpu_of(job)].uuid
        views = [JobView(scrape, job) for scrape in still.scrapes]
        holding = [view for view in views if view.get(JOB_GPUS) == 1]
        charged_j = holding[-1].energy_j("gpu") - holding[0].energy_j("gpu")
        drawn_j = [
            view.scrape.value(DEVICE_J, device=device)
            for view in (holding[0], holding[-1])
        ]
        assert charged_j == pytest.approx(drawn_j[1] - drawn_j[0], rel=EXACT)


def test_a_gpu_that_is_held_and_not_used_is_seen(still: Site) -> None:
    """Nobody else can have it, and it costs its idle power."""
    job = still.cluster.submit("sleep 600", gpus=1)
    wait_for_gpu(still.daemon, job)
    number = still.gpu_of(job)
    still.driver.set(number, utilization=0)
    still.driver.set(1 - number, utilization=80)

    still.wait(job, lambda view: view.get(UTILIZATION) == 0, "is seen idling")

    assert still.see(job).get(JOB_GPUS) == 1
    assert_charged(still, [job], still.daemon)
    assert still.see(job).get(UTILIZATION) == 0


def test_a_prolog_or_an_environment_is_enough_to_tell_who_holds_a_gpu(
    still: Site,
) -> None:
    """One daemon may not read environments, the other is told by no Prolog."""
    told = still.make_daemon("told", rights=AS_NOBODY_WHO_MAY_READ)
    looks = still.make_daemon("looks", rights=AS_THE_SERVICE)
    with ExitStack() as stack:
        for daemon in (told, looks):
            stack.callback(daemon.close)
            daemon.start()
        still.add_hooks(told)

        jobs = submit(still, told, looks)

        assert_charged(still, jobs, told, looks)
        view = JobView(told.scrape(), jobs[0])
        assert view.name == ""
        assert (view.labels or {})["user"] == "daemon"
        assert "CAP_SYS_PTRACE" in told.said()
        looks.wait_for(
            lambda scrape: JobView(scrape, jobs[0]).name == "train", "a job's name"
        )
        assert not (looks.run_dir / "slurm").exists()


def test_a_device_cgroup_is_enough_to_tell_who_holds_a_gpu(tmp_path: Path) -> None:
    """Where nobody has installed the Prolog and the daemon has few rights."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with SlurmCluster(gpu_minors=(1, 0), listed_devices=True) as cluster:
        site = Site(cluster, tmp_path, rights=AS_NOBODY_WHO_MAY_READ)
        for number in WATTS:
            site.driver.set_power(number, 0.0)
        with site.running():
            jobs = submit(site, site.daemon)

            assert_charged(site, jobs, site.daemon)

            assert not (site.daemon.run_dir / "slurm").exists()
            assert "CAP_SYS_PTRACE" in site.daemon.said()
