import pytest

from exporter.core.interval import UsageTracker
from exporter.core.windows import FORGOTTEN, Hold, HoldWindow, NodeWindow, Usage
from tests.fakes.node import (
    failing,
    gpu,
    hold,
    job_id,
    jobs,
    node,
    reading,
    sample,
    usage,
)
from tests.fakes.tracking import tick

A, B, C = job_id("a"), job_id("b"), job_id("c")


# --- sources that fail ------------------------------------------------------


def test_a_scheduler_that_cannot_be_read_is_held_to_have_its_jobs() -> None:
    """A hiccup of the source ends no job."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0, gpus=(hold(),))))

    step = tick(tracker, 60.0, sources=(failing(),))

    assert step.current.keys() == {A}
    assert not step.ended
    assert not step.complete
    assert step.holds_known
    assert step.holds.keys() == {"GPU-0"}


def test_after_a_minute_nobody_knows_who_is_running() -> None:
    """A job may have ended and another hold its GPU."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0, gpus=(hold(),))))

    step = tick(tracker, 60.1, sources=(failing(),))

    assert not step.current
    assert not step.ended
    assert not step.complete
    assert not step.holds_known


def test_a_job_that_had_ended_before_an_outage_is_not_held() -> None:
    """It was named once more, without a counter, and is gone."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0), usage("b", 1.0)))
    tick(tracker, 1.0, jobs(usage("a", None), usage("b", 2.0)))

    step = tick(tracker, 2.0, sources=(failing(),))

    assert step.current.keys() == {B}


def test_cpu_time_of_an_outage_is_told_when_it_is_over() -> None:
    """The counter has gone on; the job is charged for its whole CPU time."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0)))
    for second in range(1, 100):
        tick(tracker, second, sources=(failing(),))

    step = tick(tracker, 100.0, jobs(usage("a", 51.0)))

    assert step.cpu_s == {A: 50.0}
    assert step.silent_s == {"slurm": 100.0}
    assert step.complete


def test_only_what_belongs_to_the_window_is_taken_of_an_outage() -> None:
    """50 s in 100 s are 0.5 s in the tick, and 2 s for energy that waited 3 s."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0)))
    tick(tracker, 99.0, sources=(failing(),))

    step = tick(tracker, 100.0, jobs(usage("a", 51.0)))

    assert step.window(waited_s=0.0).usages[A].cpu_s == pytest.approx(0.5)
    assert step.window(waited_s=3.0).usages[A].cpu_s == pytest.approx(2.0)
    assert step.window(waited_s=500.0).usages[A].cpu_s == pytest.approx(50.0)


def test_a_source_that_fails_from_the_start_hides_jobs_and_holds() -> None:
    """A GPU is not unallocated because nobody could ask."""
    step = tick(UsageTracker(), 0.0, sources=(failing("denied"),))

    assert not step.complete
    assert not step.holds_known


def test_a_scheduler_that_is_absent_hides_nothing() -> None:
    """Most machines have one scheduler or none; then the rest is the system's."""
    step = tick(UsageTracker(), 0.0, sources=(failing("absent"),))

    assert step.complete
    assert step.holds_known


def test_one_failing_scheduler_does_not_vouch_for_another() -> None:
    """One is held true, the other was never read."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0)))

    step = tick(tracker, 1.0, sources=(failing(), failing("timeout")))

    assert not step.holds_known


def test_a_scheduler_that_left_the_machine_ends_its_jobs() -> None:
    """Not configured any more, or uninstalled; else they would stay for ever."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0)))
    almost = tick(tracker, 600.0)

    step = tick(tracker, 600.1, sources=(failing("absent"),))

    assert not almost.ended
    assert step.ended == {A}
    assert step.complete
    assert step.holds_known
    assert not tracker.schedulers


