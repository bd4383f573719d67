"""A real helm, fetched once."""

from pathlib import Path

import pytest

from scripts.helm import NoHelmError, helm
from tests.fakes.chart import Chart, Rendered


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    """Return the chart of this repository."""
    try:
        program = helm()
    except NoHelmError as error:
        pytest.skip(str(error))
    return Chart(program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def default(chart: Chart) -> Rendered:
    """Return what the default values make."""
    return chart.objects()


@pytest.fixture(scope="session")
def packaged(chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the chart as one file, as one hands it on."""
    directory = tmp_path_factory.mktemp("package")
    done = chart.run("package", chart.path, "--destination", directory)
    assert done.returncode == 0, done.stderr
    [package] = directory.glob("*.tgz")
    return package
