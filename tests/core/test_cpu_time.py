import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.interval import UsageTracker
from tests.fakes.node import (
    job_id,
    jobs,
    usage,
)
from tests.fakes.tracking import tick

A, B, C = job_id("a"), job_id("b"), job_id("c")


# --- jobs that run -------------------------------------------------------


def test_the_first_reading_charges_no_history() -> None:
    """A daemon that starts knows nothing of the hours before it."""
    step = tick(UsageTracker(), 100.0, jobs(usage("a", 5000.0)))

    assert step.cpu_s == {}
    assert step.current.keys() == {A}
    assert step.elapsed_s == 0.0


def test_a_scheduler_that_is_read_later_charges_no_history_either() -> None:
    """Its first reading is as unknown as the daemon's."""
    tracker = UsageTracker()
    tick(tracker, 0.0)

    step = tick(tracker, 1.0, jobs(usage("a", 5000.0)))

    assert step.cpu_s == {}


def test_cpu_time_is_what_was_added_since_the_last_reading() -> None:
    """The counter of a cgroup is cumulative."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 5000.0)))

    step = tick(tracker, 1.0, jobs(usage("a", 5003.0)))

    assert step.cpu_s == {A: 3.0}


def test_a_new_job_started_from_zero() -> None:
    """A job younger than a tick was not there before."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs())

    step = tick(tracker, 1.0, jobs(usage("a", 0.7)))

    assert step.cpu_s == {A: 0.7}


def test_a_job_that_was_found_late_is_not_charged_for_its_history() -> None:
    """Its 25 s were the system's; of the last tick its group knows 3 s, B's are 2."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("b", 50.0), group_cpu_s=100.0))

    step = tick(
        tracker, 1.0, jobs(usage("a", 25.0), usage("b", 52.0), group_cpu_s=103.0)
    )
    then = tick(
        tracker, 2.0, jobs(usage("a", 26.5), usage("b", 52.0), group_cpu_s=104.5)
    )

    assert step.cpu_s == {A: pytest.approx(1.0), B: 2.0}
    assert then.cpu_s == {A: 1.5, B: 0.0}


def test_a_lower_count_is_a_new_cgroup_that_started_from_zero() -> None:
    """A requeued job has the same id and another cgroup."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 5000.0)))

    step = tick(tracker, 1.0, jobs(usage("a", 0.4)))

    assert step.cpu_s == {A: 0.4}
    assert not step.ended


# --- jobs that end ----------------------------------------------------------


def test_a_job_that_ended_gets_the_last_slice_of_its_group() -> None:
    """Its group used 5 s, the living job 2 s: 3 s were its own."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 10.0), usage("b", 20.0), group_cpu_s=30.0))

    step = tick(tracker, 1.0, jobs(usage("b", 22.0), group_cpu_s=35.0))

    assert step.ended == {A}
    assert step.cpu_s == {A: 3.0, B: 2.0}
    assert step.current.keys() == {A, B}


def test_a_job_that_is_listed_without_a_cgroup_gets_its_last_slice() -> None:
    """Some sources still know the job when its counter is gone."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 10.0), group_cpu_s=10.0))

    step = tick(tracker, 1.0, jobs(usage("a", None), group_cpu_s=13.0))

    assert step.cpu_s == {A: 3.0}
    assert not step.ended


def test_a_job_that_came_and_went_within_a_tick_gets_the_slice_of_its_group() -> None:
    """A source that was told of it, by a prolog, can still name it."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(group_cpu_s=10.0))

    step = tick(tracker, 1.0, jobs(usage("a", None), group_cpu_s=10.6))

    assert step.cpu_s == {A: pytest.approx(0.6)}


def test_jobs_that_end_together_share_the_slice_by_what_they_used_before() -> None:
    """Nobody can tell better: 3 s and 1 s before, so 3 s and 1 s again."""
    tracker = UsageTracker()
    start = jobs(usage("a", 0.0), usage("b", 0.0), group_cpu_s=0.0)
    tick(tracker, 0.0, start)
    tick(tracker, 1.0, jobs(usage("a", 3.0), usage("b", 1.0), group_cpu_s=4.0))

    step = tick(tracker, 2.0, jobs(group_cpu_s=8.0))

    assert step.cpu_s == {A: pytest.approx(3.0), B: pytest.approx(1.0)}


def test_jobs_that_end_together_and_were_idle_share_the_slice_evenly() -> None:
    """Without any sign, equal parts."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 1.0), usage("b", 7.0), group_cpu_s=8.0))

    step = tick(tracker, 1.0, jobs(group_cpu_s=10.0))

    assert step.cpu_s == {A: 1.0, B: 1.0}


