"""One real Slurm cluster for all tests that are content with a plain one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.slurm_cluster import SlurmCluster, missing
from tests.fakes.slurm_config import write_hooks
from tests.slurm.site import Figures, Site

_FIGURES = Figures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured."""
    if _FIGURES.lines:
        terminalreporter.section("measured on a real Slurm node")
        for line in _FIGURES.lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures() -> Figures:
    """Return what takes figures for the end of the report."""
    return _FIGURES


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
def answers(shared_cluster: SlurmCluster) -> Path:
    """Return a new directory that the jobs of every user may write to."""
    directory = Path(tempfile.mkdtemp(dir=shared_cluster.directory))
    directory.chmod(0o777)
    return directory


@pytest.fixture(scope="session")
def shared_site(
    shared_cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Run a daemon on the node of the cluster."""
    site = Site(shared_cluster, tmp_path_factory.mktemp("site"))
    with site.running():
        yield site


@pytest.fixture
def site(shared_site: Site, cluster: SlurmCluster) -> Iterator[Site]:
    """Return the node under the daemon, whose sums have to be right at any time."""
    assert shared_site.cluster is cluster
    with shared_site.scenario():
        yield shared_site
