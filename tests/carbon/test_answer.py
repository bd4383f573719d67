import pytest

from exporter.carbon import answer
from exporter.carbon.errors import NonsenseError


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "{", "", "1 2", "[" * 100_000])
def test_what_is_no_json_is_nonsense(text: str) -> None:
    """Python alone takes NaN for JSON."""
    with pytest.raises(NonsenseError, match="not JSON"):
        answer.parse_json(text)


def test_a_member_is_found_by_name_and_index() -> None:
    """And named when it is not there."""
    data = {"a": [{"b": 1}, {"b": 2}]}

    assert answer.member(data, "a", -1, "b") == 2
    with pytest.raises(NonsenseError, match=r"no a\.2"):
        answer.member(data, "a", 2)
    with pytest.raises(NonsenseError, match=r"no a\.b"):
        answer.member(data, "a", "b")
    with pytest.raises(NonsenseError, match="no 0"):
        answer.member(data, 0)


@pytest.mark.parametrize(
    "value", [True, "1", [], {}, 10**400, float("nan"), float("inf")]
)
def test_what_is_no_number_is_not_made_one(value: object) -> None:
    """Python takes true for 1."""
    with pytest.raises(NonsenseError):
        answer.number({"a": value}, "a")


def test_null_is_a_number_only_for_who_expects_it() -> None:
    """It stands for what is not known yet."""
    assert answer.number_or_none({"a": None}, "a") is None
    with pytest.raises(NonsenseError, match="a is null"):
        answer.number({"a": None}, "a")


@pytest.mark.parametrize(
    ("written", "unix_s"),
    [
        ("2026-11-22T10:40:00.000Z", 1_795_344_000.0),
        ("2026-11-22T10:40Z", 1_795_344_000.0),
        ("2026-11-22T11:40:00+01:00", 1_795_344_000.0),
    ],
)
def test_a_moment_is_read_with_its_offset(written: str, unix_s: float) -> None:
    """An hour of difference is another price of carbon."""
    assert answer.moment(written) == unix_s


@pytest.mark.parametrize(
    "written",
    ["2026-11-22T10:40:00", "2026-11-22", "yesterday", "", "2026-13-01T00:00Z", 7],
)
def test_a_moment_without_offset_or_sense_is_nonsense(written: object) -> None:
    """It is not guessed."""
    with pytest.raises(NonsenseError):
        answer.moment({"at": written}, "at")


def test_a_moment_without_offset_is_utc_where_that_was_asked_for() -> None:
    """As of Energi Data Service."""
    naive = "2026-11-22T10:40:00"

    assert answer.moment(naive, naive_is_utc=True) == 1_795_344_000.0


def test_texts_lists_and_flags_are_what_they_should_be() -> None:
    """Or they are nonsense by name."""
    data = {"a": 1, "b": None}

    assert answer.flag({}, "a") is False
    assert answer.flag(data, "b") is False
    for read in (answer.text, answer.rows):
        with pytest.raises(NonsenseError, match="a is not"):
            read(data, "a")
    with pytest.raises(NonsenseError, match="neither true nor false"):
        answer.flag(data, "a")
