"""``jouled metrics``: every metric there is."""

import argparse
import json
import sys

from exporter.commands.table import aligned
from exporter.exposition.catalogue import CATALOGUE
from exporter.exposition.metric import Metric
from exporter.exposition.metric_docs import describe

_DESCRIPTION = """\
Print every metric that a node and the hub can export: name, type, labels, meaning.

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
        # Every sub-command reads this file, and only this one needs the hub's.
        from exporter.hub.metric_docs import describe as describe_hub  # noqa: PLC0415 - see above

        text = describe() + describe_hub()
    elif args.json:
        text = _as_json()
    else:
        text = _as_text()
    sys.stdout.write(text)
    return 0


def _as_text() -> str:
    every = _every()
    rows = [
        (metric.name, metric.type, level, ",".join(metric.labels))
        for level, metric in every
    ]
    heads = aligned([("NAME", "TYPE", "LEVEL", "LABELS"), *rows])
    lines = [heads[0]]
    for head, (_, metric) in zip(heads[1:], every, strict=True):
        lines += [head, f"    {metric.help}"]
    return "\n".join([*lines, ""])


def _every() -> list[tuple[str, Metric]]:
    """List the metrics of a node by their level, then those of the hub alone."""
    # As above.
    from exporter.hub.catalogue import CATALOGUE as HUB_CATALOGUE  # noqa: PLC0415 - see above

    nodes = [(str(metric.level), metric) for metric in CATALOGUE]
    return nodes + [("hub", one) for one in HUB_CATALOGUE if one not in CATALOGUE]


def _as_json() -> str:
    content = {
        "metrics": [
            {
                "name": metric.name,
                "type": metric.type,
                "unit": metric.unit,
                "labels": metric.labels,
                "level": level,
                "help": metric.help,
            }
            for level, metric in _every()
        ]
    }
    return json.dumps(content, indent=2) + "\n"
