"""Where state goes when the daemon may not write where root's daemons do."""

import os
import pwd
from collections.abc import Collection, Mapping
from pathlib import Path

from exporter.config.settings import State


def usable_state(
    state: State,
    given: Collection[str],
    environ: Mapping[str, str],
    *,
    is_root: bool,
) -> State:
    """Move the default directories to the user's own where they are not writable.

    Never to a directory that others may write to, such as /tmp: whoever guesses
    the name there first would own the checkpoint and the socket.

    Args:
        state: directories so far.
        given: keys the operator set; those directories are left as they are.
        environ: for HOME and the XDG variables; relative paths are ignored, as
            the XDG Base Directory Specification demands.
        is_root: root can make the default directories.

    Returns:
        The directories to use; the defaults where the user has no home either.
    """
    if is_root:
        return state
    own_run_dir = _first(
        (_directory(environ, "XDG_RUNTIME_DIR"), "jouled"),
        (_directory(environ, "XDG_CACHE_HOME"), "jouled/run"),
        (_home(environ), ".cache/jouled/run"),
    )
    run_dir, kept_dir = state.run_dir, state.dir
    if own_run_dir and "state.run_dir" not in given and not _is_writable(run_dir):
        run_dir = own_run_dir
    if "state.dir" not in given:
        kept_dir = usable_kept_dir(kept_dir, "jouled", environ, is_root=is_root)
    return State(run_dir, kept_dir)


def usable_kept_dir(
    default: Path, name: str, environ: Mapping[str, str], *, is_root: bool
) -> Path:
    """Return the default directory of what outlives a reboot, or the user's own.

    Args:
        default: where root's programs keep it.
        name: of the user's own directory.
        environ: as for ``usable_state``.
        is_root: root can make the default directory.
    """
    if is_root or _is_writable(default):
        return default
    own = _first(
        (_directory(environ, "XDG_STATE_HOME"), name),
        (_home(environ), f".local/state/{name}"),
    )
    return own or default


def _first(*candidates: tuple[Path | None, str]) -> Path | None:
    return next((base / rest for base, rest in candidates if base is not None), None)


def _directory(environ: Mapping[str, str], variable: str) -> Path | None:
    path = Path(environ.get(variable, ""))
    return path if path.is_absolute() else None


def _home(environ: Mapping[str, str]) -> Path | None:
    home = _directory(environ, "HOME")
    if home is not None:
        return home
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        # A container may run as a user without an entry.
        return None


def _is_writable(directory: Path) -> bool:
    return directory.is_dir() and os.access(
        directory, os.W_OK | os.X_OK, effective_ids=True
    )
