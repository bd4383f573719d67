"""Fixture machines: a /sys and a /proc that behave as on a real node.

A machine is described by a file in tests/fixtures/machines, laid out as the
kernel would lay it out, and *played*: energy counters and CPU times go on, each
written in place with one ``pwrite`` of a line of constant length, so that a
reader may keep its files open as on real sysfs. Counters wrap where the kernel's
do. What was really spent is known exactly: ``true_energy_j``, ``true_busy_s``.

As a program, for a bench or another language:

    python -m tests.fakes.machine two-socket-intel /tmp/node

It plays until its standard input ends, and takes there a command per line:
``power intel-rapl:0 150``, ``utilization 0.5``, ``truth``. It answers ``truth``,
and its start and end, with one line of JSON.
"""

import argparse
import json
import os
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes import machine_procfs

MACHINES = Path(__file__).parents[1] / "fixtures" / "machines"

_LINE_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Zone:
    """One powercap zone as it is when the play begins."""

    id: str
    name: str
    max_energy_range_uj: int
    energy_uj: int
    power_w: float

    @property
    def wraps_at_uj(self) -> float:
        """The 32-bit register wraps one unit after the highest count shown."""
        return self.max_energy_range_uj * (2**32 / (2**32 - 1))


@dataclass(frozen=True, slots=True)
class Machine:
    """What a fixture file says."""

    zones: tuple[Zone, ...]
    cpu: machine_procfs.Cpu
    memory: machine_procfs.Memory


def load_machine(name: str) -> Machine:
    """Read tests/fixtures/machines/NAME.toml."""
    data: dict[str, Any] = tomllib.loads((MACHINES / f"{name}.toml").read_text())
    return Machine(
        zones=tuple(Zone(**zone) for zone in data["zone"]),
        cpu=machine_procfs.Cpu(**data["cpu"]),
        memory=machine_procfs.Memory(**data["memory"]),
    )


