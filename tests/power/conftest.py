"""Tests that need a real GPU run only when they are asked for."""

import pytest


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Deselect what is marked ``gpu``, unless ``-m`` says something about it.

    Not skipped where there is no driver: whoever asks for it shall see it fail.
    """
    if "gpu" in config.option.markexpr:
        return
    real = [item for item in items if item.get_closest_marker("gpu") is not None]
    if real:
        items[:] = [item for item in items if item not in real]
        config.hook.pytest_deselected(items=real)
