import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
    NotCoveredError,
    ProviderError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.provider import Traits
from exporter.carbon.schedule import backoff_s, next_slot_s, next_turn_s, pause_s
from exporter.core.units import Seconds

_chances = st.floats(0, 1)
_cadences = st.sampled_from([60.0, 300.0, 900.0, 1800.0, 3600.0]).map(Seconds)
_TRAITS = Traits("one", Seconds(300.0), Seconds(900.0))


@pytest.mark.parametrize(
    ("unix_s", "cadence_s", "chance", "expected"),
    [
        (1000.0, 300.0, 0.0, 1200.0),
        (1000.0, 300.0, 1.0, 1260.0),
        (1200.0, 300.0, 0.0, 1500.0),
        (1199.0, 300.0, 0.5, 1230.0),
        (1199.0, 300.0, 0.0, 1500.0),
        (1000.0, 5.0, 0.0, 1080.0),
        (3599.9, 3600.0, 0.25, 3780.0),
    ],
)
def test_the_next_call_is_a_little_after_the_next_slot_begins(
    unix_s: float, cadence_s: float, chance: float, expected: float
) -> None:
    """Computed by hand: at most a fifth of the slot later, at least 30 s from now."""
    due_s = next_slot_s(Seconds(unix_s), Seconds(cadence_s), Seconds(30.0), chance)

    assert due_s == pytest.approx(expected)


@given(st.floats(0, 1e6), _cadences, _chances, _chances)
def test_a_provider_is_asked_no_more_often_than_it_has_something_new(
    first_s: float, cadence_s: Seconds, one: float, two: float
) -> None:
    """One call a slot, and never two at once."""
    due_s = next_slot_s(Seconds(first_s), cadence_s, Seconds(30.0), one)
    again_s = next_slot_s(due_s, cadence_s, Seconds(30.0), two)

    assert first_s + 30 <= due_s <= first_s + 1.2 * cadence_s + 60
    assert again_s // cadence_s == due_s // cadence_s + 1


@given(st.integers(1, 10_000), _cadences, st.floats(1, 60), _chances)
def test_after_a_failure_it_is_asked_again_within_one_period(
    failures: int, cadence_s: Seconds, least_s: float, chance: float
) -> None:
    """So that level 0 is back at most one period after the provider is."""
    wait_s = backoff_s(failures, cadence_s, Seconds(least_s), chance)

    assert least_s <= wait_s <= max(cadence_s, 60.0)


def test_pauses_after_failures_double_up_to_a_period() -> None:
    """The mean of them does: the pauses themselves are drawn at random."""
    ceilings = [backoff_s(n, Seconds(900.0), Seconds(30.0), 1.0) for n in range(1, 8)]

    assert ceilings == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    assert backoff_s(7, Seconds(900.0), Seconds(30.0), 0.0) == 30.0
    assert backoff_s(99, Seconds(86_400.0), Seconds(30.0), 1.0) == 3600.0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnavailableError("x"), 60.0),
        (NonsenseError("x"), 60.0),
        (None, 60.0),
        (NotCoveredError("x"), 3600.0),
        (CredentialsError("x"), 6 * 3600.0),
        (ThrottledError("x", None), 60.0),
        (ThrottledError("x", Seconds(0.0)), 60.0),
        (ThrottledError("x", Seconds(120.0)), 150.0),
        (ThrottledError("x", Seconds(1e9)), 6 * 3600.0),
    ],
)
def test_who_refuses_or_wants_to_be_left_alone_is_left_alone(
    error: ProviderError | None, expected: float
) -> None:
    """But not for ever, whatever it says."""
    wait_s = pause_s(error, 1, Seconds(300.0), _TRAITS, 1.0)

    assert wait_s == expected


@pytest.mark.parametrize(
    ("unix_s", "slot_s", "chance", "expected"),
    [
        (1200.0, 60.0, 0.0, 1260.0),
        (1200.0, 60.0, 0.5, 1230.0),
        (1230.0, 60.0, 0.5, 1290.0),
        (1230.1, 60.0, 0.5, 1290.0),
        (1215.0, 60.0, 0.5, 1290.0),
        (1259.0, 60.0, 1.0, 1320.0),
    ],
)
def test_one_of_many_has_a_moment_of_each_slot_of_its_own(
    unix_s: float, slot_s: float, chance: float, expected: float
) -> None:
    """Computed by hand: not within half a slot of now."""
    due_s = next_turn_s(Seconds(unix_s), Seconds(slot_s), chance)

    assert due_s == pytest.approx(expected)


@given(st.floats(0, 1e9), st.floats(30, 300), _chances)
def test_one_of_many_waits_between_half_a_slot_and_one_and_a_half(
    unix_s: float, slot_s: float, chance: float
) -> None:
    """Never twice in a moment, and never much longer than was agreed."""
    due_s = next_turn_s(Seconds(unix_s), Seconds(slot_s), chance)

    assert 0.5 - 1e-6 <= (due_s - unix_s) / slot_s <= 1.5 + 1e-6