class PlayedMachine:
    """A fixture machine in time.

    Without ``playing`` time only passes when ``play`` is called: with a clock of
    the test's own nothing is left to chance.

    Args:
        machine: a description, or the name of a fixture file.
        root: an empty directory; gets ``sys`` and ``proc``.
        monotonic: the clock the machine lives by, s.
    """

    def __init__(
        self,
        machine: Machine | str,
        root: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.machine = load_machine(machine) if isinstance(machine, str) else machine
        self.sysfs = root / "sys"
        self.procfs = root / "proc"
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._utilization = 0.0
        self._power_w = {zone.id: zone.power_w for zone in self.machine.zones}
        self._energy_j = {zone.id: 0.0 for zone in self.machine.zones}
        self._clock = machine_procfs.CpuClock(self.machine.cpu.count)
        _write_sysfs(self.machine.zones, self.sysfs)
        machine_procfs.write(self.procfs, self.machine.cpu, self.machine.memory)
        self._fds = {
            zone.id: os.open(self.energy_file(zone.id), os.O_WRONLY)
            for zone in self.machine.zones
        }
        self._stat_fd = os.open(self.procfs / "stat", os.O_WRONLY)
        self._played_at_s = monotonic()
        self.play()

    def energy_file(self, zone_id: str) -> Path:
        """``energy_uj`` of a zone, below the class directory."""
        return self.sysfs / "class" / "powercap" / zone_id / "energy_uj"

    def set_power(self, zone_id: str, power_w: float) -> None:
        """Let a zone draw so much from now on, W, >= 0."""
        with self._lock:
            self._play()
            self._power_w[zone_id] = power_w

    def spend(self, zone_id: str, energy_j: float) -> None:
        """Let a zone have drawn so much more, beside its power, J, >= 0."""
        with self._lock:
            self._energy_j[zone_id] += energy_j
            self._play()

    def set_utilization(self, ratio: float) -> None:
        """Let the CPUs be so busy from now on, 0..1, all alike."""
        with self._lock:
            self._play()
            self._utilization = ratio

    def play(self) -> None:
        """Bring all files up to now."""
        with self._lock:
            self._play()

    def true_energy_j(self, zone_id: str) -> float:
        """Energy of a zone from the beginning to the last play, J."""
        with self._lock:
            return self._energy_j[zone_id]

    def true_busy_s(self) -> float:
        """CPU time of all CPUs from the beginning to the last play, s."""
        with self._lock:
            return self._clock.busy_s

    @contextmanager
    def playing(self, period_s: float = 0.02) -> Iterator[None]:
        """Play in a thread; what it leaves behind stands still."""
        stop = threading.Event()

        def play_on() -> None:
            while not stop.wait(period_s):
                self.play()

        thread = threading.Thread(target=play_on, name="played-machine")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.play()

    def close(self) -> None:
        """Close the files; they stay as they are."""
        for fd in (*self._fds.values(), self._stat_fd):
            os.close(fd)

    def _play(self) -> None:
        now_s = self._monotonic()
        elapsed_s = now_s - self._played_at_s
        self._played_at_s = now_s
        for zone in self.machine.zones:
            self._energy_j[zone.id] += self._power_w[zone.id] * elapsed_s
            total_uj = zone.energy_uj + self._energy_j[zone.id] * 1e6
            line = _energy_line(int(total_uj % zone.wraps_at_uj))
            os.pwrite(self._fds[zone.id], line, 0)
        self._clock.advance(elapsed_s, self._utilization)
        os.pwrite(self._stat_fd, self._clock.stat(), 0)


def _energy_line(energy_uj: int) -> bytes:
    return f"{energy_uj:<{_LINE_DIGITS}}\n".encode()


def _write_sysfs(zones: tuple[Zone, ...], sysfs: Path) -> None:
    """Lay the zones out as the kernel does.

    Each device lies below its parent in ``devices``; ``class/powercap`` links to
    all of them, children included.
    """
    powercap = sysfs / "class" / "powercap"
    powercap.mkdir(parents=True)
    devices = sysfs / "devices" / "virtual" / "powercap"
    for zone in zones:
        control_type, *numbers = zone.id.split(":")
        lineage = [
            ":".join((control_type, *numbers[:depth]))
            for depth in range(len(numbers) + 1)
        ]
        directory = devices.joinpath(*lineage)
        directory.mkdir(parents=True)
        _write_files(directory, zone)
        for name, path in (
            (control_type, devices / control_type),
            (zone.id, directory),
        ):
            link = powercap / name
            if not link.is_symlink():
                link.symlink_to(Path("../..") / path.relative_to(sysfs))


def _write_files(directory: Path, zone: Zone) -> None:
    files: Mapping[str, str] = {
        "name": zone.name,
        "enabled": "0",
        "max_energy_range_uj": str(zone.max_energy_range_uj),
    }
    for name, text in files.items():
        (directory / name).write_text(f"{text}\n")
    (directory / "energy_uj").write_bytes(_energy_line(zone.energy_uj))


def _command(played: PlayedMachine, words: list[str]) -> None:
    match words:
        case ["power", zone_id, watts]:
            played.set_power(zone_id, float(watts))
        case ["utilization", ratio]:
            played.set_utilization(float(ratio))
        case ["truth"]:
            _say_truth(played)
        case _:
            sys.exit(f"not a command: {' '.join(words)}")


def _say_truth(played: PlayedMachine) -> None:
    energy_j = {zone.id: played.true_energy_j(zone.id) for zone in played.machine.zones}
    truth = {"energy_j": energy_j, "busy_s": played.true_busy_s()}
    sys.stdout.write(json.dumps(truth) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Play a machine as a program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("machine", help="name of a file in tests/fixtures/machines")
    parser.add_argument("root", type=Path, help="directory that gets sys and proc")
    arguments = parser.parse_args()
    played = PlayedMachine(arguments.machine, arguments.root)
    _say_truth(played)
    with played.playing():
        for line in sys.stdin:
            _command(played, line.split())
    _say_truth(played)
    played.close()


if __name__ == "__main__":
    main()
