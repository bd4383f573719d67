"""Composition root of what a reload may change: carbon, PUE, what operators decide."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from exporter.carbon.static import FixedIntensity, FixedPue
from exporter.carbon.yearly import YearlyIntensity
from exporter.config import Config, Embodied
from exporter.core.model import Component
from exporter.core.ports import IntensitySource, PueSource
from exporter.core.units import Grams, GramsPerKwh, Seconds, Watts
from exporter.pipeline.runner import Live
from exporter.pipeline.state import EngineSettings

if TYPE_CHECKING:
    from exporter.core.embodied import EmbodiedCarbon
    from exporter.workloads.slurm.hub_jobs import HubJobs

_Work = Callable[[asyncio.Event], Awaitable[None]]


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


def _embodied(embodied: Embodied) -> "EmbodiedCarbon | None":
    if embodied.node_kg is None:
        return None
    # Few sites know the figure.
    from exporter.core.embodied import EmbodiedCarbon  # noqa: PLC0415 - see above

    return EmbodiedCarbon(Grams(embodied.node_kg * 1000), Seconds(embodied.lifetime_s))


def _grams_per_kwh(value: float | None) -> GramsPerKwh | None:
    return None if value is None else GramsPerKwh(value)
