"""``jouled budgets``: how the carbon budgets of a hub stand."""

import argparse
import sys
from pathlib import Path

from exporter.commands.text import write
from exporter.core.errors import ConfigError

_HUB = "http://localhost:9879"
_DESCRIPTION = """\
Show how the budgets of a hub stand: what they allow, what is spent, and what will be.

Exit code 0 if the hub could be asked, else 1.
"""
_EPILOG = """\
examples:
  jouled budgets
  jouled budgets --hub https://hub.example.org:9879 --ca-file /etc/jouled/ca.pem
  jouled budgets --json | jq '.budgets[] | select(.spent_ratio > 0.8) | .name'
  jouled budgets check /etc/jouled/hub.yml
"""
_CHECK_DESCRIPTION = """\
Read the budgets in a hub's file, and tell what each of them counts.

Prometheus, as the file names it, is asked which counters match now. Exit code 0 if
the budgets can be used, whatever Prometheus says; 2 if they cannot.
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``budgets`` to the command line."""
    parser = subparsers.add_parser(
        "budgets",
        help="tell how the carbon budgets of a hub stand",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--hub", metavar="URL", default=_HUB, help=f"address of the hub ({_HUB})"
    )
    parser.add_argument(
        "--ca-file", metavar="FILE", type=Path, help="authorities to trust, PEM"
    )
    parser.add_argument(
        "--username", metavar="NAME", default="", help="for basic authentication"
    )
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="file of the password"
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, as /api/v1/budgets has it"
    )
    parser.set_defaults(run=budgets)
    checking = parser.add_subparsers(title="sub-commands", metavar="")
    check_parser = checking.add_parser(
        "check",
        help="read the budgets in a hub's file, and tell what each counts",
        description=_CHECK_DESCRIPTION,
    )
    check_parser.add_argument("file", metavar="FILE", type=Path, help="the hub's file")
    check_parser.add_argument(
        "--offline", action="store_true", help="do not ask Prometheus what matches"
    )
    check_parser.set_defaults(run=check)


def budgets(args: argparse.Namespace) -> int:
    """Show how the budgets of a hub stand.

    Returns:
        0 if the hub could be asked, else 1.

    Raises:
        ConfigError: the command line cannot be used.
    """
    if bool(args.username) != (args.password_file is not None):
        msg = "--username and --password-file belong together"
        raise ConfigError(msg)
    # They bring HTTP along, which --help has no use for.
    from exporter.commands import budgets_hub, budgets_table  # noqa: PLC0415 - above

    try:
        answer = budgets_hub.ask(
            args.hub, args.ca_file, args.username, args.password_file
        )
    except budgets_hub.HubError as error:
        sys.stderr.write(f"jouled: error: {error}\n")
        return 1
    write(
        answer.model_dump_json(indent=2) + "\n"
        if args.json
        else budgets_table.table(answer)
    )
    return 0


def check(args: argparse.Namespace) -> int:
    """Read the budgets in a file.

    Returns:
        0, if they can be used.

    Raises:
        ConfigError: they cannot.
    """
    # As above.
    from exporter.commands import budgets_check  # noqa: PLC0415 - above
    from exporter.config.document import read_document  # noqa: PLC0415 - above
    from exporter.hub.budgets.reading import read_plan  # noqa: PLC0415 - above

    plan = read_plan(read_document(args.file, "file of a hub", "budgets"))
    write(budgets_check.report(plan, offline=args.offline))
    return 0
