"""A daemon that was dead for longer than three intervals, and what happened then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.interval import UsageTracker
from exporter.core.workload import MissedReading
from tests.fakes.node import job_id, jobs, missed, usage
from tests.fakes.tracking import tick

A, B, C = job_id("a"), job_id("b"), job_id("c")


def _tracker() -> UsageTracker:
    """Return one that saw A and B at second 0; each has used 10 s."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 10.0), usage("b", 10.0), group_cpu_s=50.0))
    return tracker


# --- nobody took note -------------------------------------------------------


def test_jobs_that_live_on_are_charged_for_the_whole_time() -> None:
    """Their counters went on."""
    step = tick(
        _tracker(), 9.0, jobs(usage("a", 14.0), usage("b", 15.0), group_cpu_s=59.0)
    )

    assert step.cpu_s == {A: 4.0, B: 5.0}
    assert step.unknown_cpu_s == {"slurm": 0.0}


def test_what_an_ended_job_used_unseen_is_unknown() -> None:
    """The 6 s may as well be those of a job that came and went meanwhile."""
    step = tick(_tracker(), 9.0, jobs(usage("b", 12.0), group_cpu_s=58.0))

    assert step.cpu_s == {B: 2.0}
    assert step.unknown_cpu_s == {"slurm": pytest.approx(6.0)}
    assert step.ended == {A}
    assert step.presence.lost == {A}


def test_what_jobs_used_that_came_and_went_unseen_is_unknown() -> None:
    """It is known of jobs, though: not the operating system's."""
    step = tick(
        _tracker(), 9.0, jobs(usage("a", 11.0), usage("b", 11.0), group_cpu_s=55.0)
    )

    assert step.unknown_cpu_s == {"slurm": pytest.approx(3.0)}


def test_counters_that_disagree_by_a_moment_hide_no_job() -> None:
    """They are read one after another."""
    step = tick(
        _tracker(), 9.0, jobs(usage("a", 11.0), usage("b", 11.0), group_cpu_s=52.2)
    )

    assert step.unknown_cpu_s == {"slurm": 0.0}


def test_a_new_job_is_charged_from_its_begin() -> None:
    """It started from 0, and is still there."""
    step = tick(
        _tracker(),
        9.0,
        jobs(usage("a", 11.0), usage("b", 11.0), usage("c", 4.0), group_cpu_s=56.0),
    )

    assert step.cpu_s == {A: 1.0, B: 1.0, C: 4.0}
    assert step.unknown_cpu_s == {"slurm": 0.0}


def test_a_job_whose_count_lacks_its_first_run_is_not_charged_for_its_second() -> None:
    """Requeued long ago, A had 90 + 10 s; a new daemon sees only those of now, 11."""
    tracker = UsageTracker()
    tick(tracker, 0.0, jobs(usage("a", 100.0), group_cpu_s=500.0))

    step = tick(tracker, 9.0, jobs(usage("a", 11.0), group_cpu_s=501.0))

    assert step.cpu_s == {A: pytest.approx(1.0)}


def test_a_shorter_silence_hides_nothing() -> None:
    """As when a daemon is restarted at once: A ended, and the slice is its own."""
    step = tick(_tracker(), 3.0, jobs(usage("b", 12.0), group_cpu_s=58.0))

    assert step.cpu_s == {A: pytest.approx(6.0), B: 2.0}
    assert step.unknown_cpu_s == {"slurm": 0.0}
    assert step.presence.lost == frozenset()


# --- somebody took note -----------------------------------------------------


def test_a_job_that_ended_alone_is_charged_for_all_it_used() -> None:
    """At its end the group had 60 s, and B 3 of them since second 0: A 7."""
    end = missed(5.0, 60.0, usage("a", None), usage("b", 13.0))

    step = tick(
        _tracker(), 9.0, jobs(usage("b", 15.0), group_cpu_s=62.0, missed=(end,))
    )

    assert step.cpu_s == {A: pytest.approx(7.0), B: pytest.approx(5.0)}
    assert step.unknown_cpu_s == {"slurm": 0.0}


def test_jobs_that_ended_one_after_the_other_are_told_apart() -> None:
    """A used 7 s until second 5, B 3 s till then and 2 s until it ended."""
    ends = (
        missed(5.0, 60.0, usage("a", None), usage("b", 13.0)),
        missed(8.0, 62.0, usage("b", None)),
    )

    step = tick(_tracker(), 9.0, jobs(group_cpu_s=62.0, missed=ends))

    assert step.cpu_s == {A: pytest.approx(7.0), B: pytest.approx(5.0)}


def test_a_job_that_came_and_went_is_charged_for_all_it_used() -> None:
    """Nobody ever saw it run; 4 s of the group are neither A's nor B's."""
    end = missed(5.0, 56.0, usage("a", 11.0), usage("b", 11.0), usage("c", None))
    late = usage("c", None, start_s=2.0, end_s=5.0)

    step = tick(
        _tracker(),
        9.0,
        jobs(
            usage("a", 12.0),
            usage("b", 12.0),
            late,
            group_cpu_s=58.0,
            members=(A, B),
            missed=(end,),
        ),
    )

    assert step.cpu_s == {A: 2.0, B: 2.0, C: pytest.approx(4.0)}
    assert step.unknown_cpu_s == {"slurm": 0.0}


