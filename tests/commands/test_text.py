import pytest

from exporter.commands.text import cut, harmless, width
from tests.fakes.records import NASTY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train é 日本 ☃ \"'", "train é 日本 ☃ \"'"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\r\tc\x07\x00", r"a\nb\r\tc\x07\x00"),
        ("\x9b1m", r"\x9b1m"),
        ("\u202egpj", r"\u202egpj"),
        ("\U000e0041", r"\U000e0041"),
        ("\udc80", r"\udc80"),
        ("", ""),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: str, expected: str) -> None:
    """Whoever names a job may not paint on an administrator's screen."""
    assert harmless(text) == expected
    assert harmless(text).isprintable()


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("日本", 4), ("é", 1), ("e\u0301", 1), ("☃", 1)],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, columns: int) -> None:
    """Else the columns of a table do not stand below each other."""
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abc…"),
        ("日本語", 6, "日本語"),
        ("日本語", 4, "日…"),
        ("日本語", 1, "…"),
    ],
)
def test_a_text_is_cut_visibly(text: str, columns: int, expected: str) -> None:
    """And never through the middle of a letter."""
    assert cut(text, columns) == expected


@pytest.mark.parametrize("columns", range(1, 40))
def test_a_cut_text_fits(columns: int) -> None:
    """Whatever is in it."""
    assert width(cut(harmless(NASTY), columns)) <= columns
