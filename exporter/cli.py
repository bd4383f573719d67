"""The command line: picks the sub-command and turns its end into an exit code.

Exit codes: 0 done; 1 the sub-command says no, or its output cannot be written;
2 the command line or the configuration cannot be used; 130 interrupted; 141 the
reader of our output went away. The last two are what a shell reports of other
programs.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from exporter.commands import (
    budgets,
    check,
    gpu,
    hub,
    intensity,
    jobs,
    metrics,
    run,
    sample,
    simulate,
)
from exporter.config import SETTINGS, hint
from exporter.core.errors import ConfigError

_EXIT_NO = 1
_EXIT_USAGE = 2
_EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141

# A report is sent to a file, and the disk is full.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_EXAMPLES = """\
examples:
  jouled check                   what can be measured on this machine, and why not
  jouled sample --seconds 10     where the energy of the next 10 seconds goes
  jouled jobs --since 7d         what the jobs of the last week used
  jouled intensity --zone DE     how clean the grid is, and when it will be cleaner
  jouled run --carbon.zone DE    serve metrics on port 9878
  jouled run --config.file /etc/jouled.yml
  jouled simulate                a node that is not there, to look at
  jouled run --help              every setting, with its default

Every setting can also be given in the file or the environment:
--carbon.zone DE is carbon: {zone: DE} and JOULED_CARBON__ZONE=DE.
"""


_COMMANDS = (
    run,
    hub,
    check,
    sample,
    intensity,
    jobs,
    budgets,
    metrics,
    gpu,
    simulate,
)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which guesses no flag."""

    def __init__(
        self,
        *,
        allow_abbrev: bool = False,
        formatter_class: type[
            argparse.HelpFormatter
        ] = argparse.RawDescriptionHelpFormatter,
        **options: object,
    ) -> None:
        super().__init__(
            allow_abbrev=allow_abbrev,
            formatter_class=formatter_class,
            **options,  # type: ignore[arg-type]
        )

    def error(self, message: str) -> NoReturn:
        """Report a wrong command line like any other wrong configuration."""
        msg = f"{message}; see {self.prog} --help"
        raise ConfigError(msg)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; by default the process'.

    Returns:
        The exit code.
    """
    try:
        try:
            return _run(argv)
        finally:
            # Now, not at exit, where nobody could handle a broken pipe.
            sys.stdout.flush()
    except ConfigError as error:
        # A path or a file may hold a line end; the message stays one line.
        message = " ".join(str(error).splitlines())
        sys.stderr.write(f"jouled: error: {message}\n")
        return _EXIT_USAGE
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        _leave_output()
        return _EXIT_BROKEN_PIPE
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _leave_output()
        sys.stderr.write(f"jouled: error: cannot write: {error.strerror}\n")
        return _EXIT_NO


def _leave_output() -> None:
    """Let what is not written yet go nowhere.

    The interpreter flushes once more at exit and would complain.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _run(argv: Sequence[str] | None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    flags = [setting.flag for setting in SETTINGS]
    first = _name(arguments[0]) if arguments else ""
    if first in flags:
        msg = f"{first} belongs behind a sub-command: jouled run {first} ..."
        raise ConfigError(msg)
    parser = _build_parser()
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = _name(unknown[0])
        meant = hint(name, flags, prefix="--")
        msg = f"no such argument: {name}{meant}; see jouled --help"
        raise ConfigError(msg)
    if args.version:
        # Looking it up is slow, and --help must not be.
        from exporter.version import version  # noqa: PLC0415 - see above

        sys.stdout.write(f"jouled {version()}\n")
        return 0
    if args.run is None:
        parser.print_help(sys.stderr)
        return _EXIT_USAGE
    code: int = args.run(args)
    return code


def _name(argument: str) -> str:
    return argument.partition("=")[0]


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jouled",
        description="Energy and carbon of every job on this node, for Prometheus.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.set_defaults(run=None)
    subparsers = parser.add_subparsers(title="sub-commands", metavar="SUB-COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    return parser
