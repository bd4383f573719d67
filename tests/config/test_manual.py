import os
import subprocess
import sys
from pathlib import Path

from exporter.config import SETTINGS, describe

MANUAL = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_manual_is_not_stale() -> None:
    """It is generated from the table; ``make docs`` writes it anew."""
    assert MANUAL.read_text() == describe()


def test_the_manual_names_every_setting_in_all_three_ways() -> None:
    """Whoever knows one name finds the others."""
    text = describe()

    for setting in SETTINGS:
        assert f"`{setting.flag}`" in text
        assert f"`{setting.variable}`" in text
        assert f"`{setting.key}`" in text or not setting.in_file


def test_running_the_package_prints_the_manual() -> None:
    """This is what ``make docs`` calls."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter.config"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=MANUAL.parents[1],
        env=os.environ,
    )

    assert done.stdout == describe()
