import time
from collections.abc import Iterable

import pytest
from prometheus_client import Metric as ClientMetric
from prometheus_client.process_collector import ProcessCollector

from exporter.exposition.process_metrics import ProcessMetrics

# Files that the interpreter may open and close between two looks.
_FEW = 16


def reference() -> dict[str, ClientMetric]:
    """Return what prometheus_client tells of this process, by family."""
    collected: Iterable[ClientMetric] = ProcessCollector(registry=None).collect()
    return {metric.name: metric for metric in collected}


def values() -> dict[str, float]:
    """Return what we tell of it, by metric."""
    found = ProcessMetrics().families()
    return {metric.name: samples[0][1] for metric, samples in found}


def test_names_types_and_help_are_those_of_prometheus_client() -> None:
    """Dashboards of all the world know these metrics."""
    ours = {
        metric.family: (metric.type, metric.help)
        for metric, _ in ProcessMetrics().families()
    }

    assert ours == {
        name: (metric.type, metric.documentation)
        for name, metric in reference().items()
    }


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("process_resident_memory_bytes", 2**26),
        ("process_virtual_memory_bytes", 2**28),
        # Of the boot it knows the second only.
        ("process_start_time_seconds", 2.0),
        ("process_open_fds", _FEW),
        ("process_max_fds", 0),
    ],
)
def test_a_value_is_that_of_prometheus_client(name: str, within: float) -> None:
    """No unit is lost between /proc and us."""
    (sample,) = reference()[name].samples

    assert values()[name] == pytest.approx(sample.value, abs=within, rel=0)


def test_cpu_time_is_that_of_the_whole_process() -> None:
    """It lies between two looks at the process's own clock."""
    before_s = time.process_time()
    told_s = values()["process_cpu_seconds_total"]

    assert before_s <= told_s <= time.process_time()
