import json

import pytest

from grafana.jouled_dashboards.catalogue import DASHBOARDS, FOLDER, texts

every_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


@every_dashboard
def test_the_json_is_as_new_as_its_python(name: str) -> None:
    """Sites take the JSON; "make dashboards" makes it anew."""
    written = (FOLDER / name).read_text(encoding="utf-8")

    assert written == texts()[name]


def test_every_json_has_its_python() -> None:
    """A dashboard that nobody makes any more would stay as it is for ever."""
    assert {path.name for path in FOLDER.iterdir()} == set(DASHBOARDS)


@every_dashboard
def test_making_a_dashboard_twice_makes_the_same(name: str) -> None:
    """Panels keep their numbers, which links to a single panel name."""
    first, second = texts()[name], texts()[name]

    assert first == second
    panels = json.loads(first)["panels"]
    panels += [inner for panel in panels for inner in panel.get("panels", ())]
    numbers = [panel["id"] for panel in panels]
    assert len(set(numbers)) == len(numbers)
