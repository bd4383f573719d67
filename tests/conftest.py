"""What all tests share: how thoroughly hypothesis looks, and what runs together."""

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

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

# One cluster of Slurm to a machine: its files follow each other.
_ONE_AFTER_THE_OTHER = ("tests/helm/", "tests/slurm/")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # the library has no types
    """Keeps a file's tests in one process where several run side by side."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((f for f in _ONE_AFTER_THE_OTHER if file.startswith(f)), file)


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: object
) -> LoadScopeScheduling:
    """Say which tests go together, whatever the command line says."""
    return _ByFile(config, log)
