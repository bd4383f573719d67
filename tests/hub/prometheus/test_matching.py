import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.hub.prometheus.matching import (
    Matcher,
    Operator,
    Sorter,
    regex_of,
    selector,
)

ADA = {"tenant": "physics", "user": "ada", "cluster": "gpu-1"}


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [
        ("=", ("ada",), True),
        ("=", ("bob", "ada"), True),
        ("=", ("bob",), False),
        ("!=", ("ada",), False),
        ("!=", ("bob", "eve"), True),
        ("=~", ("a.a",), True),
        ("=~", ("a",), False),
        ("=~", ("b.*", "a.*"), True),
        ("!~", ("a.*",), False),
        ("!~", ("b.*",), True),
    ],
)
def test_a_matcher_compares_as_prometheus_does(
    operator: Operator,
    values: tuple[str, ...],
    matches: bool,  # noqa: FBT001 - a row of the table above
) -> None:
    """A regular expression has to match all of the value."""
    assert Matcher("user", operator, values).matches("ada") is matches


def test_a_label_that_is_missing_is_the_empty_text() -> None:
    """Pods have no user; a budget may ask for exactly that."""
    nobody = (Matcher("user", "=", ("",)),)
    somebody = (Matcher("user", "!=", ("",)),)

    assert Sorter([nobody, somebody]).sort({"tenant": "web"}) == (0,)


def test_series_are_sorted_by_all_matchers_of_each_selection() -> None:
    """Budgets may overlap and lie within each other."""
    physics = Matcher("tenant", "=", ("physics",))
    sorter = Sorter([(), (physics,), (physics, Matcher("user", "=", ("bob",)))])

    assert sorter.sort(ADA) == (0, 1)
    assert sorter.sort({**ADA, "user": "bob"}) == (0, 1, 2)
    assert sorter.sort({**ADA, "tenant": "art"}) == (0,)


@pytest.mark.parametrize(
    ("matcher", "promql"),
    [
        (Matcher("user", "=", ("ada",)), 'user="ada"'),
        (Matcher("user", "!=", ("a", "b.c")), 'user!~"a|b\\\\.c"'),
        (Matcher("user", "=~", ("a.*",)), 'user=~"a.*"'),
        (Matcher("user", "!~", ("(?i)a", "b")), 'user!~"(?:(?i)a)|(?:b)"'),
        (Matcher("user", "=", ('"\\\n',)), 'user="\\"\\\\\\n"'),
    ],
)
def test_a_matcher_is_written_in_promql(matcher: Matcher, promql: str) -> None:
    """What a person sees in a check is what can be pasted into Prometheus."""
    assert matcher.promql() == promql


def test_a_selector_without_matchers_is_the_name_alone() -> None:
    """Braces around nothing would only puzzle."""
    assert selector("up") == "up"
    assert selector("up", [Matcher("job", "=", ("x",))]) == 'up{job="x"}'


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_an_escaped_text_matches_itself_alone(text: str) -> None:
    """A node may be called anything."""
    assert re.fullmatch(regex_of(text), text)
    assert not re.fullmatch(regex_of(text), f"{text}x")


@pytest.mark.parametrize(
    ("label", "operator", "values", "complaint"),
    [
        ("us er", "=", ("a",), "no label"),
        ("__name__", "=", ("a",), "no label"),
        ("user", "=", (), "no value"),
        ("user", "=~", ("(",), "no regular expression"),
    ],
)
def test_an_impossible_matcher_cannot_be_built(
    label: str, operator: Operator, values: tuple[str, ...], complaint: str
) -> None:
    """A budget that counts nobody looks like a thrifty one."""
    with pytest.raises(ValueError, match=complaint):
        Matcher(label, operator, values)
