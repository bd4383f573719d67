"""Dashboards as they are in ``grafana/dashboards/``, read and walked through."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.command_line import REPOSITORY

FOLDER = REPOSITORY / "grafana" / "dashboards"

# Panels that ask Prometheus nothing.
WITHOUT_DATA = frozenset({"row", "text"})

Json = Mapping[str, Any]

# $name, ${name}, ${name:format} and ${name.path}; not "$1" of label_replace().
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?:[.:\[][^}]*)?\}|([A-Za-z_]\w*))")


@dataclass(frozen=True)
class Dashboard:
    """One dashboard.

    Attributes:
        name: name of its file, without the ending.
        raw: what is in the file.
    """

    name: str
    raw: Json

    @property
    def uid(self) -> str:
        """What links call it."""
        return str(self.raw.get("uid", ""))

    def panels(self) -> list[Json]:
        """Return all panels and rows, those within closed rows too."""
        return [
            panel
            for outer in self.raw.get("panels", [])
            for panel in (outer, *outer.get("panels", []))
        ]

    def data_panels(self) -> list[Json]:
        """Return the panels that show what Prometheus answers."""
        return [panel for panel in self.panels() if panel["type"] not in WITHOUT_DATA]

    def variables(self) -> list[Json]:
        """Return its variables, in their order."""
        return list(self.raw.get("templating", {}).get("list", []))

    def annotations(self) -> list[Json]:
        """Return its queries for annotations."""
        return list(self.raw.get("annotations", {}).get("list", []))


@dataclass(frozen=True)
class Query:
    """A query of Prometheus, and where it stands.

    Attributes:
        place: which panel or annotation of which dashboard, for people.
        expression: PromQL with Grafana's variables in it.
        target: all of the target.
    """

    place: str
    expression: str
    target: Json


def dashboards() -> list[Dashboard]:
    """Return all dashboards, by the names of their files."""
    return [
        Dashboard(path.stem, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(FOLDER.glob("*.json"))
    ]


def place_of(dashboard: Dashboard, panel: Json) -> str:
    """Return the name of a panel for people."""
    return f"{dashboard.name}: {panel.get('title') or panel.get('id')}"


def panel_queries(dashboard: Dashboard) -> list[tuple[Json, Query]]:
    """Return each panel with each of its queries."""
    return [
        (panel, Query(place_of(dashboard, panel), target.get("expr", ""), target))
        for panel in dashboard.data_panels()
        for target in panel.get("targets", [])
    ]


def queries(dashboard: Dashboard) -> list[Query]:
    """Return all that is asked of Prometheus but for variables."""
    asked = [query for _, query in panel_queries(dashboard)]
    for annotation in dashboard.annotations():
        expression = annotation.get("expr") or annotation.get("target", {}).get("expr")
        if expression:
            place = f"{dashboard.name}: annotation {annotation.get('name')}"
            asked.append(Query(place, expression, annotation))
    return asked


def texts(node: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text within, with its path."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts(value, f"{path}.{key}")
    elif isinstance(node, Sequence):
        for index, value in enumerate(node):
            yield from texts(value, f"{path}[{index}]")


def objects(node: object) -> Iterator[Json]:
    """Yield every object within, itself included."""
    if isinstance(node, Mapping):
        yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from objects(value)


def variables_in(text: str) -> set[str]:
    """Return the names of the variables that a text uses."""
    return {found[1] or found[2] for found in _VARIABLE.finditer(text)}


def replace_variables(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of variables; one that is not known stays."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1] or found[2], found[0])

    return _VARIABLE.sub(value, text)


def query_of(variable: Json) -> str:
    """Return what a variable asks the data source; empty if it asks nothing."""
    query = variable.get("query", "")
    if isinstance(query, Mapping):
        query = query.get("query", "")
    return str(query) if variable.get("type") == "query" else ""