def test_a_scheduler_that_fails_for_hours_ends_no_job() -> None:
    """It is there, and will tell."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0)))

    step = tick(tracker, 7200.0, sources=(failing(),))

    assert not step.ended
    assert tracker.schedulers


def test_schedulers_do_not_end_each_others_jobs() -> None:
    """A Slurm node may run a kubelet as well."""
    tracker = UsageTracker()
    pods = jobs(usage("pod", 2.0, scheduler="kubernetes"), scheduler="kubernetes")
    tick(tracker, 0.0, jobs(usage("a", 1.0)), pods)

    step = tick(tracker, 1.0, jobs(), pods)

    assert step.ended == {A}
    assert step.current.keys() == {A, job_id("pod", "kubernetes")}


# --- the node ---------------------------------------------------------------


def test_a_node_needs_two_readings() -> None:
    """Its busy time is counted since boot."""
    tracker = UsageTracker()

    first = tick(tracker, 0.0, node=node(0.0, 500.0))
    second = tick(tracker, 1.0, node=node(1.0, 503.0, cpus=8, memory_bytes=10))

    assert first.node is None
    assert second.node == NodeWindow(1.0, 3.0, 8.0, 10.0, 64.0 * 2**30)
    assert second.node.utilization == pytest.approx(3 / 8)


def test_a_node_that_was_not_read_tells_of_a_longer_time() -> None:
    """What it used in the meantime is in its counter."""
    tracker = UsageTracker()
    tick(tracker, 0.0, node=node(0.0, 500.0))
    missed = tick(tracker, 1.0)

    step = tick(tracker, 2.0, node=node(2.0, 506.0))

    assert missed.node is None
    assert step.node is not None
    assert step.node.busy_s == 6.0
    window = step.window(waited_s=0.0).node_inside()
    assert window is not None
    assert window.busy_s == pytest.approx(3.0)


def test_a_node_read_at_the_same_moment_tells_nothing() -> None:
    """No time, no usage; and nothing is divided by zero."""
    tracker = UsageTracker()
    tick(tracker, 0.0, node=node(0.0, 500.0))

    assert tick(tracker, 1.0, node=node(0.0, 500.0)).node is None


def test_a_cpu_that_goes_offline_makes_no_negative_time() -> None:
    """Its busy time leaves the sum of all CPUs."""
    tracker = UsageTracker()
    tick(tracker, 0.0, node=node(0.0, 500.0))

    step = tick(tracker, 1.0, node=node(1.0, 400.0, cpus=4))

    assert step.node is not None
    assert step.node.busy_s == 0.0


def test_more_than_all_cpus_is_all_cpus() -> None:
    """Clock ticks of 10 ms can exceed a short interval."""
    assert NodeWindow(1.0, 8.1, 8.0, 0.0, 1.0).utilization == 1.0


# --- what was held ----------------------------------------------------------


def test_usage_is_an_integral_over_the_tick() -> None:
    """Memory and reservations count by how long they were held."""
    tracker = UsageTracker()
    job = usage("a", 0.0, cpus=4, memory_bytes=100, reserved_memory_bytes=200)
    tick(tracker, 0.0, jobs(job))

    window = tick(tracker, 2.0, jobs(job)).window(waited_s=0.0)

    assert window.usages == {A: Usage(0.0, 200.0, 8.0, 400.0)}
    assert window.elapsed_s == 2.0


def test_holds_of_a_gpu_are_an_integral_as_well() -> None:
    """Two jobs share one GPU; only one tells its activity."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs())

    step = tick(
        tracker,
        2.0,
        jobs(
            usage("a", 0.0, gpus=(hold(share=0.25, activity=0.5),)),
            usage("b", 0.0, gpus=(hold(share=0.5),)),
            usage("c", 0.0),
        ),
    )

    holds = {A: Hold(0.5, 1.0), B: Hold(1.0, None)}
    assert step.holds == {"GPU-0": HoldWindow(2.0, 2.0, holds)}


