"""A thread that takes steps."""

import threading

import pytest

from exporter.workloads.kubernetes.backoff import Backoff
from exporter.workloads.kubernetes.worker import Worker
from tests.fakes.waiting import wait_until

_LONGEST_S = 60.0
_NEVER_S = 3600.0


def test_steps_are_taken_until_it_is_closed() -> None:
    """As long as they say that there is more to do."""
    steps: list[int] = []

    def step() -> float:
        steps.append(len(steps))
        return 0.0 if len(steps) < 5 else _NEVER_S

    worker = Worker("test", step)
    worker.start()
    worker.start()
    wait_until(lambda: len(steps) == 5, "five steps", _LONGEST_S)

    worker.close()

    assert steps == [0, 1, 2, 3, 4]
    assert not any(thread.name == "test" for thread in threading.enumerate())


def test_a_pause_ends_when_it_is_woken() -> None:
    """Somebody has something for it."""
    steps: list[int] = []

    def step() -> float:
        steps.append(1)
        return _NEVER_S

    worker = Worker("test", step)
    worker.start()
    wait_until(lambda: len(steps) == 1, "the first step", _LONGEST_S)

    worker.wake()

    wait_until(lambda: len(steps) == 2, "the second step", _LONGEST_S)
    worker.close()


def test_a_step_that_fails_is_logged_and_not_the_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault in it must not silently end it for good."""
    steps: list[int] = []

    def step() -> float:
        steps.append(1)
        if len(steps) == 1:
            msg = "a fault"
            raise RuntimeError(msg)
        return _NEVER_S

    worker = Worker("test", step)
    worker.start()
    wait_until(lambda: bool(caplog.records), "it is logged", _LONGEST_S)
    worker.wake()

    wait_until(lambda: len(steps) >= 2, "the next step", _LONGEST_S)
    worker.close()

    assert "a fault" in caplog.text


def test_to_close_interrupts_what_a_step_waits_for() -> None:
    """It may wait for a server."""
    gate = threading.Event()

    def step() -> float:
        gate.wait(_LONGEST_S)
        return _NEVER_S

    worker = Worker("test", step, gate.set)
    worker.start()

    worker.close()

    assert gate.is_set()


def test_a_worker_that_was_closed_does_not_start() -> None:
    """Nor does one that never began have anything to end."""
    worker = Worker("test", lambda: _NEVER_S)
    worker.close()

    worker.start()

    assert not any(thread.name == "test" for thread in threading.enumerate())


def test_pauses_double_and_begin_anew_after_a_success() -> None:
    """Each is a random part of its time, so that nodes do not come all at once."""
    chances = iter([0.0, 1.0, 1.0, 1.0, 0.0])
    backoff = Backoff(1.0, 4.0, lambda: next(chances))

    pauses = [backoff.failed() for _ in range(4)]
    backoff.succeeded()
    pauses.append(backoff.failed())

    assert pauses == [0.5, 2.0, 4.0, 4.0, 0.5]
