from dataclasses import replace

import pytest

from exporter.core.accounts import JobAccount
from exporter.core.ledger import Ledger
from exporter.core.model import DeviceId
from exporter.core.units import Seconds
from exporter.core.workload import WorkloadLabels, WorkloadUsage
from tests.fakes.node import UNIX_S, job_id, labels, usage

A, B = job_id("a"), job_id("b")
KEEP_S = 600.0
MANY = 100


def see(
    ledger: Ledger, now_s: float, *usages: WorkloadUsage, max_jobs: int = MANY
) -> None:
    """Let a ledger see the jobs of one tick, of 1 s of CPU time each."""
    ledger.see_jobs(
        {one.workload: one for one in usages},
        {one.workload: 1.0 for one in usages},
        Seconds(now_s),
        Seconds(UNIX_S + now_s),
    )
    ledger.freeze_labels(Seconds(now_s), max_jobs)


def charge(ledger: Ledger, now_s: float, energy_j: float, key: str = "a") -> None:
    """Charge a job for CPU energy at 0.1 g a joule."""
    ledger.book_job(job_id(key), "cpu", energy_j, 0.1, Seconds(now_s))


def end(ledger: Ledger, now_s: float, *keys: str) -> None:
    """End jobs."""
    workloads = [job_id(key) for key in keys]
    ledger.end_jobs(workloads, Seconds(now_s), Seconds(UNIX_S + now_s))
    ledger.freeze_labels(Seconds(now_s), MANY)


# --- labels -----------------------------------------------------------------


def test_labels_that_are_known_are_frozen_at_once() -> None:
    """Then the job is exported."""
    ledger = Ledger()

    see(ledger, 0.0, usage("a", 0.0, labels=labels("a")))

    assert ledger.jobs[A].labels == labels("a")
    assert ledger.jobs[A].exported


def test_frozen_labels_never_change() -> None:
    """Rule 8: a counter whose labels change is another counter."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0, labels=labels("a")))

    see(ledger, 1.0, usage("a", 0.0, labels=labels("a", user="eve")))

    assert ledger.jobs[A].labels == labels("a")


def test_what_describes_a_job_may_come_later() -> None:
    """Its name is no label of a counter, and its first process may be slow to begin."""
    ledger = Ledger()
    named = labels("a", user="eve")
    see(ledger, 0.0, usage("a", 0.0, labels=replace(labels("a"), info={})))

    see(ledger, 1.0, usage("a", 0.0, labels=named))
    see(ledger, 2.0, usage("a", 0.0, labels=replace(named, info={})))

    assert ledger.jobs[A].labels == labels("a")
    assert named.info


def test_a_job_waits_less_than_five_seconds_for_its_labels() -> None:
    """Rule 8: then it is exported by its id alone."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0))
    see(ledger, 4.9, usage("a", 0.0))
    waiting = ledger.jobs[A].exported

    see(ledger, 5.0, usage("a", 0.0))

    assert not waiting
    assert ledger.jobs[A].exported
    assert ledger.jobs[A].labels == WorkloadLabels(job_id="a")


def test_a_job_that_ends_waits_no_longer() -> None:
    """A job of one second would else be seen by nobody."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0))

    end(ledger, 1.0, "a")

    assert ledger.jobs[A].exported
    assert ledger.jobs[A].labels == WorkloadLabels(job_id="a")


def test_a_job_that_is_restored_without_usage_waits_as_any_other() -> None:
    """The checkpoint keeps accounts, and usages come with the next reading."""
    ledger = Ledger(jobs={A: JobAccount(A, UNIX_S, 0.0)})

    ledger.freeze_labels(Seconds(1.0), MANY)
    waiting = ledger.jobs[A].labels
    ledger.freeze_labels(Seconds(5.0), MANY)

    assert waiting is None
    assert ledger.jobs[A].labels == WorkloadLabels(job_id="a")


# --- tenants ----------------------------------------------------------------

PHYSICS = ("slurm", "physics", "ada")


def test_a_tenant_is_credited_with_what_came_before_the_labels() -> None:
    """And with it once: 30 J while waiting, 12 J after."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0))
    charge(ledger, 0.0, 10.0)
    charge(ledger, 1.0, 20.0)
    before = dict(ledger.tenants)

    see(ledger, 2.0, usage("a", 0.0, labels=labels("a")))
    charge(ledger, 2.0, 12.0)

    assert not before
    assert ledger.tenants[PHYSICS].energy_j == pytest.approx(42.0)
    assert ledger.tenants[PHYSICS].emissions_g == pytest.approx(4.2)


