import pytest

from exporter.core.windows import (
    FORGOTTEN,
    Hold,
    HoldWindow,
    NodeWindow,
    Usage,
    UsageWindow,
)
from exporter.core.workload import WorkloadId
from tests.fakes.node import job_id

A, B, C = job_id("a"), job_id("b"), job_id("c")
NODE = NodeWindow(1.0, 2.0, 8.0, 100.0, 400.0)


def test_a_window_that_waits_grows_by_what_follows() -> None:
    """Energy that arrives late is divided by all that happened meanwhile."""
    earlier = {A: Usage(1, 2, 3, 4), B: Usage(5, 0, 0, 0)}
    later = {A: Usage(1, 1, 1, 1), C: Usage(0, 0, 9, 0)}

    both = UsageWindow(1.0, NODE, earlier, complete=True).then(
        UsageWindow(2.0, NODE, later, complete=True)
    )

    assert both.elapsed_s == 3.0
    assert both.node == NodeWindow(2.0, 4.0, 16.0, 200.0, 800.0)
    assert both.usages == {
        A: Usage(2, 3, 4, 5),
        B: Usage(5, 0, 0, 0),
        C: Usage(0, 0, 9, 0),
    }


def test_a_window_is_as_complete_as_its_end() -> None:
    """What could not be read for a while is in the next reading."""
    complete = UsageWindow(1.0, NODE, {}, complete=True)
    blind = UsageWindow(1.0, NODE, {}, complete=False)

    assert blind.then(complete).complete
    assert not complete.then(blind).complete


@pytest.mark.parametrize("known_first", [True, False])
def test_a_node_that_was_read_in_a_part_of_the_window_stands_for_all(
    known_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """1 s with 2 s of CPU time is 3 s with 6 s."""
    known = UsageWindow(1.0, NODE, {}, complete=True)
    unknown = UsageWindow(2.0, None, {}, complete=True)

    both = known.then(unknown) if known_first else unknown.then(known)

    assert both.node_inside() == NodeWindow(3.0, 6.0, 24.0, 300.0, 1200.0)


def test_a_node_that_was_never_read_is_unknown() -> None:
    """Not idle: missing is not zero."""
    unknown = UsageWindow(1.0, None, {}, complete=True)

    assert unknown.then(unknown).node_inside() is None


def test_jobs_that_were_forgotten_keep_their_part_of_a_window() -> None:
    """Else those who are still known would pay for them."""
    usages = {A: Usage(1, 1, 1, 1), B: Usage(2, 2, 2, 2), C: Usage(3, 3, 3, 3)}
    window = UsageWindow(1.0, NODE, usages, complete=True)

    left = window.forget({A}).forget({B})

    assert left.usages == {FORGOTTEN: Usage(3, 3, 3, 3), C: Usage(3, 3, 3, 3)}
    assert left.node == NODE


def test_holds_add_up_by_job() -> None:
    """A held it all the time, B came later."""
    first = HoldWindow(1.0, 1.0, {A: Hold(0.5, 0.1)}, 0.3)
    later = HoldWindow(2.0, 2.0, {A: Hold(1.0, 0.2), B: Hold(1.0, None)}, 0.2)

    both = first.then(later)

    assert (both.elapsed_s, both.held_s) == (3.0, 3.0)
    assert both.holds[A].share_s == pytest.approx(1.5)
    assert both.holds[A].activity_s == pytest.approx(0.3)
    assert both.holds[B] == Hold(1.0, None)
    assert both.activity_s == pytest.approx(0.5)


@pytest.mark.parametrize(("one", "other"), [(None, 0.5), (0.5, None)])
def test_activity_that_is_unknown_once_is_unknown_for_all(
    one: float | None, other: float | None
) -> None:
    """A part of an activity would be charged as the whole of it."""
    first = HoldWindow(1.0, 1.0, {A: Hold(1.0, one)})

    both = first.then(HoldWindow(1.0, 1.0, {A: Hold(1.0, other)}))

    assert both.holds[A] == Hold(2.0, None)


@pytest.mark.parametrize(
    ("holds", "division"),
    [
        ({}, None),
        ({A: Hold(1.0, 0.5)}, None),
        ({A: Hold(0.5, 0.5), B: Hold(0.5, 0.0)}, "activity"),
        ({A: Hold(0.5, 0.5), B: Hold(0.5, None)}, "share"),
    ],
)
def test_a_window_tells_by_what_it_is_divided(
    holds: dict[WorkloadId, Hold], division: str | None
) -> None:
    """A figure that rests on shares alone is worth less, and says so."""
    assert HoldWindow(1.0, 1.0, holds).division == division


def test_holders_that_were_forgotten_keep_their_share() -> None:
    """The next owner of the GPU does not pay for the last ones."""
    holds = {A: Hold(1.0, None), B: Hold(2.0, 0.5), C: Hold(3.0, 0.5)}
    window = HoldWindow(6.0, 6.0, holds)

    left = window.forget({A, B})

    assert left.holds == {FORGOTTEN: Hold(3.0, None), C: Hold(3.0, 0.5)}
    assert left.held_s == 6.0


def test_a_holder_who_is_found_out_late_held_it_before() -> None:
    """For three of the five seconds that the energy has been waiting for."""
    window = HoldWindow(5.0, 0.0, {})
    found = HoldWindow(5.0, 3.0, {A: Hold(3.0, None)})

    assert window.held_longer(found) == HoldWindow(5.0, 3.0, {A: Hold(3.0, None)})


def test_who_is_unknown_gives_way_to_who_is_found_out() -> None:
    """What B had, the unknown one cannot have had; sharers left him nothing."""
    unknown = HoldWindow(5.0, 5.0, {FORGOTTEN: Hold(5.0, None)})

    one = unknown.held_longer(HoldWindow(5.0, 3.0, {B: Hold(3.0, None)}))
    more = unknown.held_longer(
        HoldWindow(5.0, 5.0, {A: Hold(5.0, None), B: Hold(5, None)})
    )

    assert one.holds == {FORGOTTEN: Hold(2.0, None), B: Hold(3.0, None)}
    assert more.holds[FORGOTTEN] == Hold(0.0, None)
