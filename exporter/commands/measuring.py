"""Reads the sources for a moment, beside a daemon that may be running.

The same sources, sampler and engine as the daemon's, without its state: what is
told here is what the daemon would count.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from exporter.bootstrap import build_sources, release_file
from exporter.bootstrap_live import build_live, build_pue
from exporter.config import Config
from exporter.core.model import DeviceId, Intensity, SourceInfo, SourceStatus
from exporter.core.snapshot import Snapshot
from exporter.core.units import Grams, Joules, Seconds
from exporter.pipeline.engine import Engine
from exporter.pipeline.sampler import Sampler
from exporter.power.nvml.release import ReleaseFiles

# Opening eight GPUs without a persistence daemon takes seconds.
_DEADLINE_S = Seconds(10.0)


@dataclass(frozen=True, slots=True)
class DeviceEnergy:
    """What one device drew.

    Attributes:
        device: which one.
        energy_j: J, >= 0; ``None`` if nothing is known of that time.
        source: what its source is; ``None`` if it gave no reading.
    """

    device: DeviceId
    energy_j: Joules | None
    source: SourceInfo | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the node drew over a time.

    Attributes:
        elapsed_s: over how long, s, > 0.
        devices: each device there was.
        energy_j: of all components, J, >= 0; ``None`` if nothing is known.
        emissions_g: that energy's gCO2e, PUE included; ``None`` likewise.
        intensity: carbon intensity at the end.
        pue: power usage effectiveness.
        sources: how the sources did in the last sample.
    """

    elapsed_s: Seconds
    devices: tuple[DeviceEnergy, ...]
    energy_j: Joules | None
    emissions_g: Grams | None
    intensity: Intensity
    pue: float
    sources: tuple[SourceStatus, ...]


def is_nvml_released(config: Config) -> bool:
    """Whether an operator has asked the daemon to let go of NVML for now."""
    request = ReleaseFiles(release_file(config.state.run_dir)).requested()
    return request is not None and not request.has_expired(Seconds(time.time()))


def beside_daemon(config: Config) -> Config:
    """Return a configuration with which nothing of a running daemon is touched.

    A request to let go of NVML holds here too, but it is the daemon's to answer:
    whoever waits for the answer must not have it from us.
    """
    nvml = config.power.nvml and not is_nvml_released(config)
    return replace(
        config,
        # Nobody is told what they are called, so nobody is asked either.
        kubernetes=replace(config.kubernetes, names="none"),
        power=replace(config.power, nvml=nvml),
        state=replace(config.state, run_dir=config.state.run_dir / "unused"),
    )


def open_sampler(config: Config, interval_s: Seconds) -> Sampler:
    """Start a worker per source, with patience for slow drivers.

    Raises:
        ConfigError: nobody knows the carbon zone.
    """
    return Sampler(
        build_sources(beside_daemon(config), daemons_dir=config.state.run_dir),
        interval_s=interval_s,
        deadline_s=_DEADLINE_S,
        pue=build_pue(config),
    )


def measure(config: Config, seconds: float) -> Measurement:
    """Measure the node.

    Args:
        config: what to read and how.
        seconds: for how long, s, > 0.

    Raises:
        ConfigError: nobody knows the carbon zone.
    """
    interval_s = Seconds(min(seconds, config.sampling.interval_s))
    engine = Engine(build_live(config).settings)
    sources: dict[DeviceId, str] = {}
    with closing(open_sampler(config, interval_s)) as sampler:
        # Drivers find their devices in a first sample; it takes its time.
        sampler.sample()
        sample = sampler.sample()
        start_s = sample.time_s
        end_s = start_s + seconds
        snapshot = engine.fold(sample)
        while sample.time_s < end_s:
            due_s = min(sample.time_s + interval_s, end_s)
            time.sleep(max(0.0, due_s - time.monotonic()))
            sample = sampler.sample()
            snapshot = engine.fold(sample)
            for reading in sample.readings:
                sources[reading.device.id] = reading.device.source
    return _measurement(snapshot, Seconds(snapshot.time_s - start_s), sources)


def _measurement(
    snapshot: Snapshot, elapsed_s: Seconds, sources: Mapping[DeviceId, str]
) -> Measurement:
    """Read totals that started from 0 at the beginning of the measurement."""
    infos = {status.info.name: status.info for status in snapshot.sources}
    devices = tuple(
        DeviceEnergy(
            device=each.device,
            # Without a power there never was an energy, and the total of 0 is none.
            energy_j=None if each.power_w is None else each.energy_j,
            source=infos.get(sources.get(each.device, "")),
        )
        for each in snapshot.devices
    )
    is_measured = any(each.energy_j is not None for each in devices)
    return Measurement(
        elapsed_s=elapsed_s,
        devices=devices,
        energy_j=snapshot.node_energy_j if is_measured else None,
        emissions_g=snapshot.emissions_g if is_measured else None,
        intensity=snapshot.intensity,
        pue=snapshot.pue,
        sources=snapshot.sources,
    )
