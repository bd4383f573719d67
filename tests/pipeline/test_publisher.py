import pytest

from exporter.pipeline.engine import Engine
from exporter.pipeline.runner import Publisher, Runner
from exporter.pipeline.state import EngineSettings
from tests.fakes.sampling import power, sampler_of


def test_before_the_first_tick_nothing_is_published() -> None:
    """The daemon is not ready then."""
    publisher = Publisher(1.0)

    assert publisher.latest() is None
    assert publisher.history() == ()


def test_any_number_of_readers_see_the_same() -> None:
    """Rule 6: reading changes nothing."""
    publisher = Publisher(1.0)
    runner = Runner(sampler_of(power()), Engine(EngineSettings()), publisher)
    runner.tick()

    first, second = publisher.latest(), publisher.latest()
    runner.stop()
    runner.run()

    assert first is second


def test_the_history_holds_ten_minutes_of_power() -> None:
    """Of intervals of 200 s: three points, oldest first."""
    publisher = Publisher(200.0)
    runner = Runner(sampler_of(power()), Engine(EngineSettings()), publisher)
    snapshots = [runner.tick() for _ in range(5)]
    runner.stop()
    runner.run()

    points = publisher.history()[:2]
    assert [point.unix_s for point in points] == [
        snapshot.unix_s for snapshot in snapshots[3:5]
    ]
    assert points[0].intensity_g_per_kwh == 400.0
    assert dict(points[0].components).keys() == {"cpu"}
    assert points[0].node_power_w == pytest.approx(100.0, rel=0.5)
