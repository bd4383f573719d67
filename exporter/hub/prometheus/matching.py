"""Whose work a budget counts: matchers on the labels of a tenant's counter. Pure.

Labels are compared as Prometheus compares them: one that is missing is the empty
text, and a regular expression has to match all of a value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Labels = Mapping[str, str]
Operator = Literal["=", "!=", "=~", "!~"]

LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label.

    Attributes:
        label: name of the label.
        operator: how it is compared: with one of ``values``, with none of them,
            or the same with them as regular expressions.
        values: at least one.

    Raises:
        ValueError: there is no such label, no value, or no such expression.
    """

    label: str
    operator: Operator
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not LABEL_NAME.fullmatch(self.label) or self.label.startswith("__"):
            msg = "no label has such a name"
            raise ValueError(msg)
        if not self.values:
            msg = "it names no value"
            raise ValueError(msg)
        if self.operator in {"=~", "!~"}:
            _compiled(self.values)

    def matches(self, value: str) -> bool:
        """Whether a label of this value fulfils it."""
        if self.operator in {"=", "!="}:
            found = value in self.values
        else:
            found = any(each.fullmatch(value) for each in _compiled(self.values))
        return found == (self.operator in {"=", "=~"})

    def promql(self) -> str:
        """Write it as PromQL has it."""
        if self.operator in {"=", "!="} and len(self.values) == 1:
            return f"{self.label}{self.operator}{quoted(self.values[0])}"
        sign = "=~" if self.operator in {"=", "=~"} else "!~"
        plain = self.operator in {"=", "!="}
        values: Iterable[str] = map(regex_of, self.values) if plain else self.values
        if len(self.values) > 1 and not plain:
            # A flag such as (?i) inside would hold for all that follows.
            values = (f"(?:{value})" for value in self.values)
        return f"{self.label}{sign}{quoted('|'.join(values))}"


Matchers = tuple[Matcher, ...]


def selector(metric: str, matchers: Iterable[Matcher] = ()) -> str:
    """Write a selector of series in PromQL."""
    inner = ",".join(matcher.promql() for matcher in matchers)
    return f"{metric}{{{inner}}}" if inner else metric


def quoted(text: str) -> str:
    """Write a text as a string of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def regex_of(text: str) -> str:
    """Write the expression that matches exactly a text, in Go as in Python."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


class Sorter:
    """Tells of any series which selections count it, and remembers.

    A cluster has many series and few users: what was found for one combination
    of the labels that matter holds for all series that have it.

    Args:
        selections: conditions that all have to be fulfilled, one tuple for each.
    """

    def __init__(self, selections: Iterable[Matchers]) -> None:
        self._selections = tuple(selections)
        self._names = tuple(
            dict.fromkeys(
                matcher.label for matchers in self._selections for matcher in matchers
            )
        )
        self._known: dict[tuple[str, ...], tuple[int, ...]] = {}

    def sort(self, labels: Labels) -> tuple[int, ...]:
        """Return the numbers of the selections that count a series."""
        values = tuple([labels.get(name, "") for name in self._names])
        found = self._known.get(values)
        if found is None:
            found = self._known[values] = self._find(
                dict(zip(self._names, values, strict=True))
            )
        return found

    def _find(self, labels: Labels) -> tuple[int, ...]:
        return tuple(
            number
            for number, matchers in enumerate(self._selections)
            if all(matcher.matches(labels[matcher.label]) for matcher in matchers)
        )


def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    # Python keeps compiled expressions by their text, so this is a look-up.
    try:
        return tuple(re.compile(pattern, re.DOTALL) for pattern in patterns)
    except (re.error, RecursionError, OverflowError) as error:
        msg = f"it is no regular expression: {error}"
        raise ValueError(msg) from error
