import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.hub.budgets.budget import EMISSIONS
from exporter.hub.budgets.state_file import Kept, StateFile
from tests.fakes.budget_world import BudgetWorld, budget

Change = Callable[[dict[str, Any]], object]


def kept(folder: Path) -> Path:
    """Count for a while, and return the file that is kept then."""
    folder.mkdir(exist_ok=True)
    world = BudgetWorld(folder, budget("all"), budget("adas", tenant="ada"))
    world.live(90, grams=1.0)
    world.refresh()
    world.end()
    return folder / "budgets.json"


def main_of(data: dict[str, Any]) -> dict[str, Any]:
    """Return the tally in force within the content of a file."""
    tally = data["metrics"][EMISSIONS][0]
    assert isinstance(tally, dict)
    return tally


def set_in(*path: str | int, value: object) -> Change:
    """Make a change: another value at a place within the tally in force."""

    def change(data: dict[str, Any]) -> None:
        place: Any = main_of(data)
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def a_track(value: object) -> Change:
    """Make a change: other numbers of some series."""

    def change(data: dict[str, Any]) -> None:
        tracks = main_of(data)["tenants"]["tracks"]
        tracks[next(iter(tracks))] = value

    return change


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """To the last digit: sums go on from it for months."""
    path = kept(tmp_path)
    before = json.loads(path.read_bytes())

    tallies = StateFile(tmp_path).load()
    StateFile(tmp_path).save(tallies)

    assert json.loads(path.read_bytes()) == before
    assert path.stat().st_mode & 0o077 == 0
    assert sorted(tmp_path.iterdir()) == [path]


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    """The first start is no damage."""
    assert StateFile(tmp_path).load() == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.clear(),
        lambda data: data.update(version=0),
        lambda data: data.update(metrics=[]),
        lambda data: data["metrics"].update({EMISSIONS: []}),
        lambda data: data["metrics"].update({EMISSIONS: [1, None]}),
        lambda data: main_of(data).pop("nodes"),
        set_in("nodes", value=None),
        set_in("tenants", "at_s", value="soon"),
        set_in("tenants", "at_s", value=True),
        set_in("tenants", "at_s", value=5),
        set_in("nodes", "at_s", value=5),
        set_in("nodes", "tracks", value=[]),
        set_in("spending", value=[]),
        set_in("spending", value=None),
        set_in("spending", 0, value=[[], []]),
        set_in("spending", 0, 0, 0, value=5),
        set_in("spending", 0, 1, 0, 0, value=5.0),
        set_in("spending", 0, 1, 0, 2, value=-1.0),
        set_in("spending", 0, 1, 0, 2, value=float("nan")),
        set_in("spending", 0, 1, 0, value=[1.0]),
        set_in("spending", 1, 0, 1, 0, 1, value="=="),
        a_track([1.0]),
        a_track([1.0] * 7),
        a_track(None),
        a_track([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        a_track([float("inf"), 0.0, 0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_a_file_that_cannot_be_is_set_aside(
    tmp_path: Path, change: Change, caplog: pytest.LogCaptureFixture
) -> None:
    """Each number is looked at; what was there is kept for whoever wants to know."""
    path = kept(tmp_path)
    data = json.loads(path.read_bytes())
    change(data)
    path.write_text(json.dumps(data))
    damaged = path.read_bytes()

    assert StateFile(tmp_path).load() == {}

    assert path.with_suffix(".unusable").read_bytes() == damaged
    assert not path.exists()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_file_that_can_be_written_again_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once when it begins to fail, and once when that is over."""
    caplog.set_level(logging.INFO)
    file = StateFile(tmp_path)
    in_the_way = tmp_path / "budgets.json.new"
    in_the_way.mkdir()

    for _ in range(3):
        file.save({EMISSIONS: Kept(None, None)})
    in_the_way.rmdir()
    file.save({EMISSIONS: Kept(None, None)})

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "cannot keep" in said[0]
    assert "kept again" in said[1]
    assert file.load() == {EMISSIONS: Kept(None, None)}
