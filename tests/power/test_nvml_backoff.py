from exporter.core.units import Seconds
from exporter.power.nvml.backoff import Backoff


def _delays(backoff: Backoff, start_s: float, attempts: int) -> list[float]:
    """Make attempts as soon as they are due, to the second."""
    delays: list[float] = []
    now_s = last_s = start_s
    while len(delays) < attempts:
        now_s += 1
        if backoff.is_due(Seconds(now_s)):
            backoff.attempted(Seconds(now_s))
            delays.append(now_s - last_s)
            last_s = now_s
    return delays


def test_the_first_attempt_is_due_at_once() -> None:
    """A GPU that was lost for a moment should be back with the next tick."""
    assert Backoff(Seconds(5.0), Seconds(60.0)).is_due(Seconds(0.0))


def test_delays_double_up_to_the_longest() -> None:
    """What does not come back must not cost the others every few seconds."""
    backoff = Backoff(Seconds(5.0), Seconds(60.0))
    backoff.attempted(Seconds(0.0))

    assert _delays(backoff, 0.0, 6) == [5, 10, 20, 40, 60, 60]


def test_after_a_quiet_time_delays_start_anew() -> None:
    """Trouble tomorrow has nothing to do with trouble today."""
    backoff = Backoff(Seconds(5.0), Seconds(60.0))
    backoff.attempted(Seconds(0.0))
    _delays(backoff, 0.0, 5)

    backoff.attempted(Seconds(1000.0))

    assert _delays(backoff, 1000.0, 2) == [5, 10]


def test_trouble_that_returns_soon_does_not() -> None:
    """A GPU that falls off after each attempt would have it attempted for ever."""
    backoff = Backoff(Seconds(5.0), Seconds(60.0))
    backoff.attempted(Seconds(0.0))
    assert _delays(backoff, 0.0, 3) == [5, 10, 20]

    backoff.attempted(Seconds(80.0))

    assert not backoff.is_due(Seconds(139.0))
    assert backoff.is_due(Seconds(140.0))


def test_a_reset_makes_it_due() -> None:
    """An operator who resumes does not want to wait."""
    backoff = Backoff(Seconds(5.0), Seconds(60.0))
    backoff.attempted(Seconds(0.0))

    backoff.reset()

    assert backoff.is_due(Seconds(0.1))
