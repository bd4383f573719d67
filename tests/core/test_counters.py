from hypothesis import given
from hypothesis import strategies as st

from exporter.core.counters import (
    Advanced,
    Ambiguous,
    CounterStep,
    First,
    Reset,
    Wrapped,
    counter_step,
)
from exporter.core.units import Seconds
from tests.fakes.node import device

RANGE = 10_000
# 1 J a count and 1000 W: in 1 s, with the slack, up to 2000 counts are believed.
WRAPPING = device("cpu", "package-0", joules_per_count=1.0, counter_range=RANGE)
ENDLESS = device("gpu", "GPU-0", joules_per_count=1.0)


def step(previous: int | None, current: int, elapsed_s: float = 1.0) -> CounterStep:
    """Compare two counts of a counter that wraps."""
    return counter_step(previous, current, Seconds(elapsed_s), WRAPPING)


def endless_step(previous: int, current: int, elapsed_s: float = 1.0) -> CounterStep:
    """Compare two counts of a counter that never wraps."""
    return counter_step(previous, current, Seconds(elapsed_s), ENDLESS)


def test_a_first_count_tells_no_energy() -> None:
    """Else a daemon that starts would charge all energy since boot."""
    assert step(None, 9_000) == First()


def test_a_device_without_a_counter_has_no_step() -> None:
    """Whether there is a counter is declared, never guessed from values."""
    gauge_only = device("gpu", "GPU-0", joules_per_count=None)

    assert counter_step(1, 2, Seconds(1.0), gauge_only) == First()


def test_a_higher_count_has_advanced() -> None:
    """The ordinary case."""
    assert step(1_000, 1_300) == Advanced(300)


def test_an_equal_count_has_advanced_by_nothing() -> None:
    """A quiet interval is no reset and no wrap."""
    assert step(1_000, 1_000) == Advanced(0)
    assert endless_step(1_000, 1_000) == Advanced(0)


def test_a_lower_count_of_known_range_has_wrapped() -> None:
    """What was left to the end, and what came after it."""
    assert step(9_900, 200) == Wrapped(300)


def test_a_lower_count_without_a_range_was_reset() -> None:
    """NVML counts from 0 after a driver reload: no energy is known."""
    assert endless_step(9_900, 200) == Reset()


def test_a_step_that_the_device_cannot_have_drawn_is_a_reset() -> None:
    """2001 J in 1 s is no energy of a device of 1000 W, however it came."""
    assert step(1_000, 3_001) == Reset()
    assert endless_step(1_000, 3_001) == Reset()


def test_a_fall_that_is_no_believable_wrap_was_a_reset() -> None:
    """A counter restarted by the firmware would else look like a whole turn."""
    assert step(5_000, 4_000) == Reset()


def test_a_slow_reader_may_see_the_energy_of_a_longer_time() -> None:
    """Drivers refresh in steps, so a short interval can hold more than its own."""
    assert endless_step(1_000, 1_900, elapsed_s=0.01) == Advanced(900)


def test_a_step_that_may_hide_a_whole_turn_is_ambiguous() -> None:
    """After 11 s at 1000 W the counter may have gone round once more."""
    assert step(1_000, 1_300, elapsed_s=11.0) == Ambiguous(300)
    assert step(9_900, 200, elapsed_s=11.0) == Ambiguous(300)


def test_a_whole_turn_is_possible_from_the_energy_of_one_on() -> None:
    """10,000 J and those 300 take 10.3 s, of which one is slack."""
    assert step(1_000, 1_300, elapsed_s=9.2) == Advanced(300)
    assert step(1_000, 1_300, elapsed_s=9.3) == Ambiguous(300)


def test_all_the_device_can_have_drawn_is_believed() -> None:
    """2000 J in 1 s and the slack."""
    assert step(1_000, 3_000) == Advanced(2_000)
    assert endless_step(1_000, 3_000) == Advanced(2_000)


def test_an_endless_counter_is_never_ambiguous() -> None:
    """It tells all energy of any gap."""
    assert endless_step(1_000, 900_000, elapsed_s=3600.0) == Advanced(899_000)


@given(
    start=st.integers(0, RANGE - 1),
    counts=st.lists(st.integers(0, 1_999), max_size=50),
)
def test_a_wrapping_counter_tells_the_same_as_an_endless_one(
    start: int, counts: list[int]
) -> None:
    """Wrap = no wrap: the truth does not depend on the width of a register."""
    total, seen = start, 0
    for count in counts:
        result = step(total % RANGE, (total + count) % RANGE)
        assert isinstance(result, Advanced | Wrapped)
        seen += result.counts
        total += count

    assert seen == sum(counts)


@given(
    previous=st.none() | st.integers(0, RANGE - 1),
    current=st.integers(0, RANGE - 1),
    elapsed_s=st.floats(0, 1e6),
)
def test_no_step_goes_down(
    previous: int | None, current: int, elapsed_s: float
) -> None:
    """Whatever was read, no joule is ever taken back."""
    result = step(previous, current, elapsed_s)

    assert getattr(result, "counts", 0) >= 0
