"""NVML itself: loading it, and what its error codes ask for.

pynvml's own errors are compared by ``value`` only: they define ``__eq__``
without ``__hash__`` and fail when compared with anything else, and turning one
into text may call the library once more.
"""

from enum import IntEnum
from importlib import import_module
from types import ModuleType
from typing import NewType

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceError,
    SourceFaultyError,
)

Handle = NewType("Handle", object)


class Code(IntEnum):
    """The codes that make a difference here."""

    SUCCESS = 0
    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    DRIVER_NOT_LOADED = 9
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    LIB_RM_VERSION_MISMATCH = 18
    ARGUMENT_VERSION_MISMATCH = 25
    DEPRECATED = 26
    GPU_NOT_FOUND = 28
    UNKNOWN = 999


# After one of these the handle is of no use: only a new initialisation helps.
# UNKNOWN is among them because a GPU off the bus answers with it at times.
HANDLE_LOST = frozenset(
    {
        Code.UNINITIALIZED,
        Code.INVALID_ARGUMENT,
        Code.GPU_IS_LOST,
        Code.RESET_REQUIRED,
        Code.LIB_RM_VERSION_MISMATCH,
        Code.GPU_NOT_FOUND,
        Code.UNKNOWN,
    }
)

# This driver, GPU or user will not get that quantity however often it asks.
UNSUPPORTED = frozenset(
    {
        Code.NOT_SUPPORTED,
        Code.NO_PERMISSION,
        Code.FUNCTION_NOT_FOUND,
        Code.ARGUMENT_VERSION_MISMATCH,
        Code.DEPRECATED,
    }
)

_REMEDIES = {
    Code.GPU_IS_LOST: "it fell off the bus; look for Xid 79 in the kernel log",
    Code.RESET_REQUIRED: (
        "it has to be reset: 'jouled gpu release', 'nvidia-smi --gpu-reset', "
        "'jouled gpu resume'"
    ),
    Code.UNINITIALIZED: "the driver was reloaded; NVML is initialised again",
}


class InitFailedError(Exception):
    """NVML could not be initialised; ``code`` is its error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def initialise() -> ModuleType:
    """Load the library if need be, and initialise it.

    pynvml is imported here and not above: it costs memory, and a node without
    NVIDIA GPUs that switched this source off need not pay for it.

    Returns:
        The ``pynvml`` module, ready for calls until its ``nvmlShutdown()``.

    Raises:
        InitFailedError: with the reason; try again later.
    """
    nvml = import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise InitFailedError(code_of(error), say(error)) from error
    return nvml


def code_of(error: Exception) -> int:
    """Return NVML's code of a pynvml error."""
    return int(getattr(error, "value", Code.UNKNOWN))


def say(error: Exception) -> str:
    """Put a pynvml error into words, with the remedy where one is known."""
    code = code_of(error)
    name = type(error).__name__.removeprefix("NVMLError_")
    remedy = f": {_REMEDIES[Code(code)]}" if code in _REMEDIES else ""
    return f"NVML error {code} ({name}){remedy}"


def source_error(failure: InitFailedError, *, restart_helps: bool) -> SourceError:
    """Say what an operator does about an initialisation that failed.

    Args:
        failure: what NVML said.
        restart_helps: the library was loaded before the driver changed, so a
            new process would load one that fits.
    """
    match failure.code:
        case Code.LIBRARY_NOT_FOUND:
            return SourceAbsentError(
                "libnvidia-ml.so.1 is not there: install the NVIDIA driver, or "
                "run the container with the NVIDIA runtime"
            )
        case Code.DRIVER_NOT_LOADED:
            return SourceAbsentError(
                "the NVIDIA kernel module is not loaded: modprobe nvidia, or give "
                "the container its devices"
            )
        case Code.NO_PERMISSION:
            return SourceDeniedError(
                "may not open the NVIDIA driver: allow access to /dev/nvidiactl "
                "and /dev/nvidia*"
            )
        case Code.LIB_RM_VERSION_MISMATCH if restart_helps:
            return SourceFaultyError(
                "the NVIDIA driver was changed under this process, which holds the "
                "library of the old one: jouled has to be restarted"
            )
        case Code.LIB_RM_VERSION_MISMATCH:
            return SourceFaultyError(
                "the NVIDIA kernel module and libnvidia-ml.so.1 are of different "
                "versions: reload the module or reboot, then restart jouled"
            )
        case _:
            return SourceFaultyError(f"NVML cannot be initialised: {failure}")