def test_a_tenant_is_the_sum_of_its_jobs_and_outlives_them() -> None:
    """Rule 7 and budgets: what was used stays used."""
    ledger = Ledger()
    both = [usage(key, 0.0, labels=labels(key)) for key in "ab"]
    see(ledger, 0.0, *both)
    charge(ledger, 0.0, 10.0, "a")
    charge(ledger, 0.0, 32.0, "b")
    end(ledger, 1.0, "a", "b")

    forgotten = ledger.forget_jobs(Seconds(602.0), KEEP_S)

    assert forgotten == {A, B}
    assert not ledger.jobs
    assert ledger.tenants.keys() == {PHYSICS}
    assert ledger.tenants[PHYSICS].energy_j == pytest.approx(42.0)
    assert ledger.tenants[PHYSICS].created_unix_s == UNIX_S


def test_what_is_beside_emissions_reaches_the_tenant_too() -> None:
    """What came before the labels as well, once."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0))
    ledger.book_beside(A, Seconds(0.0), market_g=1.0, embodied_g=10.0)
    before = dict(ledger.tenants)

    see(ledger, 1.0, usage("a", 0.0, labels=labels("a")))
    ledger.book_beside(A, Seconds(7.0), market_g=2.0, embodied_g=20.0)

    assert not before
    tenant, job = ledger.tenants[PHYSICS], ledger.jobs[A]
    assert (tenant.market_g, tenant.embodied_g) == (3.0, 30.0)
    assert (job.market_g, job.embodied_g, job.emissions_g) == (3.0, 30.0, 0.0)
    assert tenant.active_s == 7.0


def test_users_of_one_account_are_told_apart() -> None:
    """So are equal accounts of two schedulers."""
    ledger = Ledger()
    see(
        ledger,
        0.0,
        usage("a", 0.0, labels=labels("a", user="ada")),
        usage("b", 0.0, labels=labels("b", user="bob")),
    )

    assert ledger.tenants.keys() == {PHYSICS, ("slurm", "physics", "bob")}


# --- jobs -------------------------------------------------------------------


def test_a_job_keeps_when_it_was_first_seen_and_all_its_cpu_time() -> None:
    """Created timestamps let Prometheus take the first value from 0."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0))
    see(ledger, 7.0, usage("a", 0.0))

    job = ledger.jobs[A]
    assert job.created_unix_s == UNIX_S
    assert job.cpu_s == 2.0


def test_the_start_of_a_job_is_kept_as_it_was_first_told() -> None:
    """It may be known late; then it is what its progress is counted from."""
    ledger = Ledger()
    for second, start_unix_s in enumerate([None, Seconds(50.0), Seconds(60.0)]):
        see(ledger, second, replace(usage("a", 0.0), start_unix_s=start_unix_s))

    assert ledger.jobs[A].start_unix_s == 50.0


def test_an_ended_job_leaves_by_age() -> None:
    """Rule 6: never because somebody scraped it."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0, labels=labels("a")))
    end(ledger, 1.0, "a")

    assert not ledger.forget_jobs(Seconds(601.0), KEEP_S)
    assert ledger.jobs[A].ended_unix_s == UNIX_S + 1.0
    assert ledger.forget_jobs(Seconds(601.1), KEEP_S) == {A}


def test_a_job_that_ended_draws_no_power() -> None:
    """Its last watts are not repeated for ten minutes."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0))
    ledger.jobs[A].power_w[0] = 100.0

    end(ledger, 1.0, "a")

    assert not any(ledger.jobs[A].power_w)


