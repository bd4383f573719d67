"""Composition root: this file and its ``bootstrap_*.py`` name the concrete classes.

What the daemon reads is the tuples below, in this order; nothing registers
itself.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import daemon
from exporter.bootstrap_live import build_intensity, build_live, build_pue
from exporter.bootstrap_workloads import build_schedulers
from exporter.carbon.yearly import YearlyIntensity
from exporter.config import Config
from exporter.core.archive import JobArchive
from exporter.core.ports import (
    GpuInventory,
    IntensitySource,
    PowerDriver,
    PowerSource,
    WorkloadSource,
)
from exporter.core.units import Seconds, Watts
from exporter.pipeline.checkpoint import Checkpoint, read_boot_id
from exporter.pipeline.engine import Engine
from exporter.pipeline.idle_store import IdleStore
from exporter.pipeline.missing import known_to
from exporter.pipeline.recorder import JobRecorder, running_keys
from exporter.pipeline.runner import Live, Publisher, Runner
from exporter.pipeline.sampler import Sampler, Sources
from exporter.pipeline.state import EngineSettings, EngineState
from exporter.power.model import ModelSource, ModelWhenUnmetered
from exporter.power.model_watts import model_watts
from exporter.power.nvml import NvmlDriver, NvmlInventory
from exporter.power.nvml.library import initialise
from exporter.power.rapl import PowercapSource
from exporter.workloads.no_gpus import NoGpus
from exporter.workloads.node_usage import BusyTime, PsutilNodeUsage

if TYPE_CHECKING:
    from exporter.stand_ins import StandIns
    from exporter.workloads.slurm.hub_jobs import HubJobs

# How long a question to the API about jobs of the past may take.
_ARCHIVE_ANSWER_S = 2.0


def run(config: Config, reload: Callable[[], Config]) -> int:
    """Run the daemon until it is told to stop.

    Args:
        config: the configuration to start with.
        reload: reads the configuration again; raises ``ConfigError``.

    Returns:
        Its exit code.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    return daemon.run(config, daemon_plan(reload))


def daemon_plan(
    reload: Callable[[], Config],
    workloads: tuple[WorkloadSource, ...] = (),
    stand_ins: "StandIns | None" = None,
) -> daemon.Plan:
    """Return how the parts of the daemon are made.

    Args:
        reload: reads the configuration again; raises ``ConfigError``.
        workloads: further sources of jobs, beside those of the configuration.
        stand_ins: take the place of what a simulated machine does not have.
    """
    # Written by who asks providers, kept with the state of the engine.
    fetches: dict[tuple[str, str], int] = {}
    # Written by who asks the hub, read by the source of the jobs.
    hub_jobs = cache(_new_hub_jobs)

    def build(config: Config, live: Live, publisher: Publisher) -> Runner:
        told = hub_jobs() if config.slurm.ask_hub else None
        sources = build_sources(config, live.intensity, told, stand_ins=stand_ins)
        every = (*sources.workloads, *workloads)
        sources = replace(sources, workloads=every)
        return build_runner(config, sources, live.settings, publisher, fetches)

    return daemon.Plan(
        reload=reload,
        runner=build,
        live=lambda config, before: build_live(
            config, before, fetches, hub_jobs() if config.slurm.ask_hub else None
        ),
        advice=_advice,
        archive=build_archive_reader,
        name=None if stand_ins is None else stand_ins.name,
    )


def _advice(live: Live) -> str:
    intensity = live.intensity
    advice = intensity.advice if isinstance(intensity, YearlyIntensity) else None
    return advice or ""


def build_sources(
    config: Config,
    intensity: IntensitySource | None = None,
    hub_jobs: "HubJobs | None" = None,
    daemons_dir: Path | None = None,
    stand_ins: "StandIns | None" = None,
) -> Sources:
    """Name everything that is read; nothing but powercap is touched yet.

    Args:
        config: what is read, and where.
        intensity: the carbon intensity in force; ``None`` to build it as well.
        hub_jobs: what the hub tells of jobs of Slurm; ``None`` if it is not asked.
        daemons_dir: as for ``build_schedulers``.
        stand_ins: as for ``daemon_plan``.

    Raises:
        ConfigError: nobody knows the grid zone, or a key cannot be read.
    """
    drivers: tuple[PowerDriver, ...] = ()
    inventory: GpuInventory = NoGpus()
    if config.power.nvml:
        driver = NvmlDriver(
            release_file(config.state.run_dir),
            gpm=config.power.gpm,
            initialise=initialise if stand_ins is None else stand_ins.nvml,
        )
        drivers, inventory = (driver,), NvmlInventory(driver)
    sources = Sources(
        power=_cpu_sources(config),
        drivers=drivers,
        node=PsutilNodeUsage(config.path.procfs),
        workloads=build_schedulers(config, inventory, hub_jobs, daemons_dir, stand_ins),
        intensity=build_intensity(config) if intensity is None else intensity,
    )
    return sources if stand_ins is None else stand_ins.mark(sources)


