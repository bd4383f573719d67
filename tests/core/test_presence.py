import pytest

from exporter.core.presence import Presence, spans_of
from exporter.core.windows import FORGOTTEN, Hold
from tests.fakes.node import UNIX_S, hold, job_id, usage

A, B, C = job_id("a"), job_id("b"), job_id("c")


def test_a_job_is_there_from_its_begin_to_its_end() -> None:
    """Of the ten seconds till now; C was there all the time."""
    usages = (
        usage("a", 0.0, start_s=94.0),
        usage("b", None, start_s=50.0, end_s=93.0),
        usage("c", 0.0, start_s=50.0),
    )

    spans = spans_of(usages, 10.0, UNIX_S + 100.0, ())

    assert spans == {A: (4.0, 10.0), B: (0.0, 3.0)}


def test_a_job_that_was_there_before_began_before() -> None:
    """Whatever its start says: the wall clock may have been set meanwhile."""
    spans = spans_of((usage("a", 0.0, start_s=94.0),), 10.0, UNIX_S + 100.0, {A})

    assert spans == {}


@pytest.mark.parametrize(
    ("start_s", "end_s", "span"),
    [
        (200.0, None, (10.0, 10.0)),
        (50.0, 60.0, (0.0, 0.0)),
        (97.0, 96.0, (7.0, 7.0)),
        (95.0, 300.0, (5.0, 10.0)),
    ],
)
def test_no_job_is_there_for_less_than_nothing(
    start_s: float, end_s: float | None, span: tuple[float, float]
) -> None:
    """Clocks and files may say anything."""
    some = usage("a", 0.0, start_s=start_s, end_s=end_s)

    assert spans_of((some,), 10.0, UNIX_S + 100.0, ()) == {A: span}


def test_who_was_there_for_a_part_held_its_gpu_for_that_part() -> None:
    """A till second 3, B from second 6 on: nobody in between."""
    presence = Presence(10.0, {A: (0.0, 3.0), B: (6.0, 10.0)})
    usages = (usage("a", None, gpus=(hold(),)), usage("b", 0.0, gpus=(hold(),)))

    held = presence.holds(usages)["GPU-0"]

    assert held.holds == {A: Hold(3.0, None), B: Hold(4.0, None)}
    assert held.held_s == pytest.approx(7.0)


def test_time_in_which_several_shared_a_gpu_counts_once() -> None:
    """A and B for five seconds each, two of them together."""
    presence = Presence(10.0, {A: (0.0, 5.0), B: (3.0, 8.0)})
    half = (hold(share=0.5, activity=0.2),)

    held = presence.holds((usage("a", 0.0, gpus=half), usage("b", 0.0, gpus=half)))

    assert held["GPU-0"].held_s == pytest.approx(8.0)
    assert held["GPU-0"].holds[A] == pytest.approx((2.5, 1.0))


def test_what_is_lost_is_what_others_did_not_hold() -> None:
    """A ended at some time before B began in second 6: at most six seconds."""
    presence = Presence(10.0, {B: (6.0, 10.0)}, lost=frozenset({A}))
    usages = (usage("a", 0.0, gpus=(hold(),)), usage("b", 0.0, gpus=(hold(),)))

    held = presence.holds(usages)["GPU-0"]

    assert held.holds == {FORGOTTEN: Hold(6.0, None), B: Hold(4.0, None)}


def test_in_no_time_everybody_was_there() -> None:
    """The first tick of a daemon has no length."""
    assert Presence(0.0, {A: (0.0, 0.0)}).part(A) == 1.0