def test_jobs_that_ended_at_the_same_moment_are_not_told_apart() -> None:
    """Both were gone when somebody looked: 12 s of either, or of both."""
    ends = (
        missed(8.0, 62.0, usage("a", None)),
        missed(8.01, 62.0, usage("b", None)),
    )

    step = tick(_tracker(), 9.0, jobs(group_cpu_s=62.0, missed=ends))

    assert step.cpu_s.get(A, 0.0) + step.cpu_s.get(B, 0.0) == 0.0
    assert step.unknown_cpu_s == {"slurm": pytest.approx(12.0)}


def test_a_job_seen_running_whose_end_nobody_saw_is_charged_until_then() -> None:
    """B had used 3 s more when A ended; of the rest nobody knows."""
    end = missed(2.0, 60.0, usage("a", None), usage("b", 13.0))

    step = tick(_tracker(), 9.0, jobs(group_cpu_s=66.0, missed=(end,)))

    assert step.cpu_s == {A: pytest.approx(7.0), B: pytest.approx(3.0)}
    assert step.unknown_cpu_s == {"slurm": pytest.approx(6.0)}


def test_both_runs_of_a_job_are_charged() -> None:
    """A ended with 7 s, was requeued, and has used 2 s since: its count is lower."""
    end = missed(5.0, 57.0, usage("a", None), usage("b", 10.0))

    step = tick(
        _tracker(),
        9.0,
        jobs(usage("a", 2.0), usage("b", 10.0), group_cpu_s=59.0, missed=(end,)),
    )

    assert step.cpu_s == {A: pytest.approx(9.0), B: 0.0}


def test_an_end_before_the_last_reading_is_not_charged_again() -> None:
    """The daemon died after it had counted it, and before the file was removed."""
    tracker = _tracker()
    end = missed(-3.0, 45.0, usage("c", None), usage("a", 8.0), usage("b", 9.0))
    late = usage("c", None, end_s=-3.0)

    step = tick(
        tracker,
        9.0,
        jobs(
            usage("a", 11.0),
            usage("b", 12.0),
            late,
            group_cpu_s=53.0,
            members=(A, B),
            missed=(end,),
        ),
    )

    assert step.cpu_s == {A: 1.0, B: 2.0}
    assert C not in step.current


def test_ends_from_before_there_was_any_reading_are_nobodys() -> None:
    """There is nothing to compare with, and no energy to divide."""
    end = missed(5.0, 56.0, usage("c", None))

    step = tick(
        UsageTracker(),
        9.0,
        jobs(usage("c", None, end_s=5.0), group_cpu_s=58.0, missed=(end,)),
    )

    assert step.cpu_s == {}
    assert step.current == {}


def test_a_job_that_was_seen_and_cannot_be_named_is_unknown() -> None:
    """It ran when A ended, and had gone when the daemon came back."""
    end = missed(5.0, 58.0, usage("a", None), usage("b", 10.0), usage("x", 3.0))

    step = tick(
        _tracker(), 9.0, jobs(usage("b", 10.0), group_cpu_s=58.0, missed=(end,))
    )

    assert step.cpu_s == {A: pytest.approx(5.0), B: 0.0}
    assert step.unknown_cpu_s == {"slurm": pytest.approx(3.0)}


def test_a_dated_end_lasts_until_the_job_is_not_told_any_longer() -> None:
    """Its labels may take a tick more; it is charged once."""
    tracker = _tracker()
    end = missed(5.0, 60.0, usage("a", None), usage("b", 13.0))
    late = usage("a", None, end_s=5.0)
    first = jobs(usage("b", 15.0), late, group_cpu_s=62.0, members=(B,), missed=(end,))
    again = jobs(usage("b", 16.0), late, group_cpu_s=63.0, members=(B,))

    steps = [tick(tracker, 9.0, first), tick(tracker, 10.0, again)]
    gone = tick(tracker, 11.0, jobs(usage("b", 17.0), group_cpu_s=64.0))

    assert steps[0].cpu_s[A] == pytest.approx(7.0)
    assert A not in steps[1].cpu_s
    assert [step.ended for step in (*steps, gone)] == [set(), set(), {A}]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.floats(0.01, 4), st.floats(0, 1)),
        max_size=12,
    )
)
def test_no_cpu_time_is_lost_or_counted_twice_over_any_silence(
    ends: list[tuple[str, float, float]],
) -> None:
    """Σ jobs + unknown = the group, whatever ended meanwhile and was taken note of.

    Each end comes some seconds after the one before, in which each of four jobs used
    the same CPU time; who ended starts again at once.
    """
    tracker = UsageTracker()
    used = dict.fromkeys("abcd", 5.0)
    group_s, now_s = 100.0, 0.0
    start = [usage(key, cpu_s) for key, cpu_s in used.items()]
    tick(tracker, now_s, jobs(*start, group_cpu_s=group_s))
    noted: list[MissedReading] = []
    for ended, seconds, cpus in ends:
        now_s += seconds
        for key in used:
            used[key] += seconds * cpus
        group_s += 4 * seconds * cpus
        others = [usage(key, cpu_s) for key, cpu_s in used.items() if key != ended]
        noted.append(missed(now_s, group_s, *others, usage(ended, None)))
        used[ended] = 0.0
    running = [usage(key, cpu_s) for key, cpu_s in used.items()]
    now_s += 5.0

    step = tick(
        tracker, now_s, jobs(*running, group_cpu_s=group_s, missed=tuple(noted))
    )

    told_s = sum(step.cpu_s.values()) + step.unknown_cpu_s["slurm"]
    assert told_s == pytest.approx(group_s - 100.0, abs=1e-9)
    assert step.unknown_cpu_s["slurm"] == 0.0