def test_a_last_slice_is_never_negative() -> None:
    """Counters are read one after another, so the parts may exceed the whole."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 10.0), usage("b", 20.0), group_cpu_s=30.0))

    step = tick(tracker, 1.0, jobs(usage("b", 25.0), group_cpu_s=34.0))

    assert step.cpu_s == {A: 0.0, B: 5.0}


@pytest.mark.parametrize("group_cpu_s", [None, 30.0])
def test_a_job_without_a_known_group_ends_without_a_slice(
    group_cpu_s: float | None,
) -> None:
    """A group that is new may hold the history of others."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 10.0)))

    step = tick(tracker, 1.0, jobs(group_cpu_s=group_cpu_s))

    assert step.ended == {A}
    assert step.cpu_s == {}


def test_a_counter_that_comes_back_is_not_charged_twice() -> None:
    """10 s, 3 s by the group, then the job's own counter says 14 s: 1 s is new."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 10.0), group_cpu_s=10.0))
    tick(tracker, 1.0, jobs(usage("a", None), group_cpu_s=13.0))

    step = tick(tracker, 2.0, jobs(usage("a", 14.0), group_cpu_s=14.0))

    assert step.cpu_s == {A: pytest.approx(1.0)}


def test_a_counter_that_was_never_read_charges_no_history() -> None:
    """Here before it could be counted, so nobody knows since when."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", None), group_cpu_s=100.0))
    tick(tracker, 1.0, jobs(usage("a", None), group_cpu_s=100.0))

    first = tick(tracker, 2.0, jobs(usage("a", 50.0), group_cpu_s=100.0))
    second = tick(tracker, 3.0, jobs(usage("a", 51.0), group_cpu_s=101.0))

    assert first.cpu_s == {A: 0.0}
    assert second.cpu_s == {A: pytest.approx(1.0)}


def test_a_job_that_was_listed_without_a_counter_ends_without_another_slice() -> None:
    """What it used was charged then; what ends a tick later is another job's."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("b", 0.0), group_cpu_s=0.0))
    brief = jobs(usage("a", None), usage("b", 1.0), group_cpu_s=1.5)
    tick(tracker, 1.0, brief)

    step = tick(tracker, 2.0, jobs(group_cpu_s=2.5))

    assert step.ended == {A, B}
    assert step.cpu_s == {B: pytest.approx(1.0)}
    assert A not in step.current


# --- properties -------------------------------------------------------------


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.floats(0, 8), max_size=3),
        min_size=2,
        max_size=12,
    )
)
def test_no_cpu_time_of_a_group_is_lost_or_counted_twice(
    used: list[dict[str, float]],
) -> None:
    """Σ jobs = the group, for jobs that come and go at any tick.

    A tick maps each job that runs in it to the CPU time that it uses; a job
    that is not in the next one ended there, after its time in this one was read.
    """
    tracker = UsageTracker()
    own: dict[str, float] = {}
    group_s = 1000.0
    tick(tracker, 0.0, jobs(group_cpu_s=group_s))
    before: set[str] = set()
    for second, running in enumerate(used, start=1):
        for ended in before - running.keys():
            own.pop(ended)
            group_s += 0.25
        for key, cpu_s in running.items():
            own[key] = own.get(key, 0.0) + cpu_s
            group_s += cpu_s
        listed = [usage(key, own[key]) for key in running]

        step = tick(tracker, second, jobs(*listed, group_cpu_s=group_s))

        expected_s = sum(running.values()) + 0.25 * len(before - running.keys())
        assert sum(step.cpu_s.values()) == pytest.approx(expected_s, abs=1e-9)
        assert min(step.cpu_s.values(), default=0.0) >= 0
        before = set(running)
