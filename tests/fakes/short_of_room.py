"""A disk without room, for the time of a ``with``."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def short_of_room(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size.

    What still fits is written, and the rest fails, as on a disk that is full.

    Args:
        size: bytes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
