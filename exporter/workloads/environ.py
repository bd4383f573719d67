"""Which environment variables a process of a cgroup was started with.

Source: proc(5), /proc/PID/environ: entries ``NAME=VALUE`` that end in a zero
byte. Another user's needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. Environments are
full of secrets, so only those variables are ever kept that the caller names.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from exporter.core.errors import SourceDeniedError

MOST_BYTES = 256 * 1024
_LONGEST_VALUE = 4096
# A job has a few steps with a few tasks; whoever has more is not searched whole.
_MOST_CGROUPS = 64
_MOST_PROCESSES = 8
_PROCS_BYTES = 4096


def parse_environ(data: bytes, names: Collection[str]) -> Mapping[str, str]:
    """Return the variables of these names.

    Args:
        data: entries ``NAME=VALUE``, each ended by a zero byte. What is no such
            entry is left out; of two with the same name the first counts, as for
            getenv(3).
        names: what is of interest.

    Returns:
        Values by name. What is not UTF-8 is replaced, and what is longer than
        4096 characters is cut.
    """
    found: dict[str, str] = {}
    for entry in data.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        key = name.decode("ascii", "replace")
        if equals and key in names and key not in found:
            found[key] = value.decode("utf-8", "replace")[:_LONGEST_VALUE]
    return found


def read_environ(
    procfs: Path, pid: int, names: Collection[str]
) -> Mapping[str, str] | None:
    """Read the environment that a process was started with.

    Returns:
        The variables of these names; ``None`` if the process is gone.

    Raises:
        SourceDeniedError: this process may not read that one's.
    """
    path = f"{procfs}/{pid}/environ"
    try:
        data = _read(path, MOST_BYTES)
    except PermissionError as error:
        msg = (
            f"may not read {path}: give the daemon CAP_SYS_PTRACE and "
            "CAP_DAC_READ_SEARCH"
        )
        raise SourceDeniedError(msg) from error
    except OSError:
        return None
    return parse_environ(data, names)


def owner_of(procfs: Path, pid: int) -> int | None:
    """User id that a process runs as; ``None`` if it is gone."""
    try:
        return os.stat(f"{procfs}/{pid}").st_uid  # noqa: PTH116 - a path as text
    except OSError:
        return None


def cgroup_of(procfs: Path, pid: int) -> str:
    """Text of /proc/PID/cgroup, a line per tree; "" if the process is gone."""
    try:
        return _read(f"{procfs}/{pid}/cgroup", _PROCS_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def processes_below(directory: str, passed_over: Collection[str]) -> Iterator[int]:
    """Find processes in and below a cgroup, a few of each, oldest ids first.

    Args:
        directory: the cgroup.
        passed_over: names of cgroups whose processes are of no interest.
    """
    waiting = [directory]
    seen = 0
    while waiting and seen < _MOST_CGROUPS:
        current = waiting.pop()
        seen += 1
        yield from _processes_in(current)
        try:
            with os.scandir(current) as entries:
                below = [
                    entry.path
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                    and entry.name not in passed_over
                ]
        except OSError:
            continue
        waiting += sorted(below, reverse=True)


def _processes_in(directory: str) -> list[int]:
    try:
        data = _read(f"{directory}/cgroup.procs", _PROCS_BYTES)
    except OSError:
        return []
    # The last line may be cut short. A process of another namespace is shown as 0.
    lines = data[: data.rfind(b"\n") + 1].split()
    pids = [int(line) for line in lines if line.isdigit() and line != b"0"]
    return sorted(pids)[:_MOST_PROCESSES]


def _read(path: str, most_bytes: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts: list[bytes] = []
        left = most_bytes
        while left > 0:
            part = os.read(fd, left)
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(fd)
