"""A stand-in NVIDIA driver, to be found by the unmodified ``pynvml``.

The C library in ``libnvml/`` is compiled once per process and answers from a text
file that ``FakeNvml`` writes, so that a test or a bench changes the hardware
while a daemon runs. Its energy counters follow from power and CLOCK_MONOTONIC:
the exact energy at any moment can be computed and compared.

A process started with ``FakeNvml.env()`` finds it as its driver; the process
that is running already has to call ``load_in_process()`` before NVML is used.
"""

import atexit
import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

LIBRARY = "libnvidia-ml.so.1"
SUCCESS, UNINITIALIZED, NOT_SUPPORTED, NO_PERMISSION = 0, 1, 3, 4
DRIVER_NOT_LOADED, TIMEOUT, GPU_IS_LOST, RESET_REQUIRED = 9, 10, 15, 16
LIB_RM_VERSION_MISMATCH, UNKNOWN = 18, 999
ALL_CALLS = "all"
ALL_GPUS = "*"

_STATE_VARIABLE = "FAKENVML_STATE"
_SOURCES = Path(__file__).with_name("libnvml")
_FLAGS = (
    "-std=c11 -O1 -g -Wall -Wextra -Werror -fvisibility=hidden -fPIC -shared "
    f"-pthread -Wl,-z,defs -Wl,-soname,{LIBRARY}"
).split()

# A change of power is announced this much ahead of time, s, so that every
# process has seen it before it takes effect and no counter makes a step.
_NOTICE_S = 0.02
# The same where another process reads, which may have to wait for a CPU meanwhile.
LONG_NOTICE_S = 0.5


