"""``jouled run``: the daemon in the foreground."""

import argparse
import os

from exporter import logs
from exporter.config import add_flags, load

_DESCRIPTION = """\
Measure this node and serve its metrics until told to stop.

SIGTERM and SIGINT stop it in order. SIGHUP reads the configuration again;
settings that need a restart are named in the log.
"""

_EPILOG = """\
examples:
  jouled run --carbon.zone DE --pue 1.3
  jouled run --web.listen-address 127.0.0.1:9878 --log.level debug
  JOULED_METRICS__LEVEL=tenant jouled run --config.file /etc/jouled.yml
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``run`` to the command line."""
    parser = subparsers.add_parser(
        "run",
        help="measure this node and serve its metrics",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the daemon until it is told to stop.

    Returns:
        Its exit code.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    config = load(args, os.environ)
    logs.configure(config.log.level, config.log.format)
    # The daemon brings the web server along, which --help has no use for.
    from exporter import bootstrap  # noqa: PLC0415 - see above

    return bootstrap.run(config, lambda: load(args, os.environ))
