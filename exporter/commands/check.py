"""``jouled check``: what can be measured on this machine, and why not."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from exporter import logs
from exporter.commands.table import aligned
from exporter.config import add_flags, load

if TYPE_CHECKING:
    from exporter.commands.findings import Finding

_DESCRIPTION = """\
Look at everything the daemon needs: sensors, carbon intensity, directories, port.

Exit code 0 if the energy of the CPU is measured or at least estimated and nothing
is a problem; 1 if something is: a sensor that is there but may not or cannot be
read, a directory that is not writable, a port that is taken (unless by a jouled
that runs here), or an invalid web configuration. A sensor that this machine does
not have is no problem. Nothing is changed, and a daemon that runs is not disturbed.
"""

_EPILOG = """\
examples:
  jouled check
  jouled check --config.file /etc/jouled.yml
  jouled check --json | jq '.findings[] | select(.verdict == "problem")'
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``check`` to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="tell what can be measured on this machine, and why not",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_flags(parser)
    parser.set_defaults(run=check)


def check(args: argparse.Namespace) -> int:
    """Look at everything and print what was found.

    Returns:
        0 if there is no problem, else 1.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    config = load(args, os.environ)
    logs.configure_for_command(config.log.level)
    # It brings sensors and web server along, which --help has no use for.
    from exporter.commands.findings import look  # noqa: PLC0415 - see above

    findings = look(config)
    sys.stdout.write(_as_json(findings) if args.json else _as_table(findings))
    return 1 if _problems(findings) else 0


def _problems(findings: Sequence["Finding"]) -> int:
    return sum(finding.verdict == "problem" for finding in findings)


def _as_json(findings: Sequence["Finding"]) -> str:
    content = {
        "ok": _problems(findings) == 0,
        "findings": [
            {
                "area": finding.area,
                "subject": finding.subject,
                "verdict": finding.verdict,
                "text": finding.text,
            }
            for finding in findings
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _as_table(findings: Sequence["Finding"]) -> str:
    rows = [
        (finding.verdict, finding.area, finding.subject, finding.text)
        for finding in findings
    ]
    count = _problems(findings)
    end = f"{count} to solve" if count else "nothing to solve"
    return "\n".join([*aligned(rows), "", end, ""])
