import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.idle import (
    BINS,
    WEAKEST_FIRST,
    EnvelopeBin,
    Idle,
    IdleLearner,
    idle_power,
)
from exporter.core.units import Joules, Ratio, Seconds, Watts


def watch(
    learner: IdleLearner, power_w: float, utilization: float, *, seconds: int = 10
) -> None:
    """Let a learner see a constant power for some seconds."""
    for _ in range(seconds):
        learner.observe(Joules(power_w), Seconds(1.0), Ratio(utilization))


def test_nothing_is_learned_without_evidence() -> None:
    """Until then idle power is assumed, and says so."""
    learner = IdleLearner()
    watch(learner, 100.0, 0.0, seconds=9)

    assert learner.idle_power_w() is None


def test_the_power_of_an_idle_machine_is_learned() -> None:
    """Below 5 % utilisation what is drawn is idle power."""
    learner = IdleLearner()
    watch(learner, 80.0, 0.04)

    assert learner.idle_power_w() == pytest.approx(80.0)


def test_the_lowest_mean_counts_and_not_a_single_dip() -> None:
    """A counter that refreshes late shows 0 W for one tick."""
    learner = IdleLearner()
    watch(learner, 80.0, 0.0, seconds=8)
    watch(learner, 0.0, 0.0, seconds=1)
    watch(learner, 160.0, 0.0, seconds=1)

    assert learner.idle_power_w() == pytest.approx(80.0)


def test_a_lower_power_replaces_a_higher_one_at_once() -> None:
    """The envelope is the lowest that was seen."""
    learner = IdleLearner()
    watch(learner, 80.0, 0.0)
    watch(learner, 60.0, 0.0)

    assert learner.idle_power_w() == pytest.approx(60.0)


def test_an_old_minimum_is_forgotten_slowly() -> None:
    """A thousandth of the way per window: half of it in two hours."""
    learner = IdleLearner()
    watch(learner, 60.0, 0.0)

    watch(learner, 100.0, 0.0)
    once_w = learner.idle_power_w()
    for _ in range(692):
        watch(learner, 100.0, 0.0)

    assert once_w == pytest.approx(60.04)
    assert learner.idle_power_w() == pytest.approx(80.0, abs=0.1)


def test_a_machine_that_was_never_idle_is_extrapolated() -> None:
    """Through 200 W at 40 % and 350 W at 90 %: 80 W at 0 %."""
    learner = IdleLearner()
    watch(learner, 200.0, 0.40)
    watch(learner, 350.0, 0.90)

    assert learner.idle_power_w() == pytest.approx(80.0)


def test_two_loads_that_are_near_tell_nothing_of_idle() -> None:
    """A line through neighbours points anywhere."""
    learner = IdleLearner()
    watch(learner, 200.0, 0.50)
    watch(learner, 230.0, 0.60)

    assert learner.idle_power_w() is None


def test_idle_power_is_never_more_than_was_seen() -> None:
    """A line that falls with load would point above every reading."""
    learner = IdleLearner()
    watch(learner, 300.0, 0.40)
    watch(learner, 200.0, 0.90)

    assert learner.idle_power_w() == pytest.approx(200.0)


def test_idle_power_is_never_negative() -> None:
    """A steep line would point below 0."""
    learner = IdleLearner()
    watch(learner, 10.0, 0.40)
    watch(learner, 300.0, 0.90)

    assert learner.idle_power_w() == 0.0


def test_full_load_falls_into_the_last_bin() -> None:
    """Utilisation 1 belongs to the range as well, and rounding may exceed it."""
    learner = IdleLearner()
    watch(learner, 300.0, 1.0000001)

    assert learner.bins == {BINS - 1: EnvelopeBin(Ratio(1.0), Watts(300.0))}


def test_configured_watts_win_over_learned_ones() -> None:
    """The operator has measured them."""
    learner = IdleLearner()
    watch(learner, 80.0, 0.0)

    assert idle_power(Watts(70.0), learner) == Idle(Watts(70.0), "configured")
    assert idle_power(None, learner) == Idle(Watts(80.0), "learned")


def test_a_model_knows_its_idle_power_and_the_operator_knows_better() -> None:
    """What was learned of a meter, or of other watts, says nothing of a model."""
    learner = IdleLearner()
    watch(learner, 80.0, 0.0)

    assert idle_power(None, learner, Watts(5.0)) == Idle(Watts(5.0), "modelled")
    assert idle_power(Watts(7.0), learner, Watts(5.0)) == Idle(Watts(7.0), "configured")


@pytest.mark.parametrize("learner", [None, IdleLearner()])
def test_idle_power_is_assumed_zero_when_nothing_is_known(
    learner: IdleLearner | None,
) -> None:
    """And is called so, since zero is not what it is."""
    assert idle_power(None, learner) == Idle(Watts(0.0), "assumed")


def test_the_idle_part_does_not_shrink_with_load() -> None:
    """80 W for 2 s are idle energy, whether 200 J or 800 J were drawn."""
    idle = Idle(Watts(80.0), "learned")

    assert idle.energy_j(Joules(200.0), Seconds(2.0)) == pytest.approx(160.0)
    assert idle.energy_j(Joules(800.0), Seconds(2.0)) == pytest.approx(160.0)


def test_the_idle_part_is_never_more_than_the_whole() -> None:
    """A machine may draw less than it was configured to."""
    idle = Idle(Watts(80.0), "configured")

    assert idle.energy_j(Joules(50.0), Seconds(2.0)) == pytest.approx(50.0)


def test_a_sum_is_known_only_as_well_as_its_weakest_part() -> None:
    """Seven learned GPUs and an assumed one are an assumption."""
    assert min(("configured", "assumed"), key=WEAKEST_FIRST.index) == "assumed"
    assert min(("configured", "learned"), key=WEAKEST_FIRST.index) == "learned"


@given(
    st.lists(
        st.tuples(st.floats(0, 1e4), st.floats(0, 1), st.floats(0.1, 100)), max_size=80
    )
)
def test_learned_idle_power_is_between_zero_and_the_lowest_seen(
    seen: list[tuple[float, float, float]],
) -> None:
    """Whatever the machine did, idle is no more than it drew in any window."""
    learner = IdleLearner()
    for power_w, utilization, elapsed_s in seen:
        learner.observe(
            Joules(power_w * elapsed_s), Seconds(elapsed_s), Ratio(utilization)
        )

    idle_w = learner.idle_power_w()

    if idle_w is not None:
        lowest_w = min(one.power_w for one in learner.bins.values())
        assert 0 <= idle_w <= lowest_w
