"""``jouled gpu``: let go of the NVIDIA driver for maintenance, and resume."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from exporter.config import add_flags, load, parse_duration_s
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds
from exporter.power.nvml.release import REQUEST_NAME, ReleaseFiles, ReleaseRequest

_DESCRIPTION = """\
Let the daemon go of the NVIDIA driver, and take it up again.

While it reads the GPUs, their MIG mode cannot be changed, and the driver can be
neither reset nor unloaded. Everything else is measured on meanwhile.
"""

_EPILOG = """\
examples:
  jouled gpu release && nvidia-smi -i 0 -mig 1; jouled gpu resume
  jouled gpu release --for 10m
  jouled gpu status

Exit code 0 if the daemon did it, 1 if it did not answer in time, or not before
the time of --for was over. It does not answer while a call into the driver hangs.
"""

_TIMEOUT_S = 10.0
_POLL_S = 0.05


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``gpu`` and its three sub-commands to the command line."""
    gpu = subparsers.add_parser(
        "gpu",
        help="let the daemon go of the NVIDIA driver for maintenance",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    actions = gpu.add_subparsers(
        title="sub-commands", metavar="SUB-COMMAND", required=True
    )
    release_parser = actions.add_parser(
        "release", help="let go, and wait until it is done", epilog=_EPILOG
    )
    release_parser.add_argument(
        "--for",
        dest="duration",
        metavar="DURATION",
        help="resume by itself after this time, such as 10m "
        "(default: not before 'jouled gpu resume')",
    )
    resume_parser = actions.add_parser(
        "resume", help="take the driver up again, and wait until it is done"
    )
    status_parser = actions.add_parser(
        "status", help="tell whether the driver is let go of"
    )
    for parser in (release_parser, resume_parser):
        parser.add_argument(
            "--timeout",
            metavar="DURATION",
            help="how long to wait for the daemon (default: 10s and two intervals)",
        )
    for parser, function in (
        (release_parser, release),
        (resume_parser, resume),
        (status_parser, status),
    ):
        add_flags(parser)
        parser.set_defaults(run=function)


def release(args: argparse.Namespace) -> int:
    """Ask the daemon to let go of NVML, and wait for it.

    Returns:
        0 once it did; 1 if it did not in time, or could not be asked. A request
        without an answer stays, and is obeyed when the daemon can, unless the
        time it was for is over: then nobody obeys it any more.

    Raises:
        ConfigError: the command line or the configuration cannot be used.
    """
    files, timeout_s = _files_and_timeout(args)
    until_unix_s = None
    if args.duration is not None:
        until_unix_s = Seconds(time.time() + _duration_s("--for", args.duration))
    try:
        request = files.ask(until_unix_s, mark=f"{os.getpid()}-{time.time_ns()}")
    except OSError as error:
        return _fail(
            f"cannot write {files.request}: {error.strerror}; is this the "
            "--state.run-dir of the daemon, and may this user write there?"
        )
    answer = _await_answer(files, request, timeout_s)
    if answer == "too late":
        return _fail(
            f"the time asked for ({args.duration}) is over before the daemon answered: "
            "jouled may have let go of the NVIDIA driver for a part of it, or not at "
            "all. Give a longer --for"
        )
    if answer == "none":
        return _fail(
            f"no answer in {timeout_s:g} s in {files.request.parent}: no daemon "
            "runs with this --state.run-dir, or a call into the driver hangs (see "
            "its log). The request stays until 'jouled gpu resume'"
        )
    _say(f"released {_until(request)}: jouled holds nothing of the NVIDIA driver")
    return 0


def resume(args: argparse.Namespace) -> int:
    """Withdraw the request, and wait until the daemon knows.

    Returns:
        0 once NVML is taken up again, or was not let go of; 1 if the daemon did
        not answer in time, or the request could not be withdrawn.

    Raises:
        ConfigError: the command line or the configuration cannot be used.
    """
    files, timeout_s = _files_and_timeout(args)
    # Before the request is gone: the daemon may look at any moment after that.
    was_released = files.acknowledged() is not None
    try:
        was_asked = files.withdraw()
    except OSError as error:
        return _fail(f"cannot remove {files.request}: {error.strerror}")
    if not _wait(lambda: files.acknowledged() is None, timeout_s):
        return _fail(
            f"no answer in {timeout_s:g} s in {files.request.parent}; if the daemon "
            "does not run, it takes up the NVIDIA driver when it starts"
        )
    if was_released:
        _say("resumed: jouled reads the NVIDIA driver again")
    elif was_asked:
        _say("withdrawn: the request had not been obeyed")
    else:
        _say("nothing to resume: no release was asked for")
    return 0


def status(args: argparse.Namespace) -> int:
    """Tell whether NVML is let go of.

    Returns:
        0 if the daemon did what was asked last, 1 if it has yet to.

    Raises:
        ConfigError: the command line or the configuration cannot be used.
    """
    config = load(args, os.environ)
    files = ReleaseFiles(config.state.run_dir / REQUEST_NAME)
    request, acknowledged = files.requested(), files.acknowledged()
    if request is not None and request.has_expired(Seconds(time.time())):
        request = None
    if request is None and acknowledged is None:
        _say("in use: no release is asked for")
        return 0
    if request is None:
        _say("released, but not asked for any more: the daemon has yet to resume")
        return 1
    if acknowledged != request.text:
        _say(f"release asked for {_until(request)}: the daemon has yet to let go")
        return 1
    _say(f"released {_until(request)}")
    return 0


def _files_and_timeout(args: argparse.Namespace) -> tuple[ReleaseFiles, float]:
    config = load(args, os.environ)
    # The daemon looks once an interval, and more slowly while it has no driver.
    timeout_s = _TIMEOUT_S + 2 * config.sampling.interval_s
    if args.timeout is not None:
        timeout_s = _duration_s("--timeout", args.timeout)
    return ReleaseFiles(config.state.run_dir / REQUEST_NAME), timeout_s


def _duration_s(flag: str, text: str) -> float:
    try:
        duration_s = parse_duration_s(text)
    except ValueError as error:
        msg = f"{flag}: {error}"
        raise ConfigError(msg) from error
    if duration_s <= 0:
        msg = f"{flag}: {text} is no time at all; give one such as 10m"
        raise ConfigError(msg)
    return duration_s


def _await_answer(
    files: ReleaseFiles, request: ReleaseRequest, timeout_s: float
) -> Literal["released", "too late", "none"]:
    """Wait until the daemon answers, or will not any more: the request is over."""
    end_s = time.monotonic() + timeout_s
    while files.acknowledged() != request.text:
        if request.has_expired(Seconds(time.time())):
            return "too late"
        if time.monotonic() >= end_s:
            return "none"
        time.sleep(_POLL_S)
    return "released"


def _wait(is_done: Callable[[], bool], timeout_s: float) -> bool:
    end_s = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() >= end_s:
            return False
        time.sleep(_POLL_S)
    return True


def _until(request: ReleaseRequest) -> str:
    if request.until_unix_s is None:
        return "until 'jouled gpu resume'"
    return f"until {datetime.fromtimestamp(request.until_unix_s, UTC):%F %T} UTC"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"jouled: error: {text}\n")
    return 1
