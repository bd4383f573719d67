"""When to try again what failed: soon, then less and less often."""

from exporter.core.units import Seconds


class Backoff:
    """Delays that double from ``first_s`` to ``longest_s``.

    Trouble that comes back after a quiet time longer than ``longest_s`` is new
    trouble and starts from ``first_s`` again; what fails every few seconds does
    not, even if each attempt seemed to succeed.
    """

    def __init__(self, first_s: Seconds, longest_s: Seconds) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._delay_s = first_s
        self._due_s: Seconds | None = None

    def is_due(self, now_s: Seconds) -> bool:
        """Tell whether an attempt may be made at this moment, s."""
        return self._due_s is None or now_s >= self._due_s

    def attempted(self, now_s: Seconds) -> None:
        """Note an attempt at this moment, s: the next one has to wait."""
        if self._due_s is None or now_s - self._due_s > self._longest_s:
            self._delay_s = self._first_s
        else:
            self._delay_s = min(Seconds(self._delay_s * 2), self._longest_s)
        self._due_s = Seconds(now_s + self._delay_s)

    def reset(self) -> None:
        """Allow an attempt at once."""
        self._due_s = None
