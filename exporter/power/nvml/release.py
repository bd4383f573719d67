"""How an operator asks the daemon to let go of NVML, and hears that it did.

Open handles block a change of MIG mode, a GPU reset and the unloading of the
driver. Two files in the run directory carry the conversation:

    nvml-release    the request. Its first line is the moment it ends, in Unix
                    seconds, or empty: until the file is removed. The second
                    tells one request from another. An empty file will do.
    nvml-released   the request, word for word, while NVML is let go of.

Whoever waits compares the two, so that an acknowledgement left over from an
earlier request or a killed daemon is not mistaken for an answer.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from exporter.core.units import Seconds

REQUEST_NAME = "nvml-release"
_ACKNOWLEDGEMENT_NAME = "nvml-released"
_MAX_BYTES = 256


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A request as it was written.

    Attributes:
        text: the file, word for word.
        until_unix_s: when it ends by itself; ``None``: it does not.
    """

    text: str
    until_unix_s: Seconds | None

    def has_expired(self, unix_s: Seconds) -> bool:
        """Tell whether it no longer counts at this moment of the wall clock."""
        return self.until_unix_s is not None and unix_s >= self.until_unix_s


class ReleaseFiles:
    """The request and the acknowledgement of one run directory."""

    def __init__(self, request: Path) -> None:
        self.request = request
        self._request_path = str(request)
        self.acknowledgement = request.with_name(_ACKNOWLEDGEMENT_NAME)

    def requested(self) -> ReleaseRequest | None:
        """Return the request in the run directory, expired or not.

        A request that cannot be read is one without an end: the operator asked
        for something, and holding on to the driver would be the worse mistake.
        """
        # Asked in every tick: "no" costs less than an exception that says so.
        if not os.access(self._request_path, os.F_OK):
            return None
        try:
            text = _read(self.request)
        except FileNotFoundError:
            return None
        except OSError:
            return ReleaseRequest(text="", until_unix_s=None)
        return ReleaseRequest(text, _moment(text.partition("\n")[0]))

    def acknowledged(self) -> str | None:
        """Return the text of the request that is obeyed; ``None`` if none is."""
        try:
            return _read(self.acknowledgement)
        except OSError:
            return None

    def ask(self, until_unix_s: Seconds | None, mark: str) -> ReleaseRequest:
        """Write a request, in place of any earlier one.

        Args:
            until_unix_s: when it ends by itself; ``None``: it does not.
            mark: tells it from other requests; one line.

        Raises:
            OSError: the run directory does not exist or may not be written.
        """
        end = "" if until_unix_s is None else f"{until_unix_s:.3f}"
        text = f"{end}\n{mark}\n"
        _replace(self.request, text)
        return ReleaseRequest(text, _moment(end))

    def withdraw(self) -> bool:
        """Remove the request; ``False`` if there was none.

        Raises:
            OSError: it may not be removed.
        """
        try:
            self.request.unlink()
        except FileNotFoundError:
            return False
        return True

    def acknowledge(self, request: ReleaseRequest) -> None:
        """Tell that a request is obeyed.

        Raises:
            OSError: the run directory may not be written.
        """
        _replace(self.acknowledgement, request.text)

    def retract(self) -> None:
        """Tell that NVML is in use again, or may be."""
        with suppress(OSError):
            self.acknowledgement.unlink()


def _read(path: Path) -> str:
    # Not blocking: anything may lie at that name, even a pipe nobody writes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _MAX_BYTES).decode(errors="replace")
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _moment(line: str) -> Seconds | None:
    try:
        unix_s = float(line)
    except ValueError:
        return None
    return Seconds(unix_s) if isfinite(unix_s) else None
