"""A TLS connection on which nothing takes longer than it may, however it is sent.

The time-out of a socket is for one call of the kernel. A server that sends a byte now
and then never exceeds it, and what ``http.client`` reads as one line may take thousands
of such calls. Here each of them gets only what is left of the whole.
"""

import ssl
import time
from collections.abc import Callable
from typing import Any


class Patience:
    """How long an answer may take: all of it, and each part.

    Args:
        total_s: for all of it, from now on, s.
        part_s: for each part of it, s.
        monotonic: CLOCK_MONOTONIC, s.

    Attributes:
        part_s: for each part that begins from now on, s.
    """

    def __init__(
        self,
        total_s: float,
        part_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.part_s = part_s
        self._monotonic = monotonic
        self._end_s = monotonic() + total_s
        self._part_end_s = self._end_s

    def begin_part(self) -> None:
        """Wait for the next part from now on."""
        self._part_end_s = min(self._end_s, self._monotonic() + self.part_s)

    def left_s(self) -> float:
        """How much longer the part may take, s."""
        return self._part_end_s - self._monotonic()


class TimedSocket(ssl.SSLSocket):
    """Receives for as long as its patience lasts.

    Attributes:
        patience: has to be set once there is a connection. The handshake is before
            that: the time-out of the socket is for all of it.
    """

    patience: Patience

    def recv_into(
        self,
        buffer: Any,  # noqa: ANN401 - as socket has it
        nbytes: int | None = None,
        flags: int = 0,
    ) -> int:
        """Receive into a buffer, as ``socket`` does.

        Raises:
            TimeoutError: it took too long.
        """
        left_s = self.patience.left_s()
        if left_s <= 0:
            raise TimeoutError
        self.settimeout(left_s)
        return super().recv_into(buffer, nbytes, flags)
