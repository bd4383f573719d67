import pytest

from exporter.config.moments import parse_moment

# 2026-03-20 12:00:00 UTC.
NOON_S = 1_774_008_000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOON_S),
        ("0s", NOON_S),
        ("7d", NOON_S - 7 * 86_400),
        ("1h30m", NOON_S - 5400),
        ("36500d", 0.0),
        ("2026-03-20", NOON_S - 43_200),
        ("2026-03-20T12:00", NOON_S),
        ("2026-03-20 12:00:00", NOON_S),
        ("2026-03-20T13:00:00+01:00", NOON_S),
        ("2026-03-20T12:00:00Z", NOON_S),
        ("1774008000", NOON_S),
        ("1774008000.25", NOON_S + 0.25),
        ("1700-01-01", 0.0),
    ],
)
def test_a_moment_is_written_as_people_do(text: str, expected: float) -> None:
    """In UTC, unless it says otherwise, like every time that we show."""
    assert parse_moment(text, NOON_S) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026",
        "-7d",
        "7",
        "2026-13-01",
        "1e9",
        "\u0667d",
        "9" * 12,
        "2026-03-20T13:00 01:00",
        "nan",
        "inf",
        "x" * 10**6,
        "2026-03-20\n",
    ],
)
def test_anything_else_is_refused_with_what_is_expected(text: str) -> None:
    """A moment that is misread would quietly give other jobs."""
    with pytest.raises(ValueError, match="expected a time such as 7d") as caught:
        parse_moment(text, NOON_S)

    assert len(str(caught.value)) < 200