def release_file(run_dir: Path) -> Path:
    """Return the file that makes the daemon let go of NVML while it exists."""
    return run_dir / "nvml-release"


def _new_hub_jobs() -> "HubJobs":
    # Few sites let nodes ask for jobs.
    from exporter.workloads.slurm.hub_jobs import HubJobs  # noqa: PLC0415 - see above

    return HubJobs()


def build_runner(
    config: Config,
    sources: Sources,
    settings: EngineSettings,
    publisher: Publisher,
    fetches: dict[tuple[str, str], int],
) -> Runner:
    """Put the pipeline together, going on from the checkpoint if there is one.

    Args:
        config: where its state is, and how often it ticks.
        sources: what is read.
        settings: what the operator decides.
        publisher: gets each result.
        fetches: counts what is asked of providers; goes on from the checkpoint.
    """
    checkpoint = Checkpoint(config.state.run_dir, read_boot_id(config.path.procfs))
    idle_store = IdleStore(config.state.dir)
    state = checkpoint.load() or EngineState()
    state.learners = idle_store.load()
    for key, count in state.carbon_fetches.items():
        fetches[key] = fetches.get(key, 0) + count
    state.carbon_fetches = fetches
    for driver in sources.drivers:
        driver.expect(known_to(driver.info.name, state))
    return Runner(
        build_sampler(config, sources, state.source_errors, fetches),
        Engine(settings, state),
        publisher,
        checkpoint=checkpoint,
        idle_store=idle_store,
        recorder=_recorder(config, state),
        give_up=lambda: any(driver.restart_needed for driver in sources.drivers),
    )


def build_archive_reader(config: Config) -> JobArchive | None:
    """Return what answers questions about jobs of the past, if any are kept."""
    if not config.archive.enabled:
        return None
    # It brings SQLite along.
    from exporter.pipeline.archive_reader import ArchiveReader  # noqa: PLC0415 - above

    return ArchiveReader(config.state.archive_file, _ARCHIVE_ANSWER_S)


def build_sampler(
    config: Config,
    sources: Sources,
    errors: dict[str, dict[str, int]] | None = None,
    fetches: dict[tuple[str, str], int] | None = None,
) -> Sampler:
    """Start what reads the sources.

    Args:
        config: how often, and how long it may take.
        sources: what is read.
        errors: failed ticks so far, by source and reason; counted in place.
        fetches: what was asked of providers so far, by provider and outcome.
    """
    return Sampler(
        sources,
        interval_s=Seconds(config.sampling.interval_s),
        deadline_s=Seconds(config.sampling.read_deadline_s),
        pue=build_pue(config),
        errors=errors,
        fetches=fetches,
    )


def _cpu_sources(config: Config) -> tuple[PowerSource, ...]:
    procfs = config.path.procfs
    power = config.power
    sources: list[PowerSource] = []
    model: PowerSource | None = None
    if power.model == "auto":
        watts = model_watts(
            procfs, _watts(power.model_idle_w), _watts(power.model_max_w)
        )
        model = ModelSource(watts, BusyTime(procfs))
    if power.rapl:
        meter = PowercapSource(config.path.sysfs)
        sources.append(meter)
        if model is not None:
            sources.append(ModelWhenUnmetered(model, meter))
    elif model is not None:
        sources.append(model)
    return tuple(sources)


def _recorder(config: Config, state: EngineState) -> JobRecorder | None:
    if not config.archive.enabled:
        return None
    # It brings SQLite along.
    from exporter.pipeline.archive import Archive  # noqa: PLC0415 - see above

    archive = Archive(
        config.state.archive_file,
        retention_s=config.archive.retention_s,
        running=running_keys(state.ledger),
        errors=state.source_errors.setdefault("archive", {}),
    )
    return JobRecorder(archive)


def _watts(value: float | None) -> Watts | None:
    return None if value is None else Watts(value)
