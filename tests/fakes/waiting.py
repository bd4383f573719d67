"""Wait for conditions, never for a fixed time."""

import time
from collections.abc import Callable

_POLL_S = 0.05


def wait_until(
    condition: Callable[[], bool],
    what: str,
    limit_s: float,
    explain: Callable[[], str] = lambda: "",
) -> None:
    """Wait until a condition holds.

    Args:
        condition: is asked again and again.
        what: the condition in words, for the message.
        limit_s: how long to wait, s.
        explain: tells more when it did not come true.

    Raises:
        TimeoutError: it did not come true in time.
    """
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            msg = f"waited {limit_s:.0f} s until {what}\n{explain()}"
            raise TimeoutError(msg)
        time.sleep(_POLL_S)
