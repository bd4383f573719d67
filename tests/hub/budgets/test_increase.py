import pytest

from exporter.hub.budgets.increase import rise


def test_a_counter_rose_by_what_lies_between_its_samples() -> None:
    """Nothing is guessed beyond the first and the last of them."""
    found = rise([(10.0, 5.0), (20.0, 7.0)], 4.0, 0.0)

    assert (found.amount, found.value) == (3.0, 7.0)
    assert (found.first, found.first_s) == (1.0, 10.0)


def test_a_counter_that_fell_began_from_0() -> None:
    """All that it shows after a restart is new."""
    found = rise([(10.0, 5.0), (20.0, 2.0), (30.0, 3.0)], 4.0, 0.0)

    assert found.amount == 1.0 + 3.0
    assert found.restarts_s == (20.0,)


def test_what_a_counter_stood_at_before_may_be_unknown() -> None:
    """Then counting begins with the first sample."""
    assert rise([(10.0, 5.0), (20.0, 7.0)], None, 0.0).amount == 2.0


def test_a_restart_that_others_tell_of_counts_although_the_counter_rose() -> None:
    """It was above its old value again before anybody looked."""
    assert rise([(10.0, 5.0)], 4.0, 0.0, [8.0]).amount == 5.0
    assert rise([(10.0, 5.0)], 4.0, 9.0, [8.0]).amount == 1.0


def test_after_a_restart_without_samples_the_counter_stands_at_0() -> None:
    """The samples before it are still in the next window, and must not count."""
    found = rise([(10.0, 5.0)], 4.0, 0.0, [12.0])

    assert (found.amount, found.value, found.since_s) == (1.0, 0.0, 12.0)
    assert rise([(10.0, 5.0), (20.0, 1.0)], 0.0, 12.0).amount == 1.0


def test_a_hair_is_no_restart() -> None:
    """A store that keeps decimals may give the same number back a little smaller."""
    found = rise([(10.0, 5.0 - 1e-12)], 5.0, 0.0)

    assert found.amount == pytest.approx(0.0)
    assert found.restarts_s == ()
