import pytest

from tests.e2e.measured import Measured, measure


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Return a node's work between two rests; all its tests look at one run."""
    return measure(tmp_path_factory.mktemp("measured"))
