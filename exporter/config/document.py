"""A YAML mapping that knows in which line each of its keys stands.

Such files may hold tokens and hashes of passwords: no message quotes a value.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import yaml

from exporter.config.values import duration
from exporter.core.errors import ConfigError

_LARGEST_BYTES = 1 << 20
_NULL = "tag:yaml.org,2002:null"
_BOOLEAN = {"true": True, "false": False}
# What the parser quotes of the text; a single character gives nothing away.
_QUOTED = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"")


class Section:
    """One mapping of a document; every complaint names file, line and key."""

    def __init__(self, path: Path, line: int, node: yaml.MappingNode | None) -> None:
        """Index the keys of a mapping; ``None`` is an empty one.

        Raises:
            ConfigError: a key is there twice, or is no plain word.
        """
        self._path = path
        self._line = line
        self._nodes: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value if node is not None else ():
            here = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                msg = f"{path}:{here}: a key has to be a word"
                raise ConfigError(msg)
            if key.value in self._nodes:
                self.refuse(key.value, f"is there again in line {here}; keep one")
            self._nodes[key.value] = (here, value)

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def __contains__(self, key: str) -> bool:
        return key in self._nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    @property
    def path(self) -> Path:
        """The file it is in."""
        return self._path

    def place(self, key: str) -> str:
        """Name file and line of a key, for the begin of a message."""
        line = self._nodes[key][0] if key in self._nodes else self._line
        return f"{self._path}:{line}"

    def refuse(self, key: str, complaint: str) -> NoReturn:
        """Refuse what a key says.

        Raises:
            ConfigError: always; it names file, line and key.
        """
        msg = f"{self.place(key)}: {key}: {complaint}"
        raise ConfigError(msg)

    def only(self, *known: str) -> None:
        """Refuse every key but these.

        Raises:
            ConfigError: there is another one.
        """
        for key in self._nodes:
            if key not in known:
                self.refuse(key, f"unknown key; known here: {', '.join(known)}")

    def section(self, key: str) -> "Section":
        """Return a mapping within; empty if it is absent or null.

        Raises:
            ConfigError: it is something else.
        """
        node = self._node(key)
        if node is not None and not isinstance(node, yaml.MappingNode):
            self.refuse(key, "has to hold further keys")
        line = self._nodes[key][0] if key in self._nodes else self._line
        return Section(self._path, line, node)

    def sections(self, key: str) -> "tuple[Section, ...]":
        """Return a list of mappings; empty if it is absent or null.

        Raises:
            ConfigError: it is something else.
        """
        node = self._node(key)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(key, "has to be a list")
        found = []
        for item in node.value:
            line = item.start_mark.line + 1
            if not isinstance(item, yaml.MappingNode):
                msg = f"{self._path}:{line}: {key}: an item has to hold keys"
                raise ConfigError(msg)
            found.append(Section(self._path, line, item))
        return tuple(found)

    def holds_keys(self, key: str) -> bool:
        """Whether there is a mapping within, of that name."""
        return isinstance(self._node(key), yaml.MappingNode)

    def text(self, key: str) -> str:
        """Return a string; "" if it is absent or null.

        Raises:
            ConfigError: it is something else.
        """
        node = self._node(key)
        return "" if node is None else self._scalar(key, node)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; empty if it is absent or null.

        Raises:
            ConfigError: it is something else.
        """
        node = self._node(key)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(key, "has to be a list")
        return tuple(self._scalar(key, item) for item in node.value)

    def texts_or_text(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, or the one string there is in place of a list.

        Raises:
            ConfigError: it is something else.
        """
        if isinstance(self._node(key), yaml.ScalarNode):
            return (self.text(key),)
        return self.texts(key)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a boolean.

        Raises:
            ConfigError: it is something else.
        """
        said = self.text(key)
        if not said:
            return default
        if said.lower() not in _BOOLEAN:
            self.refuse(key, "has to be true or false")
        return _BOOLEAN[said.lower()]

    def file(self, key: str) -> Path | None:
        """Return the path of a file; ``None`` if it is absent.

        Raises:
            ConfigError: it can be none.
        """
        said = self.text(key)
        if "\0" in said or (not said and key in self):
            self.refuse(key, "has to be the path of a file")
        return Path(said) if said else None

    def duration(
        self, key: str, otherwise: float, bounds: tuple[float, float]
    ) -> float:
        """Return a duration within bounds, s; ``otherwise`` if it is absent or null.

        Raises:
            ConfigError: it is something else.
        """
        said = self.text(key)
        if not said:
            return otherwise
        kind = duration(*bounds)
        try:
            return kind.parse(said)
        except ValueError:
            self.refuse(key, f"expected {kind.expected}")

    def _node(self, key: str) -> yaml.Node | None:
        node = self._nodes[key][1] if key in self._nodes else None
        return None if node is None or node.tag == _NULL else node

    def _scalar(self, key: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(key, "has to be one value")
        text: str = node.value
        return text


def read_document(path: Path, what: str, example: str) -> Section:
    """Read a YAML file whose top is a mapping, or that is empty.

    Args:
        path: the file.
        what: what it should be, for messages, such as "web configuration".
        example: a key that such a file may have at its top.

    Raises:
        ConfigError: it cannot be read, is too large, or is no such YAML.
    """
    try:
        # Opening a named pipe would wait for a writer for ever.
        if not path.is_file():
            msg = f"{path}: no such file; name a {what}, YAML"
            raise ConfigError(msg)
        with path.open("rb") as file:
            raw = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}; check path and permissions"
        raise ConfigError(msg) from error
    if len(raw) > _LARGEST_BYTES:
        msg = f"{path}: larger than 1 MiB; is it a {what}?"
        raise ConfigError(msg)
    node = _compose(path, raw)
    if node is not None and not isinstance(node, yaml.MappingNode):
        msg = f"{path}: expected sections such as '{example}:'"
        raise ConfigError(msg)
    return Section(path, 1, node)


def _compose(path: Path, raw: bytes) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(
            raw.decode("utf-8"), Loader=yaml.SafeLoader
        )
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        # Not all of the error: it shows the line, and with it what may be a token.
        mark = getattr(error, "problem_mark", None)
        where = path if mark is None else f"{path}:{mark.line + 1}"
        problem = getattr(error, "problem", None) or "not text, or nested too deeply"
        msg = f"{where}: not valid YAML: {_QUOTED.sub('(…)', problem)}"
        raise ConfigError(msg) from None
    return None if node is None or node.tag == _NULL else node
