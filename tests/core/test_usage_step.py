import pytest

from exporter.core.interval import UsageTracker
from exporter.core.windows import FORGOTTEN, Hold, HoldWindow, Usage
from tests.fakes.node import hold, job_id, jobs, missed, usage
from tests.fakes.tracking import tick

A, B = job_id("a"), job_id("b")


def test_a_job_that_began_in_a_silence_reserved_nothing_before() -> None:
    """It came in second 6 of ten; its CPU time is its own in any case."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(group_cpu_s=0.0))
    late = usage("a", 3.0, cpus=2.0, memory_bytes=10, start_s=6.0)

    step = tick(tracker, 10.0, jobs(late, group_cpu_s=3.0))

    window = step.window(0.0).usages
    assert window.keys() == {A}
    assert window[A] == pytest.approx((3.0, 40.0, 8.0, 0.0))


def test_a_job_that_ended_in_a_silence_reserved_nothing_since() -> None:
    """What it had reserved is known from before: it is not told any more."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0, cpus=2.0), group_cpu_s=1.0))
    end = missed(4.0, 3.0, usage("a", None))
    told = usage("a", None, end_s=4.0)

    step = tick(tracker, 10.0, jobs(told, group_cpu_s=3.0, members=(), missed=(end,)))
    later = tick(tracker, 11.0, jobs(told, group_cpu_s=3.0, members=()))

    assert step.window(0.0).usages[A] == pytest.approx((2.0, 0.0, 8.0, 0.0))
    assert later.window(0.0).usages[A] == Usage(0.0, 0.0, 0.0, 0.0)


def test_what_nobody_can_tell_stands_beside_the_jobs() -> None:
    """A ended unseen: its CPU time and what it had reserved are of somebody."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0, cpus=2.0), group_cpu_s=1.0))

    step = tick(tracker, 10.0, jobs(usage("b", 4.0), group_cpu_s=11.0))

    window = step.window(0.0).usages
    assert window.keys() == {B, FORGOTTEN}
    assert window[B] == Usage(4.0, 0.0, 0.0, 0.0)
    assert window[FORGOTTEN] == pytest.approx((6.0, 0.0, 20.0, 0.0))


def test_a_hold_that_is_known_late_is_as_old_as_its_job() -> None:
    """A runs since second 7, so it had the GPU for 2 of the 8 seconds till 9."""
    tracker = UsageTracker()
    tick(tracker, 1.0, jobs())
    tick(tracker, 9.0, jobs(usage("a", 0.0, start_s=7.0)))

    busy = (hold(activity=0.5),)
    step = tick(tracker, 10.0, jobs(usage("a", 0.0, gpus=busy, start_s=7.0)))

    assert step.holds == {"GPU-0": HoldWindow(1.0, 1.0, {A: Hold(1.0, 0.5)})}
    # What it did before it was known, nobody knows.
    before = step.held_before("GPU-0", [A], 8.0)
    assert before.holds == {A: Hold(2.0, None)}
    assert before.held_s == pytest.approx(2.0)
