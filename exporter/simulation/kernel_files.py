"""What the kernel shows of a simulated machine: powercap, and /proc of the node."""

import uuid
from pathlib import Path

from exporter.simulation.chance import Chance
from exporter.simulation.cluster import NodeSize
from exporter.simulation.in_place import LiveFile, counter
from exporter.simulation.machine import SOCKETS, Machine

# As a server of two sockets has it: a counter goes round in about 20 minutes.
_RANGE_UJ = 262_143_328_850
_TICKS_PER_S = 100
_CPU_MODEL = "Simulated CPU, 2 x 32 cores"


class Powercap:
    """The energy counters of sockets and memory.

    Args:
        sysfs: gets the class directory.
        seed: where the counters begin.
    """

    def __init__(self, sysfs: Path, *seed: object) -> None:
        chance = Chance("powercap", *seed)
        self._starts_uj: list[int] = []
        self._files: list[LiveFile] = []
        for socket in range(SOCKETS):
            package = f"intel-rapl:{socket}"
            for zone, name in (
                (package, f"package-{socket}"),
                (f"{package}:0", "dram"),
            ):
                folder = sysfs / "class" / "powercap" / zone
                folder.mkdir(parents=True)
                (folder / "name").write_text(f"{name}\n")
                (folder / "max_energy_range_uj").write_text(f"{_RANGE_UJ}\n")
                self._starts_uj.append(int(chance.ratio() * _RANGE_UJ))
                self._files.append(LiveFile(folder / "energy_uj"))

    def write(self, machine: Machine) -> None:
        """Bring the counters up to the machine's last moment."""
        pairs = zip(machine.package_j, machine.dram_j, strict=True)
        energies_j = [energy_j for pair in pairs for energy_j in pair]
        for file, start_uj, energy_j in zip(
            self._files, self._starts_uj, energies_j, strict=True
        ):
            # It wraps one unit of the register after the highest count.
            shown_uj = int(start_uj + energy_j * 1e6) % (_RANGE_UJ + 61)
            file.write(f"{counter(min(shown_uj, _RANGE_UJ))}\n")

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


class Procfs:
    """/proc of the node, as far as it is not that of a process.

    Args:
        procfs: gets the files.
        size: of the node.
    """

    def __init__(self, procfs: Path, size: NodeSize) -> None:
        self._size = size
        kernel = procfs / "sys" / "kernel" / "random"
        kernel.mkdir(parents=True)
        # A simulated machine boots whenever it is started.
        (kernel / "boot_id").write_text(f"{uuid.uuid4()}\n")
        (procfs / "cpuinfo").write_text(
            "".join(
                f"processor\t: {number}\nvendor_id\t: Simulated\n"
                f"model name\t: {_CPU_MODEL}\n\n"
                for number in range(size.cpus)
            )
        )
        self._cpu_line = ""
        self._stat = LiveFile(procfs / "stat")
        self._meminfo = LiveFile(procfs / "meminfo")

    def write(self, machine: Machine) -> None:
        """Bring the CPU times up to the machine's last moment."""
        self._stat.write(_cpu_line("cpu", machine.busy_s, machine.idle_s, 1))

    def write_rest(self, machine: Machine) -> None:
        """Bring up what nobody looks at in each tick."""
        cpus = self._size.cpus
        lines = [_cpu_line("cpu", machine.busy_s, machine.idle_s, 1)]
        for number in range(cpus):
            name = f"cpu{number}"
            lines.append(_cpu_line(name, machine.busy_s, machine.idle_s, cpus))
        self._stat.write("".join(lines) + "btime 1700000000\n")
        total_kb = self._size.memory_bytes // 1024
        available_kb = max(0, total_kb - machine.memory_bytes // 1024)
        figures = {
            "MemTotal": total_kb,
            "MemFree": available_kb // 4,
            "MemAvailable": available_kb,
            "Buffers": 0,
            "Cached": available_kb - available_kb // 4,
            "Active": 0,
            "Inactive": 0,
            "Slab": 0,
            "SReclaimable": 0,
            "Shmem": 0,
        }
        text = "".join(f"{name + ':':<16}{kb:>12} kB\n" for name, kb in figures.items())
        self._meminfo.write(text)

    def close(self) -> None:
        """Close the files."""
        self._stat.close()
        self._meminfo.close()


def _cpu_line(name: str, busy_s: float, idle_s: float, parts: int) -> str:
    """Write a line of /proc/stat: user, nice, system, idle, and what follows."""
    user = int(busy_s * _TICKS_PER_S / parts)
    idle = int(idle_s * _TICKS_PER_S / parts)
    return f"{name:<7} {user:<16} 0 0 {idle:<16} 0 0 0 0 0 0\n"
