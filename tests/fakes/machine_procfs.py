"""The /proc of a fixture machine: what it is, and how busy it has been."""

from dataclasses import dataclass
from pathlib import Path

BOOT_ID = "5a6f1f0e-7a0b-4c0e-9c37-2f6b0c1d3e4f"

_TICKS_PER_S = 100

# A node that has been up for a while. What is not busy (waiting for a disk,
# stolen by the hypervisor, a guest's time inside user's) must not be counted.
_USER, _NICE, _SYSTEM, _IDLE = 400_000, 1_000, 90_000, 9_000_000
_IOWAIT, _IRQ, _SOFTIRQ, _STEAL, _GUEST = 70_000, 200, 3_000, 50_000, 30_000


@dataclass(frozen=True, slots=True)
class Cpu:
    """The CPUs of the machine, all alike."""

    vendor: str
    family: int
    model: int
    stepping: int
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of the machine, which does not change."""

    total_kb: int
    available_kb: int


class CpuClock:
    """CPU times that go on; all CPUs share the work."""

    def __init__(self, cpus: int) -> None:
        self._cpus = cpus
        self._busy_s = 0.0
        self._idle_s = 0.0

    @property
    def busy_s(self) -> float:
        """Work done since the beginning, s, in whole ticks as /proc shows it."""
        return int(self._busy_s * _TICKS_PER_S) / _TICKS_PER_S

    def advance(self, elapsed_s: float, utilization: float) -> None:
        """Let time pass with all CPUs so busy, 0..1."""
        cpu_s = elapsed_s * self._cpus
        self._busy_s += cpu_s * utilization
        self._idle_s += cpu_s * (1 - utilization)

    def stat(self) -> bytes:
        """Text of /proc/stat, of a length that depends on the machine alone."""
        user = _USER + int(self._busy_s * _TICKS_PER_S)
        idle = _IDLE + int(self._idle_s * _TICKS_PER_S)
        rest = (_IOWAIT, _IRQ, _SOFTIRQ, _STEAL, _GUEST, 0)
        total = (user, _NICE, _SYSTEM, idle, *rest)
        lines = [_stat_line("cpu ", total)]
        for cpu in range(self._cpus):
            share = [(ticks + cpu) // self._cpus for ticks in total]
            lines.append(_stat_line(f"cpu{cpu}", tuple(share)))
        lines += ["intr 123456 7 8", "ctxt 7654321", "btime 1700000000"]
        lines += ["processes 4242", "procs_running 1", "procs_blocked 0"]
        lines += ["softirq 3000 0 1000 0 0 0 0 2000 0 0 0"]
        return ("\n".join(lines) + "\n").encode()


def write(procfs: Path, cpu: Cpu, memory: Memory) -> None:
    """Write the files of a machine that has just begun to be played."""
    boot = procfs / "sys" / "kernel" / "random"
    boot.mkdir(parents=True)
    (boot / "boot_id").write_text(f"{BOOT_ID}\n")
    (procfs / "stat").write_bytes(CpuClock(cpu.count).stat())
    (procfs / "cpuinfo").write_text("".join(_cpuinfo(cpu, n) for n in range(cpu.count)))
    (procfs / "meminfo").write_text(_meminfo(memory))


def _stat_line(name: str, ticks: tuple[int, ...]) -> str:
    return " ".join([name, *(f"{value:>12}" for value in ticks)])


def _cpuinfo(cpu: Cpu, number: int) -> str:
    return (
        f"processor\t: {number}\n"
        f"vendor_id\t: {cpu.vendor}\n"
        f"cpu family\t: {cpu.family}\n"
        f"model\t\t: {cpu.model}\n"
        f"model name\t: {cpu.name}\n"
        f"stepping\t: {cpu.stepping}\n"
        f"physical id\t: 0\n"
        f"core id\t\t: {number}\n"
        "\n"
    )


def _meminfo(memory: Memory) -> str:
    """Most of what is available is page cache, as on a real node."""
    free_kb = memory.available_kb // 4
    cached_kb = memory.available_kb - free_kb
    figures = {
        "MemTotal": memory.total_kb,
        "MemFree": free_kb,
        "MemAvailable": memory.available_kb,
        "Buffers": 4096,
        "Cached": cached_kb,
        "SwapCached": 0,
        "Active": cached_kb // 2,
        "Inactive": cached_kb // 2,
        "Active(file)": cached_kb // 2,
        "Inactive(file)": cached_kb // 2,
        "SwapTotal": 0,
        "SwapFree": 0,
        "Shmem": 1024,
        "Slab": 65_536,
        "SReclaimable": 32_768,
    }
    return "".join(f"{name + ':':<16}{kb:>8} kB\n" for name, kb in figures.items())