def test_activity_is_of_one_tick_alone() -> None:
    """A scheduler that is silent is held to have what it had, not to do what it did."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs())
    shares = (
        usage("a", 0.0, gpus=(hold(share=0.5, activity=0.5),)),
        usage("b", 0.0, gpus=(hold(share=0.5, activity=0.1),)),
    )
    told = tick(tracker, 1.0, jobs(*shares))

    silent = tick(tracker, 2.0)
    gone = tick(tracker, 3.0, jobs(shares[1]))

    assert told.holds["GPU-0"].division == "activity"
    assert silent.holds["GPU-0"].holds == {A: Hold(0.5, None), B: Hold(0.5, None)}
    assert gone.holds["GPU-0"].holds == {A: Hold(0.5, None), B: Hold(0.5, 0.1)}


def test_a_hold_that_is_kept_or_that_ended_brings_no_old_activity() -> None:
    """What was done in an earlier tick is counted: in this one nobody knows."""
    tracker = UsageTracker()
    shared = (hold(share=0.5, activity=0.9),)
    tick(tracker, 0.0, jobs(usage("a", 0.0, gpus=shared), usage("b", 0.0, gpus=shared)))

    step = tick(tracker, 1.0, jobs(usage("a", 0.0), usage("b", None, end_s=0.5)))

    held = step.holds["GPU-0"].holds
    assert held == {A: Hold(0.5, None), B: Hold(0.25, None)}


def test_the_activity_of_a_whole_gpu_is_kept_beside_its_holders() -> None:
    """What is done on instances that nobody holds is theirs not."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs())
    told = jobs(usage("a", 0.0, gpus=(hold(share=0.5, activity=0.1),)))

    step = tick(tracker, 2.0, told._replace(gpu_activity={"GPU-0": 0.4, "GPU-9": 1.0}))

    assert step.holds == {"GPU-0": HoldWindow(2.0, 2.0, {A: Hold(1.0, 0.2)}, 0.8)}


def test_a_job_may_hold_several_instances_of_one_gpu() -> None:
    """MIG: two of seven slices and one more; both count."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs())
    slices = (hold(share=2 / 7, activity=0.2), hold(share=1 / 7, activity=0.1))

    step = tick(tracker, 1.0, jobs(usage("a", 0.0, gpus=slices)))

    (held,) = step.holds["GPU-0"].holds.values()
    assert held.share_s == pytest.approx(3 / 7)
    assert held.activity_s == pytest.approx(0.3)


def test_a_hold_stays_until_its_gpu_is_known_again() -> None:
    """After a restart the scheduler is read before the GPUs: it cannot name them."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 0.0, gpus=(hold(),)), usage("b", 0.0)))
    nameless, named = usage("a", 0.0), usage("a", 0.0, gpus=(hold(),))

    unread = tick(tracker, 9.0, jobs(nameless, usage("b", 0.0)))
    read = tracker.advance(
        sample(10.0, reading(gpu(), 10.0, 1.0), workloads=(jobs(nameless),))
    )
    known = tracker.advance(
        sample(11.0, reading(gpu(), 11.0, 1.0), workloads=(jobs(named),))
    )
    given_back = tick(tracker, 12.0, jobs(nameless))

    assert unread.holds == {"GPU-0": HoldWindow(9.0, 9.0, {A: Hold(9.0, None)})}
    for step in (read, known):
        assert step.holds == {"GPU-0": HoldWindow(1.0, 1.0, {A: Hold(1.0, None)})}
    assert given_back.holds == {}


def test_nobody_holds_a_gpu_twice_while_it_is_not_known_again() -> None:
    """Who is told to hold it does so as told."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 0.0, gpus=(hold(), hold("GPU-1")))))

    step = tick(tracker, 1.0, jobs(usage("a", 0.0, gpus=(hold(share=0.5),))))

    assert step.holds["GPU-0"].holds == {A: Hold(0.5, None)}
    assert step.holds["GPU-1"].holds == {A: Hold(1.0, None)}


def test_a_job_that_ended_unseen_held_nobody_knows_what() -> None:
    """It ended while the daemon was dead: in the first second, or in the last."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 0.0, gpus=(hold(),))))

    step = tick(tracker, 9.0, jobs())
    later = tick(tracker, 10.0, jobs())

    assert step.holds["GPU-0"].holds == {FORGOTTEN: Hold(9.0, None)}
    assert step.ended == {A}
    assert later.holds == {}
