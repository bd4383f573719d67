"""``jouled hub``: the one poller of a site, in the foreground."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from exporter import logs
from exporter.commands.table import aligned
from exporter.config import add_flags
from exporter.hub.settings import SECTIONS

if TYPE_CHECKING:
    from exporter.hub.config import HubConfig

_DESCRIPTION = """\
Ask for carbon intensity on behalf of all nodes of a site, until told to stop.

One hub serves any number of nodes; a second one beside it, for the days when the
first is down, polls for itself. The file names the grid zones and the providers.
SIGTERM and SIGINT stop it. SIGHUP reads the file again, and refuses it whole if
something in it is wrong.
"""

_EPILOG = """\
examples:
  jouled hub --config.file /etc/jouled/hub.yml
  jouled hub --config.file hub.yml --check
  curl -s 'localhost:9879/api/v1/intensity?zone=DE'

Settings can also be given in the environment: --web.listen-address is
JOULED_HUB__WEB__LISTEN_ADDRESS, and web: {listen_address: …} in the file.
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``hub`` to the command line."""
    parser = subparsers.add_parser(
        "hub",
        help="ask for carbon intensity on behalf of all nodes",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="only read the configuration and say what it comes to",
    )
    add_flags(parser, SECTIONS)
    parser.set_defaults(run=hub)


def hub(args: argparse.Namespace) -> int:
    """Run the hub until it is told to stop, or look at its configuration.

    Returns:
        Its exit code.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    # They bring HTTP along, which --help has no use for.
    from exporter.hub.loading import load  # noqa: PLC0415 - see above

    config = load(args, os.environ)
    if args.check:
        _check_web(config)
        sys.stdout.write(_summary(config))
        return 0
    logs.configure(config.log.level, config.log.format)
    from exporter import bootstrap_hub  # noqa: PLC0415 - see above

    return bootstrap_hub.run(config, lambda: load(args, os.environ))


def _check_web(config: "HubConfig") -> None:
    if config.web.config_file is not None:
        from exporter.exposition.web_config import load_web_config  # noqa: PLC0415 - see above

        load_web_config(config.web.config_file)


def _summary(config: "HubConfig") -> str:
    rows = [
        (
            plan.zone,
            ", ".join(
                name if signal == "average" else f"{name} ({signal})"
                for one in plan.providers
                for name, signal in [(one.traits.name, one.traits.signal)]
            )
            or "its yearly figure alone",
        )
        for plan in config.zones
    ]
    lines = [*aligned([("ZONE", "ASKED, IN THIS ORDER"), *rows])]
    budgets = len(config.budgets.budgets)
    if budgets:
        of_them = "1 budget" if budgets == 1 else f"{budgets} budgets"
        lines += ["", f"{of_them}; jouled budgets check tells what each counts"]
    prometheus = config.budgets.prometheus
    of_cluster = (
        "the page shows no cluster; prometheus: url: in the file turns it on"
        if prometheus is None
        else f"the page shows the cluster that {prometheus.host} knows"
    )
    lines += ["", of_cluster]
    if config.notices:
        lines += ["", *config.notices]
    return "\n".join([*lines, "", "the configuration can be used", ""])
