"""Servers that are played for these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.cluster_server import PlayedCluster, played_cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[PlayedCluster]:
    """Play an API server."""
    with played_cluster(tmp_path / "cluster") as cluster:
        yield cluster
