"""Looks at everything the daemon needs on this node, and says what it finds."""

import fcntl
import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exporter.bootstrap import release_file
from exporter.commands.figures import time_text
from exporter.commands.measuring import is_nvml_released, open_sampler
from exporter.commands.text import harmless
from exporter.config import Carbon, Config
from exporter.core.errors import ConfigError
from exporter.core.model import (
    COMPONENTS,
    Component,
    Intensity,
    Reading,
    Sample,
    SourceInfo,
    SourceStatus,
)
from exporter.core.ports import IntensitySource
from exporter.core.units import Seconds, Watts
from exporter.exposition.server import bind
from exporter.exposition.web_config import load_web_config
from exporter.power.model_watts import model_watts

Verdict = Literal["ok", "note", "problem"]

# Sampled twice, and nothing is integrated between: any interval will do.
_INTERVAL_S = Seconds(1.0)

_LAST_GOOD = 1
_FALLBACK_TEXT = {
    0: "live",
    1: "the last good value",
    2: "the yearly figure of the zone",
    3: "the yearly figure of the world; set carbon.zone",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: "source", "energy", "pods", "carbon", "state" or "web".
        subject: what was looked at.
        verdict: "problem" if an operator has to act; "note" if they may.
        text: what was found, with the remedy.
    """

    area: str
    subject: str
    verdict: Verdict
    text: str


def look(config: Config) -> tuple[Finding, ...]:
    """Look at everything.

    Raises:
        ConfigError: nobody knows the carbon zone.
    """
    with closing(open_sampler(config, _INTERVAL_S)) as sampler:
        # Drivers find their devices in a first sample.
        sampler.sample()
        sample = sampler.sample()
    return (
        *_source_findings(config, sample),
        *_energy_findings(sample),
        *_pods_findings(config, sample),
        *_carbon_findings(config.carbon, sampler.intensity),
        _directory_finding("run directory", "state.run_dir", config.state.run_dir),
        _directory_finding("state directory", "state.dir", config.state.dir),
        _address_finding(config),
        _web_config_finding(config.web.config_file),
    )


# --- what is read -----------------------------------------------------------


def _source_findings(config: Config, sample: Sample) -> list[Finding]:
    findings = [_source_finding(config, status, sample) for status in sample.sources]
    for key, is_on in (
        ("power.rapl", config.power.rapl),
        ("power.nvml", config.power.nvml),
        ("power.model", config.power.model != "off"),
    ):
        if not is_on:
            name = key.partition(".")[2]
            findings.append(Finding("source", name, "note", f"turned off by {key}"))
    if config.power.nvml and is_nvml_released(config):
        text = f"let go of, as {release_file(config.state.run_dir)} asks"
        findings.append(Finding("source", "nvml", "note", text))
    return findings


def _source_finding(config: Config, status: SourceStatus, sample: Sample) -> Finding:
    info = status.info
    if not status.up:
        verdict: Verdict = "note" if status.reason == "absent" else "problem"
        text = f"{status.reason}: {status.message}"
        return Finding("source", info.name, verdict, text)
    devices = [
        _device_text(reading)
        for reading in sample.readings
        if reading.device.source == info.name
    ]
    text = ", ".join(devices) or "readable"
    if info.method == "modelled":
        text = f"{text}: {_model_basis(config)}"
    return Finding("source", info.name, "ok", text)


def _device_text(reading: Reading) -> str:
    device = reading.device.id
    model = "" if reading.gpu is None else f" ({reading.gpu.info.model})"
    return f"{device.component} {device.name}{model}"


def _model_basis(config: Config) -> str:
    idle_w, max_w = config.power.model_idle_w, config.power.model_max_w
    return model_watts(
        config.path.procfs,
        None if idle_w is None else Watts(idle_w),
        None if max_w is None else Watts(max_w),
    ).basis


def _energy_findings(sample: Sample) -> list[Finding]:
    infos = {status.info.name: status.info for status in sample.sources}
    sources: dict[Component, dict[str, None]] = {}
    for reading in sample.readings:
        device = reading.device
        sources.setdefault(device.id.component, {})[device.source] = None
    return [
        _component_finding(
            component, [infos[name] for name in sources.get(component, ())]
        )
        for component in COMPONENTS
    ]


def _component_finding(component: Component, infos: list[SourceInfo]) -> Finding:
    if infos:
        qualities = " and ".join(dict.fromkeys(info.quality for info in infos))
        # A driver's devices are sources of their own: "nvml/GPU-…".
        names = ", ".join(dict.fromkeys(info.name.partition("/")[0] for info in infos))
        return Finding("energy", component, "ok", f"{qualities} by {names}")
    if component == "cpu":
        text = "neither measured nor estimated; see the sources above"
        return Finding("energy", component, "problem", text)
    return Finding("energy", component, "note", "not measured")


def _pods_findings(config: Config, sample: Sample) -> tuple[Finding, ...]:
    is_here = any(each.scheduler == "kubernetes" for each in sample.workloads)
    if not is_here:
        return ()
    # Most nodes have none.
    from exporter.commands.pods_findings import look_at_pods  # noqa: PLC0415 - above

    return look_at_pods(config)


def _carbon_findings(carbon: Carbon, source: IntensitySource) -> list[Finding]:
    unix_s = Seconds(time.time())
    if not carbon.is_live:
        return [_carbon_finding(source.current(unix_s), unix_s)]
    # It brings along what asks, which most nodes have no use for.
    from exporter.commands.carbon_findings import look_at_live  # noqa: PLC0415 - above

    finding, intensity = look_at_live(carbon, source)
    return [finding, _carbon_finding(intensity, unix_s)]


def _carbon_finding(intensity: Intensity, unix_s: Seconds) -> Finding:
    verdict: Verdict = "ok" if intensity.fallback_level < 3 else "note"  # noqa: PLR2004 - a level of the model
    level, observed_unix_s = intensity.fallback_level, intensity.observed_unix_s
    quality = (
        "fixed" if observed_unix_s is None and not level else _FALLBACK_TEXT[level]
    )
    if observed_unix_s is not None and level <= _LAST_GOOD:
        quality += f", {time_text(max(0.0, unix_s - observed_unix_s))} old"
    text = (
        f"{intensity.value:g} gCO2e per kWh from {harmless(intensity.provider)}: "
        f"{quality}"
    )
    return Finding("carbon", intensity.zone, verdict, text)


# --- where it runs ----------------------------------------------------------


def _directory_finding(subject: str, key: str, directory: Path) -> Finding:
    nearest = directory
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    is_there = nearest == directory
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
        text = f"{directory} is writable" if is_there else f"{directory} can be made"
        return Finding("state", subject, "ok", text)
    reason = f"{nearest} is not a writable directory; grant access or set {key}"
    text = reason if is_there else f"{directory} cannot be made: {reason}"
    return Finding("state", subject, "problem", text)


def _address_finding(config: Config) -> Finding:
    address = config.web.listen_address
    try:
        sockets = bind(address)
    except OSError as error:
        if _daemon_runs(config.state.run_dir):
            text = f"{address} is taken, and a jouled runs here"
            return Finding("web", "address", "ok", text)
        text = f"cannot listen on {address}: {error.strerror}; set web.listen_address"
        return Finding("web", "address", "problem", text)
    for each in sockets:
        each.close()
    return Finding("web", "address", "ok", f"{address} is free")


def _daemon_runs(run_dir: Path) -> bool:
    """Whether a daemon holds the lock of this run directory."""
    try:
        with (run_dir / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _web_config_finding(path: Path | None) -> Finding:
    if path is None:
        text = "none: plain HTTP, open to everyone who can reach the address"
        return Finding("web", "web.config_file", "note", text)
    try:
        load_web_config(path)
    except ConfigError as error:
        return Finding("web", "web.config_file", "problem", str(error))
    return Finding("web", "web.config_file", "ok", f"{path} is valid")
