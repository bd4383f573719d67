import pytest

from tests.e2e.exposition import Scrape
from tests.e2e.measured import Measured

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.mark.parametrize("socket", ["0", "1"])
def test_a_package_has_drawn_what_node_exporter_says(
    measured: Measured, socket: str
) -> None:
    """Who knows that exporter's RAPL counters finds the same joules in ours."""
    begin, end = measured.begin, measured.end
    if begin.node_exporter is None or end.node_exporter is None:
        pytest.skip("needs prometheus-node-exporter on PATH")

    theirs_j = _theirs_j(end.node_exporter, socket) - _theirs_j(
        begin.node_exporter, socket
    )
    ours = "jouled_device_energy_joules_total"
    ours_j = end.scrape.value(ours, device=f"package-{socket}") - begin.scrape.value(
        ours, device=f"package-{socket}"
    )
    assert theirs_j > 0
    assert ours_j == pytest.approx(theirs_j, abs=1e-5)


def _theirs_j(scrape: Scrape, socket: str) -> float:
    """Energy of one package; it shows the same one by the MMIO door as well."""
    (value,) = [
        value
        for labels, value in scrape.series("node_rapl_package_joules_total")
        if labels["path"].endswith(f"/intel-rapl:{socket}")
    ]
    return value
