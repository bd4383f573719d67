"""Waiting for what another process does: for the event, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

ValueT = TypeVar("ValueT")

# So long that only what never comes takes it, on however slow a machine.
PATIENCE_S = 60.0
_POLL_S = 0.05


def until(
    look: Callable[[], ValueT | None], what: str, patience_s: float = PATIENCE_S
) -> ValueT:
    """Look again and again until there is something true, and return it.

    Args:
        look: returns something false for as long as it has not come.
        what: what is waited for, for the message.
        patience_s: how long before giving up, s.

    Raises:
        TimeoutError: it did not come.
    """
    give_up_s = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > give_up_s:
            msg = f"waited {patience_s:g} s in vain for {what}"
            raise TimeoutError(msg)
        time.sleep(_POLL_S)
