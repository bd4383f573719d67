import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.yaml_file import Entry, read_yaml
from exporter.core.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "jouled.yml"


def test_entries_carry_the_line_of_their_key(file: Path) -> None:
    """An alias stands elsewhere than its anchor, and the key is what is edited."""
    file.write_text("a: &x 1\nb:\n  c: *x\n  d: 'q'\ne: {}\n")

    entries = read_yaml(file)

    assert entries == (
        Entry("a", "1", "int", 1),
        Entry("b.c", "1", "int", 3),
        Entry("b.d", "q", "str", 4),
        Entry("e", "", "map", 5),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~", "null", "{}"])
def test_a_file_that_says_nothing_has_no_entries(file: Path, text: str) -> None:
    """A file in which everything is commented out is a fine start."""
    file.write_text(text)

    assert read_yaml(file) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pue: 1\npue: 2\n", "2: pue: already given in line 1"),
        ("a:\n  b: 1\n  b: 2\n", "3: a.b: already given in line 2"),
        ("a: {b: 1}\na: {c: 2}\n", "2: a: already given in line 1"),
        ("a: {b: 1}\na.b: 2\n", "2: a.b: already given in line 1"),
        ("'\\n': 1\n'\\n': 2\n", "already given"),
        ("? [a]\n: 1\n", "1: a key must be a word"),
        ("- a\n", "1: expected sections"),
        ("text", "1: expected sections"),
        ("a: 1\n---\nb: 2\n", "2: not valid YAML"),
        ("a: 1\n b: 2\n", "2: not valid YAML"),
        ("a: *nowhere\n", "1: not valid YAML"),
        ("a: \x07\n", "not valid YAML"),
        ("a: [\n", "not valid YAML"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_not_two_levels_of_distinct_keys_is_refused(
    file: Path, text: str, message: str
) -> None:
    """Of two values for one key, nobody knows which was meant."""
    file.write_text(text)

    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read_yaml(file)

    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_upon_aliases_cost_nothing(file: Path) -> None:
    """A kilobyte cannot be made to stand for a billion values."""
    levels = [f"l{i}: &l{i} {{<<: [*l{i - 1}, *l{i - 1}]}}" for i in range(1, 60)]
    file.write_text("l0: &l0 {a: b}\n" + "\n".join(levels))

    assert len(read_yaml(file)) == 60


def test_a_file_that_contains_itself_is_read_without_end(file: Path) -> None:
    """An alias to its own parent is legal YAML."""
    file.write_text("a: &a {b: *a}\n")

    assert read_yaml(file) == (Entry("a.b", "", "map", 1),)


def test_a_file_over_a_mebibyte_is_refused(file: Path) -> None:
    """A log named by mistake is not read to its end."""
    file.write_text("#" * (1024 * 1024) + "\n")

    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        read_yaml(file)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(file: Path) -> None:
    """The line is where an editor in another encoding left its mark."""
    file.write_bytes(b"pue: 1\n# \xff\n")

    with pytest.raises(ConfigError, match=r":2: not UTF-8"):
        read_yaml(file)


def test_a_missing_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A named file that is not there is not the same as no file."""
    with pytest.raises(ConfigError, match=r"none\.yml: cannot be read: No such file"):
        read_yaml(tmp_path / "none.yml")


def test_a_pipe_or_directory_is_refused_at_once(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would wait for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(ConfigError, match="not a regular file"):
        read_yaml(pipe)
    with pytest.raises(ConfigError, match="not a regular file"):
        read_yaml(tmp_path)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_content_fails_otherwise(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is in the file, the answer is entries or one line."""
    file = tmp_path_factory.mktemp("any") / "jouled.yml"
    file.write_bytes(content)

    try:
        entries = read_yaml(file)
    except ConfigError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - either end is right
    else:
        assert all(entry.line >= 1 for entry in entries)
