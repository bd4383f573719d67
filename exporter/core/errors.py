"""What can go wrong at the edges, named by what the caller does about it.

    SourceError
    ├── SourceAbsentError   not on this machine: say it once, look again slowly
    ├── SourceDeniedError   the operator has to act: warn with the remedy
    ├── SourceFaultyError   failed this time: try again at the next tick
    └── SourceTimeoutError  did not answer in time: leave it alone till it does
    ConfigError             the configuration cannot be used: refuse it whole
    ArchiveError            the past cannot be told now: say why, go on without

A workload that ended is a result, not an error.
"""

from typing import ClassVar


class SourceError(Exception):
    """A source has no reading; the message names the path and the remedy."""

    reason: ClassVar[str] = "faulty"


class SourceAbsentError(SourceError):
    """The hardware, file or driver does not exist on this machine."""

    reason: ClassVar[str] = "absent"


class SourceDeniedError(SourceError):
    """It exists, and this process may not read it."""

    reason: ClassVar[str] = "denied"


class SourceFaultyError(SourceError):
    """It answered with an error or with nonsense."""

    reason: ClassVar[str] = "faulty"


class SourceTimeoutError(SourceError):
    """It did not answer before the deadline of the tick."""

    reason: ClassVar[str] = "timeout"


class ConfigError(Exception):
    """A setting is unknown or impossible; the message names key and remedy."""


class ArchiveError(Exception):
    """The archive cannot be read now; the message names the path and the remedy."""
