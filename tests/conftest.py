"""What all tests share: how thoroughly hypothesis looks, and what runs together."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Neither has a deadline per example: a machine may be busy with something else.
settings.register_profile(
    "local",
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "ci", settings.get_profile("local"), max_examples=100, derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "local")

_HERE = Path(__file__).parent
# One cluster of Slurm to a machine: its files follow each other.
_ONE_AFTER_THE_OTHER = frozenset({"helm", "slurm"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process where several run side by side."""
    for item in items:
        place = item.path.relative_to(_HERE)
        folder = place.parts[0]
        group = folder if folder in _ONE_AFTER_THE_OTHER else str(place)
        item.add_marker(pytest.mark.xdist_group(group))
