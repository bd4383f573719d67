"""Tables and targets, as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Something the daemon has to keep to.

    Attributes:
        what: the promise, for a person.
        limit: the most that is allowed.
        value: what was measured; ``None`` if it was not.
        unit: of both.
    """

    what: str
    limit: float
    value: float | None
    unit: str

    @property
    def verdict(self) -> str:
        """Whether it was kept."""
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.limit else "MISSED"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows; the first column is text, the others are figures."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def targets(found: Iterable[Target]) -> str:
    """Lay out targets with their verdicts."""
    return table(
        ("target", "limit", "measured", ""),
        (
            (
                target.what,
                f"{target.limit:g} {target.unit}",
                "-" if target.value is None else f"{target.value:.3g} {target.unit}",
                target.verdict,
            )
            for target in found
        ),
    )
