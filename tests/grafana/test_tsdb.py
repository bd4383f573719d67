import shutil
from pathlib import Path

import pytest

from bench import tsdb
from tests.e2e.peers import Prometheus, started

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs prometheus on PATH"
)

BEGIN_S = 1_800_000_000 // tsdb.BLOCK_S * tsdb.BLOCK_S


def labels(**pairs: str) -> tsdb.Labels:
    """Write a series as the bench does."""
    return tuple(sorted({"__name__": "power_watts", **pairs}.items()))


def test_prometheus_reads_what_was_written(tmp_path: Path) -> None:
    """What the bench of dashboards measures rests on data of the right kind."""
    wandering = [100 + (n * 7919 % 1000) / 7 for n in range(960)]
    steady = [5.0] * 240
    courses = [tsdb.Course(15, wandering), tsdb.Course(60, steady)]
    series = {labels(instance=f"n{n}"): 0 for n in range(300)}
    series[labels(instance="steady", cluster="main")] = 1
    server = Prometheus(tmp_path / "prometheus", "global: {}")

    samples = tsdb.write(
        tmp_path / "prometheus" / "data", series, courses, BEGIN_S, blocks=2
    )

    assert samples == 300 * 960 + 240
    end_s = BEGIN_S + 2 * tsdb.BLOCK_S
    with started(server):
        [(_, count)] = server.query("count(power_watts)", end_s - 1)
        [(name, found)] = server.raw('power_watts{instance="n7"}', BEGIN_S - 1, end_s)
        [(_, rest)] = server.raw('power_watts{cluster="main"}', BEGIN_S - 1, end_s)
    assert count == 301
    assert name["instance"] == "n7"
    assert found == tuple((BEGIN_S + 15 * n, wandering[n]) for n in range(960))
    assert rest == tuple((BEGIN_S + 60 * n, 5.0) for n in range(240))
