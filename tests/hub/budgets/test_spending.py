import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.hub.budgets.period import Span
from exporter.hub.budgets.spending import Entry, Spending

BEGIN_S = 1_790_000_000.0
DAY_S = 86400.0


def spent_evenly(
    days: float, step_s: float, edges_s: tuple[float, ...] = ()
) -> Spending:
    """Spend a gram a second, half of it on fallback data, look by look."""
    spending = Spending()
    for number in range(int(days * DAY_S / step_s)):
        begin_s = BEGIN_S + number * step_s
        entry = Entry(begin_s, begin_s + step_s, step_s, step_s / 2, step_s)
        spending.add(entry, edges_s)
    return spending


def test_a_sum_takes_part_of_an_entry_by_its_length() -> None:
    """The edge of a rolling period falls anywhere."""
    spending = spent_evenly(1.0, 3600.0)

    total = spending.total(Span(BEGIN_S + 1800.0, BEGIN_S + 5400.0))

    assert total == pytest.approx((3600.0, 1800.0, 3600.0))


def test_old_entries_are_joined_and_their_sums_stay() -> None:
    """A month of minutes would be 43,200 entries for each budget."""
    spending = spent_evenly(20.0, 60.0)

    assert len(spending.entries) < 500
    whole = spending.total(Span(BEGIN_S, BEGIN_S + 20 * DAY_S))
    assert whole == pytest.approx((20 * DAY_S, 10 * DAY_S, 20 * DAY_S))


def test_nothing_is_joined_across_the_begin_of_a_period() -> None:
    """A gram of October is not to be found in November, by half an hour or more."""
    edge_s = BEGIN_S + 1873 * 60.0
    spending = spent_evenly(20.0, 60.0, (edge_s,))

    assert any(entry.begin_s == edge_s for entry in spending.entries)


@given(
    st.floats(0.0, 3 * DAY_S),
    st.floats(0.0, DAY_S),
)
def test_what_is_spread_arrives_in_the_time_it_belongs_to(
    after_s: float, length_s: float
) -> None:
    """What a node used while nobody saw it is no burst of the moment it is back."""
    spending = spent_evenly(4.0, 600.0)
    span = Span(BEGIN_S + after_s, BEGIN_S + after_s + length_s + 1.0)

    before = spending.total(span)
    spending.spread(span, 100.0, 10.0)
    after = spending.total(span)

    # Entries are cut by length, so at its edges some of it lies just outside.
    ever = spending.total(Span(0.0, 1e12))
    assert ever.amount == pytest.approx(4 * DAY_S + 100.0)
    assert ever.fallback == pytest.approx(2 * DAY_S + 10.0)
    assert after.amount >= before.amount


def test_what_lies_before_the_first_entry_is_not_counted() -> None:
    """A budget does not pay for the time before it."""
    spending = spent_evenly(1.0, 600.0)

    spending.spread(Span(BEGIN_S - 300.0, BEGIN_S + 300.0), 100.0, 0.0)

    assert spending.total(Span(0.0, 1e12)).amount == pytest.approx(DAY_S + 50.0)


def test_entries_that_nobody_asks_for_leave() -> None:
    """Memory is bounded by the longest period."""
    spending = spent_evenly(1.0, 3600.0)

    spending.forget(BEGIN_S + 7200.0)

    assert spending.begin_s == BEGIN_S + 7200.0
    assert not spending.covers(BEGIN_S + 7199.0)
    assert spending.covers(BEGIN_S + 7200.0)


def test_without_entries_nothing_is_covered() -> None:
    """A sum of 0 over a time nobody looked at would be a lie."""
    assert Spending().begin_s is None
    assert not Spending().covers(BEGIN_S)
