"""Reads the YAML file of settings as text with line numbers.

Only the node graph of PyYAML's safe loader is used: no object is ever built
from a tag, aliases cost nothing, and every scalar keeps its line and its own
spelling. Plain scalars follow YAML 1.2, so that Norway's zone ``NO`` and
``model: off`` stay words and ``0x10`` or ``12:30`` are not numbers.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from exporter.config.texts import one_line
from exporter.core.errors import ConfigError

_MAX_BYTES = 1024 * 1024
_TAG_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the file, as it stands there.

    Attributes:
        key: ``name`` of the top level, or ``section.name``.
        text: its spelling without quotes; "" if it is no scalar.
        type: its YAML type: "str", "int", "float", "bool", "null", "map" …
        line: the line of its key, from 1.
    """

    key: str
    text: str
    type: str
    line: int


class _Loader(yaml.SafeLoader):
    """The safe loader with the plain scalars of YAML 1.2's core schema."""

    # A table of its own: the parents' would also hold dates, base 60 and "yes".
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name and shape


for _type, _pattern, _first in (
    ("null", r"|~|null|Null|NULL", ["", "~", "n", "N"]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.\d+|(0|[1-9]\d*)(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.inf|\.nan",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(
        _TAG_PREFIX + _type, re.compile(rf"(?:{_pattern})\Z", re.ASCII), _first
    )


def read_yaml(path: Path) -> tuple[Entry, ...]:
    """Read a file of settings.

    Args:
        path: a regular file of at most 1 MiB of UTF-8.

    Returns:
        Its values in order; a mapping with nothing in it is an entry too.

    Raises:
        ConfigError: it cannot be read, is not one YAML document, holds more
            than mappings of mappings, or says a thing twice.
    """
    text = _read_text(path)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = path if mark is None else f"{path}:{mark.line + 1}"
        problem = getattr(error, "problem", None) or "unreadable character"
        msg = f"{where}: not valid YAML: {problem}"
        raise ConfigError(msg) from error
    except RecursionError as error:
        msg = f"{path}: nested too deeply; sections hold values and nothing deeper"
        raise ConfigError(msg) from error
    if node is None or node.tag == f"{_TAG_PREFIX}null":
        return ()
    if not isinstance(node, yaml.MappingNode):
        msg = f"{path}:{_line(node)}: expected sections such as 'carbon:'"
        raise ConfigError(msg)
    return tuple(_entries(path, node))


def _read_text(path: Path) -> str:
    try:
        with _open_regular(path) as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}; check path and permissions"
        raise ConfigError(msg) from error
    if len(content) > _MAX_BYTES:
        msg = f"{path}: larger than 1 MiB; is it a file of settings?"
        raise ConfigError(msg)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"{path}:{line}: not UTF-8"
        raise ConfigError(msg) from error


def _open_regular(path: Path) -> BinaryIO:
    # Without O_NONBLOCK, opening a named pipe waits for a writer for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    msg = f"{path}: not a regular file; name a YAML file"
    raise ConfigError(msg)


def _entries(path: Path, document: yaml.MappingNode) -> Iterator[Entry]:
    # Shared by both levels: "carbon.zone: DE" must not meet "carbon: {zone: FR}".
    lines: dict[str, int] = {}
    for name, line, node in _pairs(path, document, "", lines):
        if isinstance(node, yaml.MappingNode) and node.value:
            for key, inner_line, inner in _pairs(path, node, f"{name}.", lines):
                yield _entry(key, inner_line, inner)
        else:
            yield _entry(name, line, node)


def _pairs(
    path: Path, node: yaml.MappingNode, prefix: str, lines: dict[str, int]
) -> Iterator[tuple[str, int, yaml.Node]]:
    for key_node, value in node.value:
        line = _line(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            msg = f"{path}:{line}: a key must be a word"
            raise ConfigError(msg)
        key = prefix + key_node.value
        if key in lines:
            msg = (
                f"{path}:{line}: {one_line(key)}: already given"
                f" in line {lines[key]}; keep one"
            )
            raise ConfigError(msg)
        lines[key] = line
        yield key, line, value


def _entry(key: str, line: int, node: yaml.Node) -> Entry:
    text = node.value if isinstance(node, yaml.ScalarNode) else ""
    return Entry(key, text, node.tag.removeprefix(_TAG_PREFIX), line)


def _line(node: Any) -> int:  # noqa: ANN401 - PyYAML's marks are untyped
    return int(node.start_mark.line) + 1
