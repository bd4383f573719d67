"""Composition root: the only file that names concrete sources.

What the daemon reads is the tuples below, in this order; nothing registers
itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import daemon
from exporter.bootstrap_workloads import build_schedulers
from exporter.carbon.static import FixedIntensity, FixedPue
from exporter.carbon.yearly import YearlyIntensity
from exporter.config import Config, Embodied
from exporter.core.archive import JobArchive
from exporter.core.model import Component
from exporter.core.ports import (
    GpuInventory,
    IntensitySource,
    PowerDriver,
    PowerSource,
    PueSource,
    WorkloadSource,
)
from exporter.core.units import Grams, GramsPerKwh, Seconds, Watts
from exporter.pipeline.checkpoint import Checkpoint, read_boot_id
from exporter.pipeline.engine import Engine
from exporter.pipeline.idle_store import IdleStore
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
from exporter.workloads.node_usage import PsutilNodeUsage, busy_seconds

if TYPE_CHECKING:
    from exporter.core.embodied import EmbodiedCarbon
    from exporter.stand_ins import StandIns
    from exporter.workloads.slurm.hub_jobs import HubJobs

_Work = Callable[[asyncio.Event], Awaitable[None]]

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


def build_intensity(config: Config) -> IntensitySource:
    """Return the intensity that is configured; a live one as it was last kept.

    Raises:
        ConfigError: nobody knows the zone, or a file cannot be used.
    """
    carbon = config.carbon
    if carbon.is_live:
        # Most daemons get what is live by way of ``build_live``, or not at all.
        from exporter.carbon.configured import live_source  # noqa: PLC0415 - above

        return live_source(carbon, config.state.dir).chain
    if carbon.intensity_g_per_kwh is not None:
        value = GramsPerKwh(carbon.intensity_g_per_kwh)
        return FixedIntensity(value, carbon.zone or "custom")
    return YearlyIntensity(carbon.zone)


def build_pue(config: Config) -> PueSource:
    """Return the power usage effectiveness that is configured."""
    if config.pue_schedule is None:
        return FixedPue(config.pue)
    # Few sites have one.
    from exporter.carbon.pue_schedule import scheduled_pue  # noqa: PLC0415 - above
    from exporter.config.pue_rules import parse_pue_rules  # noqa: PLC0415 - above

    rules = parse_pue_rules(config.pue_schedule)
    return scheduled_pue(rules, config.time_zone, config.pue)


def build_live(
    config: Config,
    before: Live | None = None,
    fetches: dict[tuple[str, str], int] | None = None,
    hub_jobs: "HubJobs | None" = None,
) -> Live:
    """Return what may change while the daemon runs.

    Args:
        config: what the operator decided.
        before: what was in force until now.
        fetches: counts what is asked of providers, see ``Poller``.
        hub_jobs: gets what the hub tells of jobs of Slurm; ``None``: nobody asks.

    Raises:
        ConfigError: nobody knows the zone, or a file cannot be used.
    """
    idle = config.idle
    configured: list[tuple[Component, float | None]] = [
        ("cpu", idle.cpu_w),
        ("dram", idle.dram_w),
        ("gpu", idle.gpu_w),
    ]
    settings = EngineSettings(
        idle_policy=config.attribution.idle,
        platform_policy=config.attribution.platform,
        idle_w=tuple((c, Watts(w)) for c, w in configured if w is not None),
        max_jobs=config.metrics.max_jobs,
        ended_jobs_s=config.metrics.ended_jobs_s,
        market_intensity=_grams_per_kwh(config.carbon.market_g_per_kwh),
        embodied=_embodied(config.embodied),
    )
    pue = build_pue(config)
    if not config.carbon.is_live:
        return Live(settings, build_intensity(config), pue)
    # It brings what asks the hub along.
    from exporter.carbon.configured import live_source  # noqa: PLC0415 - see above

    in_force = None if before is None else before.intensity
    source = live_source(config.carbon, config.state.dir, fetches, in_force)
    beside: tuple[_Work, ...] = (source.poller.run,)
    if hub_jobs is not None and config.carbon.hub_url is not None:
        # Few sites let nodes ask for jobs.
        from exporter.bootstrap_slurm_hub import build_slurm_hub  # noqa: PLC0415 - above

        beside += (build_slurm_hub(config, config.carbon.hub_url, hub_jobs).run,)
    return Live(settings, source.chain, pue, beside)


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
        model = ModelSource(watts, lambda: busy_seconds(procfs))
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


def _embodied(embodied: Embodied) -> "EmbodiedCarbon | None":
    if embodied.node_kg is None:
        return None
    # Few sites know the figure.
    from exporter.core.embodied import EmbodiedCarbon  # noqa: PLC0415 - see above

    return EmbodiedCarbon(Grams(embodied.node_kg * 1000), Seconds(embodied.lifetime_s))


def _grams_per_kwh(value: float | None) -> GramsPerKwh | None:
    return None if value is None else GramsPerKwh(value)


def _watts(value: float | None) -> Watts | None:
    return None if value is None else Watts(value)
