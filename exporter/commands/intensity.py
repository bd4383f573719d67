"""``jouled intensity``: how clean the grid is now, and when it will be cleanest."""

import argparse
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter import logs
from exporter.commands import text
from exporter.config import Carbon, Config, add_flags, load
from exporter.config.values import duration
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds

if TYPE_CHECKING:
    from exporter.commands.intensity_forms import Grid

_DAY_S = 86400.0
_LENGTH = duration(60, 7 * _DAY_S)

_DESCRIPTION = """\
Tell the carbon intensity of a grid now, what is expected of the next hours, and
when some hours of work would emit least.

Asked is what the configuration names: a hub, a file or a public service. If it
names none, the public service of the zone is asked this once, and a daemon with
the same configuration goes on with the yearly figure.
"""

_EPILOG = """\
examples:
  jouled intensity --zone DE
  jouled intensity --zone GB --window 8h          the best 8 hours for a job
  jouled intensity --zone DE --forecast           everything that is forecast
  jouled intensity --config.file /etc/jouled/jouled.yml --json

Exit code 0 if the figure is live or fixed by the operator, 1 if it is a fallback;
then the reason is on standard error.
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``intensity`` to the command line."""
    parser = subparsers.add_parser(
        "intensity",
        help="tell how clean the grid is, and when it will be cleanest",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--forecast",
        action="store_true",
        help="show all that is forecast, not the next 24 hours only",
    )
    parser.add_argument(
        "--window",
        default="3h",
        metavar="DURATION",
        help="length of the cleanest time that is looked for (default: 3h)",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        help="ask nobody that the configuration does not name",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_flags(parser, shorter={"carbon.zone": "--zone"})
    parser.set_defaults(run=intensity)


def intensity(args: argparse.Namespace) -> int:
    """Ask once and print it.

    Returns:
        0 if the figure is live or fixed, else 1.

    Raises:
        ConfigError: the command line or the configuration cannot be used.
    """
    window_s = _window_s(args.window)
    config = load(args, os.environ)
    logs.configure_for_command(config.log.level)
    grid, problem = _look(config, offline=args.offline)
    # It is of no use to --help.
    from exporter.commands import intensity_forms  # noqa: PLC0415 - see above

    if args.json:
        sys.stdout.write(intensity_forms.as_json(grid, window_s))
    else:
        text.write(intensity_forms.as_text(grid, window_s, whole=args.forecast))
    if problem:
        sys.stderr.write(f"jouled: {problem}\n")
    return 1 if grid.intensity.fallback_level else 0


def _window_s(text: str) -> Seconds:
    try:
        return Seconds(_LENGTH.parse(text))
    except ValueError as error:
        msg = f"--window: expected {_LENGTH.expected}, got {text!r}"
        raise ConfigError(msg) from error


def _look(config: Config, *, offline: bool) -> "tuple[Grid, str]":
    """Return what the grid is like, and why it is not known better; "" if it is."""
    # They bring along what asks, which --help has no use for.
    from exporter.bootstrap_live import build_intensity  # noqa: PLC0415 - see above
    from exporter.commands.intensity_forms import Grid  # noqa: PLC0415 - see above

    carbon, problem = _who_is_asked(config.carbon, offline=offline)
    source = build_intensity(replace(config, carbon=carbon))
    if carbon.is_live:
        from exporter.commands.carbon_once import ask_once  # noqa: PLC0415 - see above

        source, status = ask_once(carbon, source)
        if status.error:
            problem = f"{status.provider} does not tell: {status.error}"
    unix_s = Seconds(time.time())
    return Grid(unix_s, source.current(unix_s), source.forecast(unix_s)), problem


def _who_is_asked(carbon: Carbon, *, offline: bool) -> tuple[Carbon, str]:
    """Ask the public service of the zone if nobody else is named."""
    if carbon.is_live or carbon.intensity_g_per_kwh is not None:
        return carbon, ""
    if carbon.zone is None:
        return carbon, "no zone is named; give one such as --zone DE"
    if offline:
        return carbon, "nobody is asked; see carbon.hub_url, carbon.file, carbon.direct"
    # It brings httpx along.
    from exporter.carbon.auto import provider_for  # noqa: PLC0415 - see above

    if provider_for(carbon.zone) is None:
        return carbon, (
            f"no public service without a token tells the zone {carbon.zone}; a hub "
            "can ask one with a token, see carbon.hub_url"
        )
    return replace(carbon, direct=True), ""