def test_a_requeued_job_goes_on_with_its_counters() -> None:
    """The same labels are the same series, which never falls."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0, labels=labels("a")))
    charge(ledger, 0.0, 10.0)
    end(ledger, 1.0, "a")

    see(ledger, 2.0, usage("a", 0.0, labels=labels("a")))
    charge(ledger, 2.0, 5.0)

    job = ledger.jobs[A]
    assert job.ended_s is None
    assert job.ended_unix_s is None
    assert sum(job.energy_j) == pytest.approx(15.0)
    assert not ledger.forget_jobs(Seconds(700.0), KEEP_S)


def test_a_cap_drops_jobs_and_not_their_energy() -> None:
    """Three jobs and room for two: the third is counted, and its tenant pays."""
    ledger = Ledger()
    three = [usage(key, 0.0, labels=labels(key)) for key in "abc"]

    see(ledger, 0.0, *three, max_jobs=2)
    charge(ledger, 0.0, 10.0, "c")
    see(ledger, 1.0, *three, max_jobs=2)

    assert [job.exported for job in ledger.jobs.values()] == [True, True, False]
    assert ledger.jobs_dropped == 1
    assert ledger.jobs_waiting == 1
    assert ledger.tenants[PHYSICS].energy_j == pytest.approx(10.0)


def exported(ledger: Ledger) -> str:
    """Return the keys of the jobs that have a place, in their order."""
    return "".join(w.key for w, job in ledger.jobs.items() if job.exported)


def test_a_job_that_waits_gets_the_place_of_one_that_is_forgotten() -> None:
    """With all that it has used; its tenant was credited with it at once, and once."""
    ledger = Ledger()
    both = [usage(key, 0.0, labels=labels(key)) for key in "ab"]
    see(ledger, 0.0, *both, max_jobs=1)
    charge(ledger, 0.0, 10.0, "b")
    ledger.end_jobs([A], Seconds(1.0), Seconds(UNIX_S + 1.0))
    see(ledger, 600.0, both[1], max_jobs=1)
    kept = exported(ledger)

    ledger.forget_jobs(Seconds(602.0), KEEP_S)
    see(ledger, 602.0, both[1], max_jobs=1)

    assert kept == "a"
    assert exported(ledger) == "b"
    assert sum(ledger.jobs[B].energy_j) == pytest.approx(10.0)
    assert ledger.jobs[B].created_unix_s == UNIX_S
    assert ledger.tenants[PHYSICS].energy_j == pytest.approx(10.0)
    assert (ledger.jobs_dropped, ledger.jobs_waiting) == (1, 0)


def test_the_oldest_job_gets_a_free_place_before_younger_and_new_ones() -> None:
    """A week of work is not hidden by bursts of jobs that come after it."""
    ledger = Ledger()
    known = {key: usage(key, 0.0, labels=labels(key)) for key in "abcd"}
    see(ledger, 0.0, *(known[key] for key in "abc"), max_jobs=1)

    see(ledger, 1.0, *known.values(), max_jobs=2)
    after_a_reload = exported(ledger)
    see(ledger, 2.0, *known.values(), max_jobs=3)

    assert after_a_reload == "ab"
    assert exported(ledger) == "abc"
    assert (ledger.jobs_dropped, ledger.jobs_waiting) == (3, 1)


def test_a_job_that_ended_without_a_place_gets_none() -> None:
    """It would hide one that runs; and it waits no more."""
    ledger = Ledger()
    known = {key: usage(key, 0.0, labels=labels(key)) for key in "abc"}
    see(ledger, 0.0, *known.values(), max_jobs=1)
    ledger.end_jobs([B], Seconds(1.0), Seconds(UNIX_S + 1.0))

    see(ledger, 1.0, known["a"], known["c"], max_jobs=2)

    assert exported(ledger) == "ac"
    assert (ledger.jobs_dropped, ledger.jobs_waiting) == (2, 0)


def test_a_job_that_ends_before_its_labels_are_known_waits_for_no_place() -> None:
    """It was dropped, and its tenant has its energy."""
    ledger = Ledger()
    see(ledger, 0.0, usage("a", 0.0, labels=labels("a")), usage("b", 0.0), max_jobs=1)
    charge(ledger, 0.0, 10.0, "b")

    ledger.end_jobs([B], Seconds(1.0), Seconds(UNIX_S + 1.0))
    ledger.freeze_labels(Seconds(1.0), 1)

    assert exported(ledger) == "a"
    assert (ledger.jobs_dropped, ledger.jobs_waiting) == (1, 0)
    assert sum(tenant.energy_j for tenant in ledger.tenants.values()) == 10.0


def test_a_lower_cap_takes_no_place_away() -> None:
    """A series that is there stays; those that come find fewer places."""
    ledger = Ledger()
    known = {key: usage(key, 0.0, labels=labels(key)) for key in "abc"}
    see(ledger, 0.0, known["a"], known["b"], max_jobs=2)

    see(ledger, 1.0, *known.values(), max_jobs=1)

    assert exported(ledger) == "ab"
    assert (ledger.jobs_dropped, ledger.jobs_waiting) == (1, 1)


# --- devices and components -------------------------------------------------


def test_a_device_shows_the_mean_power_of_its_energy() -> None:
    """300 J in 2 s."""
    ledger = Ledger()
    ledger.open_device(DeviceId("gpu", "GPU-0"))

    ledger.book_device(DeviceId("gpu", "GPU-0"), 300.0, 2.0)

    assert ledger.devices[DeviceId("gpu", "GPU-0")].energy_j == 300.0
    assert ledger.devices[DeviceId("gpu", "GPU-0")].power_w == 150.0


@pytest.mark.parametrize(("energy_j", "elapsed_s"), [(None, 5.0), (0.0, 0.0)])
def test_a_device_without_known_energy_shows_no_power(
    energy_j: float | None, elapsed_s: float
) -> None:
    """The watts before a gap are not those in it."""
    gpu = DeviceId("gpu", "GPU-0")
    ledger = Ledger()
    ledger.open_device(gpu)
    ledger.book_device(gpu, 300.0, 2.0)

    ledger.book_device(gpu, energy_j, elapsed_s)

    assert ledger.devices[gpu].power_w is None
    assert ledger.devices[gpu].energy_j == 300.0


def test_fallback_grams_are_counted_apart_and_with_the_others() -> None:
    """Rule 11: 10 g on live data, 20 g on a fallback, 30 g in all."""
    ledger = Ledger()

    ledger.book_component("cpu", 100.0, 0.1, fallback=False)
    ledger.book_component("gpu", 200.0, 0.1, fallback=True)

    assert ledger.emissions_g == pytest.approx(30.0)
    assert ledger.fallback_g == pytest.approx(20.0)


def test_unattributed_energy_adds_up_by_reason() -> None:
    """Why nobody pays is as interesting as how much."""
    ledger = Ledger()

    ledger.book_unattributed("cpu", {"idle": 10.0, "system": 1.0})
    ledger.book_unattributed("cpu", {"idle": 5.0})

    assert ledger.unattributed == {("cpu", "idle"): 15.0, ("cpu", "system"): 1.0}


def test_what_nobody_may_be_charged_for_counts_from_zero() -> None:
    """Unknown energy comes in one piece; as a new series it would count for nothing."""
    ledger = Ledger()

    ledger.open_device(DeviceId("gpu", "GPU-0"))
    ledger.book_unattributed("gpu", {"unknown": 7.0})
    ledger.open_device(DeviceId("gpu", "GPU-1"))

    assert ledger.unattributed == {("gpu", "unallocated"): 0.0, ("gpu", "unknown"): 7.0}
