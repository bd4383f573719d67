"""Settings of energy: what measures it, what is idle, and who is charged for that."""

from dataclasses import dataclass
from typing import Literal

from exporter.config.table import setting
from exporter.config.values import boolean, number, one_of
from exporter.core.errors import ConfigError
from exporter.core.model import IdlePolicy, PlatformPolicy

ModelPolicy = Literal["auto", "off"]

_WATTS = number(0, 100_000)


@dataclass(frozen=True, slots=True)
class Power:
    """Which sensors of power are used."""

    rapl: bool = setting(
        boolean(), "read CPU and DRAM energy from RAPL (powercap)", default=True
    )
    nvml: bool = setting(boolean(), "read NVIDIA GPUs through NVML", default=True)
    gpm: bool = setting(
        boolean(),
        "read from performance counters (GPM, Hopper and newer) how busy each MIG "
        "instance is",
        default=False,
    )
    model: ModelPolicy = setting(
        one_of(ModelPolicy),
        "estimate CPU power from utilisation where no sensor tells it",
        default="auto",
    )
    model_idle_w: float | None = setting(
        _WATTS,
        "CPU watts of the whole node with nothing to do, for the estimate",
        default=None,
        name="model_idle_watts",
        default_note="a figure typical of the CPU",
    )
    model_max_w: float | None = setting(
        number(0, 100_000, above=True),
        "CPU watts of the whole node with every CPU busy, for the estimate",
        default=None,
        name="model_max_watts",
        default_note="a figure typical of the CPU",
    )

    def __post_init__(self) -> None:
        idle_w, max_w = self.model_idle_w, self.model_max_w
        if idle_w is not None and max_w is not None and idle_w > max_w:
            msg = "power.model_idle_watts: must not exceed power.model_max_watts"
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class Idle:
    """What the hardware draws with nothing to do."""

    cpu_w: float | None = setting(
        _WATTS,
        "idle watts of all CPU packages together",
        default=None,
        name="cpu_watts",
        default_note="learned",
        reloadable=True,
    )
    dram_w: float | None = setting(
        _WATTS,
        "idle watts of all memory together",
        default=None,
        name="dram_watts",
        default_note="learned",
        reloadable=True,
    )
    gpu_w: float | None = setting(
        _WATTS,
        "idle watts of each GPU",
        default=None,
        name="gpu_watts",
        default_note="learned",
        reloadable=True,
    )


@dataclass(frozen=True, slots=True)
class Attribution:
    """How energy is divided among jobs."""

    idle: IdlePolicy = setting(
        one_of(IdlePolicy),
        "who is charged for idle power: jobs by what they reserved, jobs by what "
        "they used, or nobody",
        default="reserved",
        reloadable=True,
    )
    platform: PlatformPolicy = setting(
        one_of(PlatformPolicy),
        "who is charged for fans, network and power supply losses: jobs in "
        "proportion to their other energy, or nobody",
        default="proportional",
        reloadable=True,
    )
