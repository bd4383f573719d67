"""``jouled metrics``: every metric there is."""

import argparse
import json
import sys

from exporter.commands.table import aligned
from exporter.exposition.catalogue import CATALOGUE
from exporter.exposition.metric_docs import describe

_DESCRIPTION = """\
Print every metric that the daemon can export: name, type, labels, meaning.

Which of them a node does export depends on its hardware, on its jobs and on the
setting metrics.level; what is not known is an absent series.
"""

_EPILOG = """\
examples:
  jouled metrics
  jouled metrics --json | jq -r '.metrics[] | select(.level == "job") | .name'
  curl -s localhost:9878/metrics
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``metrics`` to the command line."""
    parser = subparsers.add_parser(
        "metrics",
        help="print every metric there is",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print docs/metrics.md")
    form.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=metrics)


def metrics(args: argparse.Namespace) -> int:
    """Print the catalogue.

    Returns:
        0, always.
    """
    if args.markdown:
        text = describe()
    elif args.json:
        text = _as_json()
    else:
        text = _as_text()
    sys.stdout.write(text)
    return 0


def _as_text() -> str:
    rows = [
        (metric.name, metric.type, metric.level, ",".join(metric.labels))
        for metric in CATALOGUE
    ]
    heads = aligned([("NAME", "TYPE", "LEVEL", "LABELS"), *rows])
    lines = [heads[0]]
    for head, metric in zip(heads[1:], CATALOGUE, strict=True):
        lines += [head, f"    {metric.help}"]
    return "\n".join([*lines, ""])


def _as_json() -> str:
    content = {
        "metrics": [
            {
                "name": metric.name,
                "type": metric.type,
                "unit": metric.unit,
                "labels": metric.labels,
                "level": metric.level,
                "help": metric.help,
            }
            for metric in CATALOGUE
        ]
    }
    return json.dumps(content, indent=2) + "\n"
