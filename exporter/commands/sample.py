"""``jouled sample``: what the node draws now, as a table."""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from exporter import logs
from exporter.commands.table import aligned
from exporter.config import add_flags, load
from exporter.config.values import number
from exporter.core.errors import ConfigError

if TYPE_CHECKING:
    from exporter.commands.measuring import DeviceEnergy, Measurement

_SECONDS = number(0.1, 3600)
_SECONDS_PER_HOUR = 3600

_DESCRIPTION = """\
Measure this node for a moment and tell what each device drew.

Nothing is stored, and a daemon that runs here is not disturbed. Exit code 0 if
any energy was measured or estimated, 1 if none was; `jouled check` tells why.
"""

_EPILOG = """\
examples:
  jouled sample
  jouled sample --seconds 10 --carbon.zone DE
  jouled sample --json | jq .power_watts
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``sample`` to the command line."""
    parser = subparsers.add_parser(
        "sample",
        help="tell what this node draws now",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--seconds",
        default="1",
        metavar="NUMBER",
        help=f"for how long to measure, {_SECONDS.expected} (default: 1)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_flags(parser)
    parser.set_defaults(run=sample)


def sample(args: argparse.Namespace) -> int:
    """Measure once and print it.

    Returns:
        0 if any energy was measured or estimated, else 1.

    Raises:
        ConfigError: the command line or the configuration cannot be used.
    """
    seconds = _seconds(args.seconds)
    config = load(args, os.environ)
    logs.configure_for_command(config.log.level)
    # It brings the sensors along, which --help has no use for.
    from exporter.commands.measuring import measure  # noqa: PLC0415 - see above

    measurement = measure(config, seconds)
    text = _as_json(measurement) if args.json else _as_table(measurement)
    sys.stdout.write(text)
    return 0 if measurement.energy_j is not None else 1


def _seconds(text: str) -> float:
    try:
        return _SECONDS.parse(text)
    except ValueError as error:
        msg = f"--seconds: expected {_SECONDS.expected}, got {text!r}"
        raise ConfigError(msg) from error


def _as_json(measurement: "Measurement") -> str:
    intensity = measurement.intensity
    content = {
        "seconds": measurement.elapsed_s,
        "power_watts": _per_second(measurement.energy_j, measurement),
        "energy_joules": measurement.energy_j,
        "emissions_grams_per_hour": _per_hour(measurement),
        "pue": measurement.pue,
        "carbon_intensity": {
            "grams_per_kwh": intensity.value,
            "zone": intensity.zone,
            "provider": intensity.provider,
            "fallback_level": intensity.fallback_level,
        },
        "devices": [
            {
                "component": each.device.component,
                "device": each.device.name,
                "power_watts": _per_second(each.energy_j, measurement),
                "energy_joules": each.energy_j,
                "source": None if each.source is None else each.source.name,
                "method": None if each.source is None else each.source.method,
                "quality": None if each.source is None else each.source.quality,
            }
            for each in measurement.devices
        ],
        "sources_down": [
            {
                "source": status.info.name,
                "reason": status.reason,
                "message": status.message,
            }
            for status in measurement.sources
            if not status.up
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _as_table(measurement: "Measurement") -> str:
    header = ("component", "device", "watts", "joules", "method", "quality")
    rows = [header, *(_row(each, measurement) for each in measurement.devices)]
    power_w = _per_second(measurement.energy_j, measurement)
    rows.append(("total", "", _figure(power_w), _figure(measurement.energy_j), "", ""))
    intensity = measurement.intensity
    carbon = (
        f"{_figure(_per_hour(measurement))} gCO2e per hour, at "
        f"{intensity.value:g} g/kWh ({intensity.zone}, {intensity.provider}) "
        f"and a PUE of {measurement.pue:g}; measured for {measurement.elapsed_s:.2f} s"
    )
    down = [
        f"not read: {status.info.name} ({status.reason}): {status.message}"
        for status in measurement.sources
        # What this machine does not have is only worth a line if nothing is left.
        if not status.up and (status.reason != "absent" or power_w is None)
    ]
    return "\n".join([*aligned(rows, right={2, 3}), "", carbon, *down, ""])


def _row(each: "DeviceEnergy", measurement: "Measurement") -> tuple[str, ...]:
    return (
        each.device.component,
        each.device.name,
        _figure(_per_second(each.energy_j, measurement)),
        _figure(each.energy_j),
        "" if each.source is None else each.source.method,
        "" if each.source is None else each.source.quality,
    )


def _per_second(amount: float | None, measurement: "Measurement") -> float | None:
    return None if amount is None else amount / measurement.elapsed_s


def _per_hour(measurement: "Measurement") -> float | None:
    rate = _per_second(measurement.emissions_g, measurement)
    return None if rate is None else rate * _SECONDS_PER_HOUR


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
