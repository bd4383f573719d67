import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.compiler import complaints
from tests.grafana.example import example
from tests.grafana.reading import FOLDER

# The first to come installs the compiler, on a machine that has none yet.
pytestmark = pytest.mark.timeout(800)

Break = Callable[[dict[str, Any]], object]


def defaults(raw: dict[str, Any]) -> dict[str, Any]:
    """Return what holds for all series of the graph."""
    found: dict[str, Any] = raw["panels"][0]["fieldConfig"]["defaults"]
    return found


def properties(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what holds for one column of the table."""
    overrides = raw["panels"][1]["fieldConfig"]["overrides"]
    found: list[dict[str, Any]] = overrides[0]["properties"]
    return found


# Each with a part of what the compiler says.
BROKEN: dict[str, tuple[Break, str]] = {
    "a key that no dashboard has": (
        lambda raw: raw.update(refreshEvery="1m"),
        "'\"refreshEvery\"' does not exist",
    ),
    "a text where a number belongs": (
        lambda raw: raw["panels"][0]["gridPos"].update(w="12"),
        "Type 'string' is not assignable to type 'number'",
    ),
    "a kind of panel that nobody has typed": (
        lambda raw: raw["panels"][0].update(type="graph"),
        "'\"graph\"' is not assignable",
    ),
    "an option that this kind of panel has not": (
        lambda raw: raw["panels"][0]["options"].update(colorMode="value"),
        "'\"colorMode\"' does not exist",
    ),
    "an option that is missing": (
        lambda raw: raw["panels"][0]["options"].pop("legend"),
        "'legend' is missing",
    ),
    "a value that an option has not": (
        lambda raw: raw["panels"][0]["options"]["tooltip"].update(mode="some"),
        "'\"some\"' is not assignable",
    ),
    "a look that this kind of panel has not": (
        lambda raw: defaults(raw).update(custom={"fillOpacty": 10}),
        "'\"fillOpacty\"' does not exist",
    ),
    "a mode of thresholds that is not there": (
        lambda raw: defaults(raw)["thresholds"].update(mode="relative"),
        "'\"relative\"' is not assignable",
    ),
    "a property of a column that no column has": (
        lambda raw: properties(raw).append({"id": "custom.breadth", "value": 100}),
        "'\"custom.breadth\"' is not assignable",
    ),
    "a property of a column with a value of another": (
        lambda raw: properties(raw).append({"id": "custom.width", "value": "wide"}),
        "Type 'string' is not assignable to type 'number",
    ),
    "a query that is of no kind": (
        lambda raw: raw["panels"][1]["targets"][0].update(format="tabular"),
        "'\"tabular\"' is not assignable",
    ),
    "a variable that is refreshed at a time that is not there": (
        lambda raw: raw["templating"]["list"][1].update(refresh="always"),
        "'string' is not assignable to type 'VariableRefresh",
    ),
}


def test_grafana_knows_all_that_a_dashboard_holds(tmp_path: Path) -> None:
    """Grafana passes over what it does not know, without a word."""
    texts = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.json")}

    assert complaints(tmp_path, texts) == ""


def test_the_compiler_tells_what_is_of_another_type(tmp_path: Path) -> None:
    """A check that finds nothing may as well not be there."""
    texts = {"whole": json.dumps(example())}
    names = {what: f"broken{number}" for number, what in enumerate(BROKEN)}
    for what, (break_it, _) in BROKEN.items():
        raw = example()
        break_it(raw)
        texts[names[what]] = json.dumps(raw)

    told = complaints(tmp_path, texts)

    # What goes on in the next line is set in.
    single = re.split(r"\n(?=\S)", told)
    assert "whole.ts" not in told
    for what, (_, expected) in BROKEN.items():
        of_it = [one for one in single if f"{names[what]}.ts" in one]
        assert any(expected in one for one in of_it), (what, of_it)
