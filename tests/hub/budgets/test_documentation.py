import re
from pathlib import Path

import pytest

from exporter.config.document import read_document
from exporter.hub.budgets.plan import BudgetPlan
from exporter.hub.budgets.reading import read_plan
from tests.fakes.command_line import REPOSITORY

MANUAL = (REPOSITORY / "docs" / "budgets.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHOLE = [
    text for text in YAML.findall(MANUAL) + YAML.findall(README) if "budgets" in text
]


def read(folder: Path, text: str) -> BudgetPlan:
    """Read a file with this text."""
    file = folder / "hub.yml"
    file.write_text(text)
    return read_plan(read_document(file, "file of a hub", "budgets"))


@pytest.mark.parametrize("example", WHOLE)
def test_every_example_is_accepted(tmp_path: Path, example: str) -> None:
    """Who copies it has a budget."""
    assert len(read(tmp_path, example).budgets) >= 1


def test_every_way_to_match_is_accepted(tmp_path: Path) -> None:
    """That example is a part of a budget."""
    (part,) = [text for text in YAML.findall(MANUAL) if text not in WHOLE]
    head = "prometheus: {url: http://p}\nbudgets:\n  - name: b\n"

    found = read(tmp_path, f"{head}    amount: 1kg\n    period: week\n{part}")

    assert len(found.budgets[0].matchers) == 5
