import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes import plain_http
from tests.fakes.command_line import REPOSITORY, command, environment
from tests.fakes.machine import PlayedMachine
from tests.fakes.slurm_daemons import free_ports
from tests.fakes.unprivileged import public_directory
from tests.fakes.waiting import wait_until

UNIT = REPOSITORY / "deploy" / "systemd" / "jouled.service"
HUB_UNIT = UNIT.with_name("jouled-hub.service")
LONG_S = 60.0
CAPABILITIES = {"CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="no systemd-analyze: run scripts/system-packages.sh",
)


both = pytest.mark.parametrize("unit", [UNIT, HUB_UNIT], ids=["node", "hub"])


def analyze(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze; it needs no running systemd."""
    return subprocess.run(
        ["systemd-analyze", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
        env={"PATH": os.environ["PATH"], "SYSTEMD_PAGER": "", "LC_ALL": "C"},
    )


def values(key: str, unit: Path = UNIT) -> list[str]:
    """Return what a unit says of a key, each time that it does."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


@needs_systemd
@both
def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path, unit: Path) -> None:
    """A misspelt key is only a warning, and what it protects stays open."""
    text = unit.read_text()
    unit = tmp_path / unit.name
    installed = "/opt/jouled/bin/jouled"
    unit.write_text(text.replace(installed, sys.executable))

    done = analyze("verify", unit)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@both
def test_the_service_is_locked_down(unit: Path) -> None:
    """Of ten points of exposure it may have three."""
    done = analyze("security", "--offline=true", "--threshold=30", unit)

    assert done.returncode == 0, done.stdout


def test_it_has_two_powers_of_root_and_no_way_to_more() -> None:
    """Whoever takes it over can read, and that is all."""
    assert values("User") == ["jouled"]
    assert set(values("AmbientCapabilities")[0].split()) == CAPABILITIES
    assert set(values("CapabilityBoundingSet")[0].split()) == CAPABILITIES
    assert values("NoNewPrivileges") == ["yes"]


def test_the_hub_has_no_power_of_root_at_all() -> None:
    """It talks to the internet, and needs nothing of the machine."""
    assert values("DynamicUser", HUB_UNIT) == ["yes"]
    assert values("CapabilityBoundingSet", HUB_UNIT) == [""]
    assert values("AmbientCapabilities", HUB_UNIT) == [""]
    assert values("NoNewPrivileges", HUB_UNIT) == ["yes"]
    assert values("ProtectSystem", HUB_UNIT) == ["strict"]
    assert values("LoadCredential", HUB_UNIT) == ["hub:/etc/jouled/hub"]


def test_its_run_directory_outlives_a_stop() -> None:
    """The checkpoint is there; without it counters would fall."""
    assert values("RuntimeDirectory") == ["jouled"]
    assert values("RuntimeDirectoryPreserve") == ["yes"]


class Manager:
    """Stands in for systemd: hears what the service has to say."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(LONG_S)

    def wait_for(self, line: str) -> str:
        """Return the next message with this line; others are passed over."""
        while True:
            message = self._socket.recv(4096).decode()
            if line in message.splitlines():
                return message

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@contextmanager
def service(
    *prefix: str, program: str = "run", flags: tuple[str | Path, ...] = ()
) -> Iterator[tuple["subprocess.Popen[bytes]", Manager]]:
    """Run one of the two under a manager with a watchdog of four seconds.

    Args:
        prefix: a program that starts it, and its arguments.
        program: "run" for the daemon, "hub" for the hub.
        flags: of it.
    """
    with public_directory() as directory:
        manager = Manager(directory / "notify")
        (directory / "notify").chmod(0o777)
        directory.chmod(0o777)
        process = subprocess.Popen(
            [
                *prefix,
                *_program(directory, program),
                *map(str, flags),
            ],
            env=environment(
                {
                    "NOTIFY_SOCKET": str(directory / "notify"),
                    "WATCHDOG_USEC": "4000000",
                }
            ),
            cwd=REPOSITORY,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process, manager
        finally:
            process.kill()
            process.wait()
            manager.close()


def _program(directory: Path, name: str) -> list[str]:
    begin = command(name, "--web.listen-address", "127.0.0.1:0")
    state = ("--state.dir", str(directory / "lib"))
    if name == "hub":
        file = directory / "hub.yml"
        # A zone that nobody covers: nobody is asked.
        file.write_text("zones: {US-CAL-CISO: }\n")
        return [*begin, *state, "--config.file", str(file)]
    run_dir = ("--state.run-dir", str(directory / "run"))
    return [*begin, *state, *run_dir, "--carbon.zone", "DE", "--no-power.nvml"]


@pytest.mark.parametrize("program", ["run", "hub"])
def test_the_service_reports_its_whole_life(program: str) -> None:
    """Ready when it has something to tell, alive, and leaving when told to."""
    with service(program=program) as (process, manager):
        manager.wait_for("READY=1")
        manager.wait_for("WATCHDOG=1")
        manager.wait_for("WATCHDOG=1")
        process.send_signal(signal.SIGHUP)
        reloading = manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")
        process.terminate()
        manager.wait_for("STOPPING=1")

        assert process.wait(LONG_S) == 0
    assert re.search(r"^MONOTONIC_USEC=\d+$", reloading, re.MULTILINE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand out its powers")
def test_its_two_powers_are_enough_to_read_the_energy_of_the_cpu(
    tmp_path: Path,
) -> None:
    """The kernel shows the counters to root only, because they tell tales."""
    machine = PlayedMachine("two-socket-intel", tmp_path)
    for zone in machine.machine.zones:
        machine.energy_file(zone.id).chmod(0o400)
    powers = ",".join(
        f"+{name.removeprefix('CAP_').lower()}" for name in sorted(CAPABILITIES)
    )
    port = free_ports(1)[0]

    with service(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *("--no-new-privs", f"--bounding-set=-all,{powers}"),
        *(f"--inh-caps=-all,{powers}", f"--ambient-caps=-all,{powers}"),
        flags=(
            *("--web.listen-address", f"127.0.0.1:{port}"),
            *("--path.sysfs", machine.sysfs, "--path.procfs", machine.procfs),
        ),
    ) as (_, manager):
        manager.wait_for("READY=1")
        url = f"http://127.0.0.1:{port}/metrics"
        # On a busy machine the first reading may be late.
        wait_until(
            lambda: (
                'jouled_source_up{source="rapl"} 1.0'
                in plain_http.get(url, timeout=LONG_S).text
            ),
            "its energy to be read",
            LONG_S,
        )

    machine.close()