@functools.cache
def build(*, old_driver: bool = False) -> Path:
    """Compile the stand-in and return the folder that holds it.

    Args:
        old_driver: leave out the symbols that newer drivers brought.

    Raises:
        RuntimeError: there is no gcc, or it does not accept the sources.
    """
    folder = Path(tempfile.mkdtemp(prefix="fake-nvml-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sources = [str(path) for path in sorted(_SOURCES.glob("*.c"))]
    variant = ["-DOLD_DRIVER"] if old_driver else []
    command = ["gcc", *_FLAGS, *variant, "-o", str(folder / LIBRARY), *sources]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError as error:
        msg = "the stand-in NVIDIA driver needs gcc: install it, nothing is skipped"
        raise RuntimeError(msg) from error
    except subprocess.CalledProcessError as error:
        msg = f"gcc rejects the stand-in driver:\n{error.stderr.decode()}"
        raise RuntimeError(msg) from error
    return folder


@functools.cache
def load_in_process() -> ctypes.CDLL:
    """Make the stand-in the NVML of this process, for the rest of its life.

    Raises:
        RuntimeError: the process has loaded a real driver's library already.
    """
    folder = build()
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8")
    if LIBRARY.removesuffix(".1") in mapped:
        msg = "a real NVML is loaded: run 'pytest -m gpu' on its own"
        raise RuntimeError(msg)
    library = ctypes.CDLL(str(folder / LIBRARY), mode=ctypes.RTLD_GLOBAL)
    library.fakenvml_calls.restype = ctypes.c_ulong
    return library


def calls(symbol: str) -> int:
    """How often a C function was begun in this process since it was loaded."""
    return int(load_in_process().fakenvml_calls(symbol.encode()))


def gpm_samples() -> int:
    """How many samples of performance counters this process has not given back."""
    return int(load_in_process().fakenvml_gpm_samples())


def env_without_library(folder: Path) -> dict[str, str]:
    """Environment of a process that finds no NVML, even where there is one.

    The loader takes the first file of that name and gives up on an empty one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LIBRARY).touch()
    return {"LD_LIBRARY_PATH": str(folder)}


@contextmanager
def in_process(folder: Path, gpus: int = 1) -> "Iterator[FakeNvml]":
    """Make a new ``FakeNvml`` the driver of this process, for a while."""
    load_in_process()
    fake = FakeNvml(folder, gpus)
    before = os.environ.get(_STATE_VARIABLE)
    os.environ[_STATE_VARIABLE] = str(fake.path)
    try:
        yield fake
    finally:
        if before is None:
            del os.environ[_STATE_VARIABLE]
        else:
            os.environ[_STATE_VARIABLE] = before


@dataclass
class FakeGpu:
    """One GPU; the fields are the keys of the state file, in NVML's units.

    ``None`` for a scope of power: not reported, as on all but superchips.
    ``rate_mw`` is what the energy counter counts, ``power_mw`` what the power
    gauge shows.
    """

    uuid: str
    minor: int
    bus: str
    name: str = "NVIDIA H100 80GB HBM3"
    plugged: int = 0
    power_mw: int = 100_000
    gpu_scope_mw: int | None = None
    module_scope_mw: int | None = None
    memory_scope_mw: int | None = None
    rate_mw: int = 100_000
    rate_before_mw: int = 0
    energy_mj: float = 1e9
    energy_t0: float = field(default_factory=time.monotonic)
    limit_mw: int = 700_000
    default_limit_mw: int = 700_000
    min_limit_mw: int = 200_000
    max_limit_mw: int = 700_000
    utilization: int = 50
    memory_utilization: int = 10
    temperature: int = 40
    memory_total: int = 80 << 30
    memory_used: int = 1 << 30
    mig_mode: int = 0
    mig_pending: int = 0
    mig_capable: int = 1
    gpm_capable: int = 1
    sample_time_us: int = 0

    def counter_mj(self, time_s: float) -> float:
        """Energy counter at a moment of CLOCK_MONOTONIC, mJ."""
        since_s = time_s - self.energy_t0
        rate_mw = self.rate_before_mw if since_s < 0 else self.rate_mw
        return self.energy_mj + rate_mw * since_s


class FakeNvml:
    """The hardware and driver that one state file pretends.

    Every method rewrites the file; processes that use it see the change at
    their next call. GPUs are named by the number they were made with.

    Args:
        folder: gets the file.
        gpus: how many GPUs there are.
        notice_s: how long before it takes effect a change of power is announced, s.
    """

    def __init__(
        self, folder: Path, gpus: int = 1, *, notice_s: float = _NOTICE_S
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "nvml-state"
        self.gpus = [_new_gpu(number) for number in range(gpus)]
        self._notice_s = notice_s
        self._unplugged: set[int] = set()
        self._init_code = SUCCESS
        self._driver = "570.86.15"
        self._loads = 1
        self._migs: dict[tuple[int, int], Mapping[str, object]] = {}
        self._processes: list[tuple[int, Mapping[str, object]]] = []
        self._faults: dict[tuple[int | str, str], int] = {}
        self._delays: dict[tuple[int | str, str], int] = {}
        # What each GPU really draws: (from this moment on, W).
        self._drawn = [[(gpu.energy_t0, gpu.power_mw / 1e3)] for gpu in self.gpus]
        self._mtime_ns = 0
        self.write()

    def env(
        self, *, old_driver: bool = False, constant: bool = False
    ) -> dict[str, str]:
        """Return what a process needs in its environment to find this driver.

        Args:
            old_driver: it lacks what came with later drivers.
            constant: nothing will be changed, so that the driver need not look for
                it; what it costs to look is nothing that a reader should answer for.
        """
        return {
            "LD_LIBRARY_PATH": str(build(old_driver=old_driver)),
            _STATE_VARIABLE: str(self.path),
            **({"FAKENVML_CONSTANT": "1"} if constant else {}),
        }

    # --- the GPUs ---------------------------------------------------------

    def set(self, number: int, **keys: float | str | None) -> None:
        """Set fields of a ``FakeGpu``, such as ``utilization`` or ``temperature``."""
        known = {item.name for item in fields(FakeGpu)}
        for key, value in keys.items():
            if key not in known:
                msg = f"a FakeGpu has no {key}"
                raise AttributeError(msg)
            setattr(self.gpus[number], key, value)
        self.write()

    def set_power(self, number: int, power_w: float) -> None:
        """Draw another power in a moment; the counter stays continuous."""
        self._change_power(number, power_w, counted_w=power_w)

    def freeze_counter(self, number: int) -> None:
        """Let the energy counter stand still while the GPU draws on."""
        self._change_power(number, self.gpus[number].power_mw / 1e3, counted_w=0)

    def settle(self, number: int) -> None:
        """Wait until the last change of power is in effect."""
        time.sleep(max(0.0, self.gpus[number].energy_t0 - time.monotonic()))

    def reset_energy(self, number: int, energy_j: float = 0.0) -> None:
        """Set the energy counter, as a GPU reset or a driver reload does."""
        gpu = self.gpus[number]
        gpu.energy_mj, gpu.energy_t0 = energy_j * 1e3, time.monotonic()
        gpu.rate_before_mw = 0
        self.write()

    def true_energy_j(
        self, number: int, since_s: float | None = None, until_s: float | None = None
    ) -> float:
        """Energy the GPU really drew, J.

        Args:
            number: which GPU.
            since_s: CLOCK_MONOTONIC; since the stand-in was made, if ``None``.
            until_s: CLOCK_MONOTONIC; now, if ``None``.
        """
        drawn = self._drawn[number]
        since_s = drawn[0][0] if since_s is None else since_s
        until_s = time.monotonic() if until_s is None else until_s
        ends = [*(begin for begin, _ in drawn[1:]), float("inf")]
        return sum(
            power_w * max(0.0, min(until_s, end) - max(since_s, begin))
            for (begin, power_w), end in zip(drawn, ends, strict=True)
        )

    def unplug(self, number: int) -> None:
        """Take a GPU off the bus: lost at once, not listed after the next init."""
        self._unplugged.add(number)
        self.write()

    def plug(self, number: int) -> None:
        """Put a GPU back, its counter at 0; it shows after the next init."""
        self._unplugged.discard(number)
        self.gpus[number].plugged += 1
        self.reset_energy(number)

    def add_mig(self, number: int, position: int, **keys: object) -> None:
        """Make a MIG device; keys as in ``struct Mig`` of the C sources."""
        self._migs[number, position] = keys
        self.write()

    def remove_mig(self, number: int, position: int) -> None:
        """Destroy a MIG device."""
        del self._migs[number, position]
        self.write()

    def add_process(self, number: int, **keys: object) -> None:
        """Run a process; keys as in ``struct Process`` of the C sources."""
        self._processes.append((number, keys))
        self.write()

    def end_processes(self, number: int) -> None:
        """Let all processes of a GPU be gone, with their samples."""
        self._processes = [each for each in self._processes if each[0] != number]
        self.write()

    def sample_at(self, number: int, time_s: float) -> None:
        """Stop the clock of a GPU's samples, s; 0 lets it be the wall clock."""
        self.set(number, sample_time_us=round(time_s * 1e6))

    # --- the driver --------------------------------------------------------

    def fault(self, number: int | str, code: int, *symbols: str) -> None:
        """Let C functions (all of them, if none is named) return an error.

        Args:
            number: a GPU, or ``ALL_GPUS`` for calls that belong to none as well.
            code: NVML's error; ``SUCCESS`` takes the fault away.
            *symbols: such as "nvmlDeviceGetPowerUsage", or "field83".
        """
        for symbol in symbols or (ALL_CALLS,):
            self._faults.pop((number, symbol), None)
            if code != SUCCESS:
                self._faults[number, symbol] = code
        self.write()

    def delay(self, number: int | str, delay_s: float, *symbols: str) -> None:
        """Let C functions answer late; 0 takes the delay away, at once."""
        for symbol in symbols or (ALL_CALLS,):
            self._delays.pop((number, symbol), None)
            if delay_s > 0:
                self._delays[number, symbol] = round(delay_s * 1e6)
        self.write()

    def hang(self, number: int | str, *symbols: str) -> None:
        """Let C functions not answer until ``delay(..., 0, ...)``."""
        self.delay(number, 3600, *symbols)

    def init_code(self, code: int) -> None:
        """Set what initialising the library returns."""
        self._init_code = code
        self.write()

    def unload_driver(self) -> None:
        """Take the driver away under whoever uses it."""
        self._loads += 1
        self.init_code(DRIVER_NOT_LOADED)

    def load_driver(self, version: str | None = None) -> None:
        """Load the driver (again): counters restart, users must initialise."""
        self._loads += 1
        self._driver = version or self._driver
        self._init_code = SUCCESS
        for number in range(len(self.gpus)):
            self.reset_energy(number)
        self.write()

    def write(self) -> None:
        """Replace the state file by what this object says."""
        text = "".join(line + "\n" for line in self._lines())
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        # The library tells files apart by inode and time, and the clock of
        # the file system is too coarse for two changes in a row.
        self._mtime_ns = max(time.time_ns(), self._mtime_ns + 1)
        os.utime(new, ns=(self._mtime_ns, self._mtime_ns))
        new.replace(self.path)

    def _lines(self) -> list[str]:
        lines = [
            f"driver\t{self._driver}",
            f"init\t{self._init_code}",
            f"load\t{self._loads}",
        ]
        for number, gpu in enumerate(self.gpus):
            if number not in self._unplugged:
                lines.append(f"gpu\t{number}\t{_pairs(vars(gpu))}")
        for (number, position), keys in self._migs.items():
            lines.append(f"mig\t{number}\t{position}\t{_pairs(keys)}")
        for number, keys in self._processes:
            lines.append(f"process\t{number}\t{_pairs(keys)}")
        for directive, rules in (("fault", self._faults), ("delay", self._delays)):
            for (target, symbol), value in rules.items():
                lines.append(f"{directive}\t{target}\t{symbol}={value}")
        return lines

    def _change_power(self, number: int, power_w: float, counted_w: float) -> None:
        gpu = self.gpus[number]
        # An announced change has to take effect before the next is announced.
        self.settle(number)
        start_s = time.monotonic() + self._notice_s
        gpu.energy_mj = gpu.counter_mj(start_s)
        gpu.energy_t0 = start_s
        gpu.rate_before_mw, gpu.rate_mw = gpu.rate_mw, round(counted_w * 1e3)
        gpu.power_mw = round(power_w * 1e3)
        self._drawn[number].append((start_s, power_w))
        self.write()


def _new_gpu(number: int) -> FakeGpu:
    return FakeGpu(
        uuid=f"GPU-{number:08x}-1111-2222-3333-444444444444",
        # On real nodes the minor number need not follow the index.
        minor=7 - number if number < 8 else number,
        bus=f"00000000:{number + 1:02X}:00.0",
    )


def _pairs(keys: Mapping[str, object]) -> str:
    return "\t".join(
        f"{key}={value}" for key, value in keys.items() if value is not None
    )
