import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.notify import ServiceManager
from tests.fakes.clock import Clock


class Manager:
    """A service manager: the socket that a daemon of it is told of."""

    def __init__(self, address: str) -> None:
        self.environ = {"NOTIFY_SOCKET": address}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._socket.bind(address.replace("@", "\0", 1))

    def heard(self) -> list[str]:
        """Return what it was told since the last time."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        """Go away without a word."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Return a service manager that listens."""
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.close()


def test_the_first_tick_makes_it_ready_and_later_ones_say_nothing(
    manager: Manager,
) -> None:
    """Units that start after it shall find numbers, not a daemon that warms up."""
    service = ServiceManager(manager.environ, interval_s=1.0)

    before = manager.heard()
    service.on_tick()
    first = manager.heard()
    service.on_tick()

    assert before == []
    assert first == ["READY=1"]
    assert manager.heard() == []
    service.close()


def test_ticks_feed_the_watchdog_at_half_of_its_patience(manager: Manager) -> None:
    """More often would cost, more rarely would risk a restart for one late tick."""
    clock = Clock(100.0)
    environ = manager.environ | {"WATCHDOG_USEC": "30000000"}
    service = ServiceManager(environ, interval_s=1.0, monotonic=clock)
    fed_at_s = []

    for second in range(60):
        service.on_tick()
        if "WATCHDOG=1" in manager.heard():
            fed_at_s.append(second)
        clock.pass_s(1.0)

    assert fed_at_s == [0, 15, 30, 45]
    service.close()


def test_a_daemon_of_rare_ticks_asks_for_more_patience(manager: Manager) -> None:
    """A tick a minute under a watchdog of 30 s would be a restart a minute."""
    environ = manager.environ | {"WATCHDOG_USEC": "30000000"}
    service = ServiceManager(environ, interval_s=60.0)

    service.on_tick()

    assert manager.heard() == ["WATCHDOG_USEC=180000000\nREADY=1", "WATCHDOG=1"]
    service.close()


@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
    ],
)
def test_nobody_is_fed_where_no_watchdog_watches(
    manager: Manager, watchdog: dict[str, str]
) -> None:
    """The variables may be inherited from a parent whose watchdog it was."""
    service = ServiceManager(manager.environ | watchdog, interval_s=1.0)

    service.on_tick()

    assert manager.heard() == ["READY=1"]
    service.close()


def test_a_watchdog_for_this_process_is_fed(manager: Manager) -> None:
    """Managers that name the process mean this one."""
    watchdog = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    service = ServiceManager(manager.environ | watchdog, interval_s=1.0)

    service.on_tick()

    assert manager.heard() == ["READY=1", "WATCHDOG=1"]
    service.close()


def test_a_reload_is_announced_with_its_time_and_ends(manager: Manager) -> None:
    """Whoever waits for a reload waits for the second message."""
    service = ServiceManager(manager.environ, interval_s=1.0, monotonic=Clock(12.5))
    service.on_tick()
    manager.heard()

    with service.reloading():
        during = manager.heard()

    assert during == ["RELOADING=1\nMONOTONIC_USEC=12500000"]
    assert manager.heard() == ["READY=1"]
    service.close()


def test_a_reload_before_the_first_tick_does_not_make_it_ready(
    manager: Manager,
) -> None:
    """It is not ready yet, whoever sends it a SIGHUP."""
    service = ServiceManager(manager.environ, interval_s=1.0)

    with service.reloading():
        pass

    assert manager.heard() == []
    service.close()


def test_its_end_is_announced(manager: Manager) -> None:
    """The manager tells a stop from a crash by it."""
    service = ServiceManager(manager.environ, interval_s=1.0)

    service.on_stop()

    assert manager.heard() == ["STOPPING=1"]
    service.close()


def test_an_abstract_socket_is_understood() -> None:
    """Managers in containers use one."""
    manager = Manager(f"@jouled-test-{os.getpid()}")
    service = ServiceManager(manager.environ, interval_s=1.0)

    service.on_tick()

    assert manager.heard() == ["READY=1"]
    service.close()
    manager.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    """As in a shell, or under one that cannot be spoken to."""
    service = ServiceManager(environ, interval_s=1.0)

    service.on_tick()
    service.on_stop()
    service.close()


def test_a_manager_that_went_away_is_told_of_once(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    """Its absence must neither stop a tick nor fill the log."""
    environ = manager.environ | {"WATCHDOG_USEC": "1"}
    service = ServiceManager(environ, interval_s=1.0)
    manager.close()

    for _ in range(3):
        service.on_tick()

    assert caplog.text.count("cannot notify the service manager") == 1
    service.close()
