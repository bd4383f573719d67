"""One real Slurm cluster for all tests that are content with a plain one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.slurm_cluster import SlurmCluster, missing
from tests.fakes.slurm_config import write_hooks


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[SlurmCluster]:
    """Run a cluster with two GPUs; skip where there can be none."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with SlurmCluster() as running:
        yield running


@pytest.fixture
def cluster(shared_cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    """Return the cluster; the hooks of a test are taken out at its end."""
    yield shared_cluster
    write_hooks(shared_cluster.layout)


@pytest.fixture
def answers(cluster: SlurmCluster) -> Path:
    """Return a new directory that the jobs of every user may write to."""
    directory = Path(tempfile.mkdtemp(dir=cluster.directory))
    directory.chmod(0o777)
    return directory
