import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, running
from tests.e2e.processes import AS_NOBODY_WHO_MAY_READ, WITHOUT_CAPABILITIES
from tests.fakes.command_line import jouled
from tests.fakes.machine import PlayedMachine
from tests.fakes.unprivileged import public_directory

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedMachine]:
    """Return a machine that stands still."""
    played = PlayedMachine("two-socket-intel", tmp_path_factory.mktemp("machine"))
    yield played
    played.close()


@pytest.fixture(scope="module")
def daemon(
    machine: PlayedMachine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """Return the daemon that was first."""
    with running(Daemon(tmp_path_factory.mktemp("first"), flags(machine))) as daemon:
        yield daemon


def flags(machine: PlayedMachine) -> list[str]:
    """Return what makes a daemon read this machine and no GPUs."""
    return [
        *("--path.sysfs", str(machine.sysfs), "--path.procfs", str(machine.procfs)),
        *("--no-power.nvml", "--carbon.zone", "DE"),
    ]


def test_a_port_that_is_taken_is_one_line_and_exit_code_1(
    daemon: Daemon, machine: PlayedMachine, tmp_path: Path
) -> None:
    """The most common mistake must not look like a crash."""
    done = jouled(
        "run",
        *flags(machine),
        *("--web.listen-address", f"127.0.0.1:{daemon.port}"),
        *("--state.run-dir", tmp_path / "run", "--state.dir", tmp_path / "lib"),
    )

    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"cannot listen on 127.0.0.1:{daemon.port}" in line
    assert "--web.listen-address" in line
    assert not (tmp_path / "run").exists()


def test_a_second_daemon_on_the_same_state_is_refused(
    daemon: Daemon, machine: PlayedMachine
) -> None:
    """Two writers of one checkpoint would count some joules twice."""
    done = jouled(
        "run",
        *flags(machine),
        *("--web.listen-address", "127.0.0.1:0"),
        *daemon.state_flags,
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"another jouled uses {daemon.run_dir}" in line
    daemon.tick_after(time.time())


def test_one_capability_is_all_the_right_it_needs() -> None:
    """A user of its own, its own directories, and what the kernel asks for."""
    with public_directory() as folder, closed_machine(folder) as machine:
        home = folder / "home"
        home.mkdir()
        home.chmod(0o777)
        env = {"HOME": str(home)}
        for name in ("RUNTIME_DIR", "CACHE_HOME", "STATE_HOME"):
            env[f"XDG_{name}"] = ""
        daemon = Daemon(
            folder, flags(machine), env, rights=AS_NOBODY_WHO_MAY_READ, own_state=False
        )
        with running(daemon):
            daemon.wait_for_source("rapl", up=True)
            assert daemon.stop() == 0

        assert (home / ".cache/jouled/run/checkpoint.0").exists()
        assert (home / ".local/state/jouled").is_dir()


def test_without_the_right_it_estimates_and_says_what_is_missing(
    tmp_path: Path,
) -> None:
    """It runs on, marks its figures, and names the remedy."""
    with closed_machine(tmp_path) as machine:
        for zone in machine.machine.zones:
            machine.energy_file(zone.id).chmod(0)
        daemon = Daemon(tmp_path, flags(machine), rights=WITHOUT_CAPABILITIES)
        with running(daemon):
            scrape = daemon.wait_for_source("model", up=True)

    source = {"source": "rapl"}
    assert scrape.value("jouled_source_up", **source) == 0
    assert scrape.value("jouled_source_errors_total", **source, reason="denied") > 0
    assert scrape.value("jouled_source_info", source="model", quality="estimated") == 1
    assert "CAP_DAC_READ_SEARCH" in daemon.said()


@contextmanager
def closed_machine(folder: Path) -> Iterator[PlayedMachine]:
    """Return a machine whose counters are their owner's, as the kernel has them."""
    with closing(PlayedMachine("two-socket-intel", folder / "machine")) as machine:
        for zone in machine.machine.zones:
            machine.energy_file(zone.id).chmod(0o400)
        yield machine
