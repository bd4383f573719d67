"""``jouled jobs``: what the jobs of this node used, from the archive."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import get_args

from exporter.commands.text import write
from exporter.config import Config, State, add_flags, load
from exporter.config.moments import MOMENT_TEXT, parse_moment
from exporter.config.state_dirs import usable_state
from exporter.config.values import integer
from exporter.core.archive import JobOrder, JobQuery
from exporter.core.errors import ArchiveError, ConfigError

_LIMIT = integer(1, 1_000_000)
_DEFAULT_LIMIT = 50
_ANSWER_S = 60.0
# The order of pages means nothing to a person.
_ORDERS = tuple(order for order in get_args(JobOrder) if order != "newest")
_DESCRIPTION = """\
List jobs of this node: energy, carbon, CPU and GPU use.

It reads the archive, whether the daemon runs or not; of a job that is running the
archive is up to a minute old. A job belongs to the time in which it ended. Its
totals are those of this node only.

Exit code 0 if the archive could be read, even if no job is in it; else 1.
"""

_EPILOG = """\
examples:
  jouled jobs --since 7d
  jouled jobs --user ada --since 2026-11-01 --until 2026-12-01
  jouled jobs --sort energy --limit 10
  jouled jobs --job 4200 --json | jq '.jobs[0].energy_j'
  jouled jobs --since 30d --limit 100000 --csv > jobs.csv
"""


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``jobs`` to the command line."""
    parser = subparsers.add_parser(
        "jobs",
        help="list jobs of this node, and what they used",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("--user", metavar="NAME", help="jobs of this user only")
    parser.add_argument(
        "--account",
        metavar="NAME",
        help="jobs of this Slurm account or Kubernetes namespace only",
    )
    parser.add_argument("--job", metavar="ID", help="this job only, all of its runs")
    parser.add_argument(
        "--since", metavar="TIME", help=f"ended then or later: {MOMENT_TEXT}"
    )
    parser.add_argument("--until", metavar="TIME", help="ended before then")
    parser.add_argument(
        "--sort",
        choices=_ORDERS,
        default="end",
        help="which come first: the latest, or those with the most (default: end)",
    )
    parser.add_argument(
        "--limit",
        metavar="NUMBER",
        default=str(_DEFAULT_LIMIT),
        help=f"how many to list, {_LIMIT.expected} (default: {_DEFAULT_LIMIT})",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print JSON, as /api/v1/jobs has it"
    )
    form.add_argument("--csv", action="store_true", help="print CSV, a line per job")
    add_flags(parser)
    parser.set_defaults(run=jobs)


def jobs(args: argparse.Namespace) -> int:
    """List jobs.

    Returns:
        0 if the archive could be read, else 1.

    Raises:
        ConfigError: the command line or the configuration cannot be used.
    """
    query = _query(args)
    path = _archive(load(args, os.environ))
    # They bring SQLite along, which --help has no use for.
    from exporter.commands import jobs_forms  # noqa: PLC0415 - see above
    from exporter.pipeline.archive_reader import ArchiveReader  # noqa: PLC0415 - above

    reader = ArchiveReader(path, _ANSWER_S)
    try:
        page, sums = reader.find(query), reader.sums(query)
    except ArchiveError as error:
        sys.stderr.write(f"jouled: error: {error}\n")
        return 1
    if args.json:
        write(jobs_forms.as_json(path, page, sums))
    elif args.csv:
        write(jobs_forms.as_csv(page))
    else:
        write(jobs_forms.as_table(path, page, sums))
    return 0


def _query(args: argparse.Namespace) -> JobQuery:
    now_unix_s = time.time()
    moments: dict[str, float | None] = {}
    for name in ("since", "until"):
        text = getattr(args, name)
        try:
            moments[name] = None if text is None else parse_moment(text, now_unix_s)
        except ValueError as error:
            msg = f"--{name}: {error}"
            raise ConfigError(msg) from error
    try:
        limit = _LIMIT.parse(args.limit)
    except ValueError as error:
        msg = f"--limit: expected {_LIMIT.expected}, got {args.limit!r}"
        raise ConfigError(msg) from error
    return JobQuery(
        since_unix_s=moments["since"],
        until_unix_s=moments["until"],
        user=args.user,
        account=args.account,
        job_id=args.job,
        order=args.sort,
        limit=limit,
    )


def _archive(config: Config) -> Path:
    """Return the file to read: that of the configuration, or of the system.

    A user without rights has a state directory of their own, where most never had
    a daemon.
    """
    path = config.state.archive_file
    is_root = os.geteuid() == 0
    own = usable_state(State(), (), os.environ, is_root=is_root)
    if config.state.dir == own.dir and not path.exists():
        return State().archive_file
    return path
