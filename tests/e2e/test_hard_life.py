import re
import shutil
from collections.abc import Iterator
from math import fsum

import pytest

from tests.e2e.hard_life import (
    DEVICE,
    GPU_W,
    HANG_S,
    QUIET_S,
    WRAPS_WITHIN_J,
    Life,
    Window,
    lived,
)
from tests.e2e.node import ZONES

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs prometheus on PATH"
    ),
]

UNMEASURED = "jouled_unmeasured_seconds_total"
RAPL = tuple(ZONES.values())


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Give the one hard life that all tests look back on."""
    with lived(tmp_path_factory.mktemp("life")) as life:
        yield life


def counters(life: Life) -> list[str]:
    """Names of all counters of ours that Prometheus knows."""
    names = life.prometheus.names()
    return [name for name in names if re.fullmatch(r"jouled_\w+_total", name)]


def counted_j(life: Life, device: str) -> float:
    """Energy of a device from the beginning to the end, J."""
    end_j = life.end.value(DEVICE, device=device)
    return end_j - life.begin.value(DEVICE, device=device)


def over(window: Window, function: str, selector: str) -> str:
    """Write a function over a window, to be evaluated at its end."""
    return f"{function}({selector}[{round((window.end_s - window.begin_s) * 1e3)}ms])"


def one(life: Life, window: Window, function: str, selector: str) -> float:
    """Evaluate a function over a window of one series."""
    found = life.prometheus.query(over(window, function, selector), window.end_s)
    ((_, value),) = found
    return value


# --- counters ---------------------------------------------------------------


def test_no_counter_ever_falls(life: Life) -> None:
    """A counter that falls is energy invented by every ``increase()`` over it."""
    window = life.windows["life"]

    names = counters(life)

    assert DEVICE in names
    for name in names:
        for labels, points in life.prometheus.raw(name, window.begin_s, window.end_s):
            values = [value for _, value in points]
            assert values == sorted(values), f"{name} {labels}"


def test_prometheus_sees_no_reset(life: Life) -> None:
    """What it makes of the scrapes is what counts in the end."""
    window = life.windows["life"]

    for name in counters(life):
        resets = life.prometheus.query(over(window, "resets", name), window.end_s)
        assert [(labels, count) for labels, count in resets if count] == [], name


def test_counters_stand_still_in_a_quiet_time(life: Life) -> None:
    """Nothing drawn is no reason to start again, nor to vanish."""
    window = life.windows["quiet"]

    for device in (*RAPL, *life.gpus):
        selector = f"{DEVICE}{{device='{device}'}}"
        assert one(life, window, "changes", selector) == 0
        assert one(life, window, "count_over_time", selector) >= QUIET_S / 2


# --- energy -----------------------------------------------------------------


def test_zones_have_drawn_what_is_counted(life: Life) -> None:
    """Wraps and ``kill -9``: no joule is lost, and none counts twice."""
    assert life.restarts == 3
    for zone_id, device in ZONES.items():
        assert life.true_j[device] > WRAPS_WITHIN_J.get(zone_id, 0.0)
        assert counted_j(life, device) == pytest.approx(life.true_j[device], rel=1e-6)


def test_energy_of_gpus_is_counted_or_declared_unmeasured(life: Life) -> None:
    """What nobody could know is told as time; all the rest is there, once."""
    unmeasured_s = life.end.value(UNMEASURED, component="gpu") - life.begin.value(
        UNMEASURED, component="gpu"
    )
    true_j = fsum(life.true_j[gpu] for gpu in life.gpus)
    total_j = fsum(counted_j(life, gpu) for gpu in life.gpus)

    assert unmeasured_s > 0
    assert total_j < true_j
    assert total_j + GPU_W * unmeasured_s == pytest.approx(true_j, rel=1e-3)


def test_what_a_gpu_drew_during_a_hung_call_comes_in_afterwards(life: Life) -> None:
    """Its counter goes on while its driver does not answer."""
    assert life.hung_j > GPU_W * HANG_S


@pytest.mark.parametrize("component", ["cpu", "dram", "gpu"])
def test_jobs_and_the_unattributed_are_the_component_at_each_scrape(
    life: Life, component: str
) -> None:
    """Conservation, as anybody could have checked it at any time."""
    window = life.windows["life"]
    of_component = f"{{component='{component}'}}"
    jobs, rest, whole = (
        life.prometheus.raw(f"{name}{of_component}", window.begin_s, window.end_s)
        for name in (
            "jouled_job_energy_joules_total",
            "jouled_unattributed_energy_joules_total",
            "jouled_component_energy_joules_total",
        )
    )
    parts = [dict(points) for _, points in (*jobs, *rest)]
    ((_, totals),) = whole

    assert len(jobs) == 2
    for time_s, total_j in totals:
        parts_j = fsum(part.get(time_s, 0.0) for part in parts)
        assert parts_j == pytest.approx(total_j, rel=1e-9)


def test_a_job_has_all_energy_of_its_gpus_whatever_happens_to_them(life: Life) -> None:
    """What comes in late belongs to who held the GPU then."""
    job = "jouled_job_energy_joules_total"

    for job_id, gpus in (("1", life.gpus[:2]), ("2", life.gpus[2:3])):
        job_j = life.end.value(job, job_id=job_id, component="gpu")
        gpus_j = fsum(life.end.value(DEVICE, device=gpu) for gpu in gpus)
        assert job_j == pytest.approx(gpus_j, rel=1e-9)


# --- who says what ----------------------------------------------------------


@pytest.mark.parametrize("fault", ["hang", "lost", "driver"])
def test_a_fault_stops_nobody_else(life: Life, fault: str) -> None:
    """Every scrape that was answered has the siblings, and they go on."""
    window = life.windows[fault]
    ill = {"hang": {life.hung}, "lost": {life.lost}, "driver": {*life.gpus}}[fault]
    scrapes = one(life, window, "sum_over_time", "up")

    assert scrapes >= (window.end_s - window.begin_s) / 2
    for device in {*RAPL, *life.gpus} - ill:
        selector = f"{DEVICE}{{device='{device}'}}"
        assert one(life, window, "count_over_time", selector) == scrapes
        assert one(life, window, "changes", selector) >= scrapes / 2


@pytest.mark.parametrize("fault", ["hang", "lost", "driver"])
def test_source_up_tells_what_is_wrong(life: Life, fault: str) -> None:
    """The one series to alert on says which source it is."""
    window = life.windows[fault]
    ill = {
        "hang": {f"nvml/{life.hung}"},
        "lost": {f"nvml/{life.lost}"},
        "driver": {f"nvml/{gpu}" for gpu in life.gpus} | {"nvml"},
    }[fault]

    # Others are down all the time, for this machine does not have them.
    ours = "jouled_source_up{source=~'node|rapl|nvml.*|script|checkpoint'}"
    lowest = life.prometheus.query(over(window, "min_over_time", ours), window.end_s)

    assert {labels["source"] for labels, up in lowest if up == 0} == ill


def test_what_is_not_read_is_missing_and_not_zero(life: Life) -> None:
    """The power of a GPU that is gone is unknown; a zero would be a lie."""
    window = life.windows["driver"]

    powers = life.prometheus.raw(
        "jouled_device_power_watts{component='gpu'}", window.begin_s, window.end_s
    )

    assert {value for _, points in powers for _, value in points if value < 1} == set()
    assert (
        life.prometheus.query(
            "jouled_device_power_watts{component='gpu'}", window.end_s
        )
        == []
    )


def test_the_log_tells_each_fault_once(life: Life) -> None:
    """An hour of a fault is one line, not an hour of lines."""
    down = [line for line in life.log.splitlines() if "source down" in line]

    # On a busy machine another source may be late for once.
    hung = [line for line in down if life.hung in line]
    assert len([line for line in hung if "reason=timeout" in line]) == 1
    assert len([line for line in down if "GpuIsLost" in line]) == 1
    assert life.log.count("energy counter restarted") == 1 + 1 + len(life.gpus)
    assert "Traceback" not in life.log
