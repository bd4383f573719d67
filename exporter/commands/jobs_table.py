"""Jobs of the archive as a table that fits its terminal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from exporter.commands.figures import (
    energy_text,
    figure,
    hours_text,
    mass_text,
    percent_text,
    time_text,
)
from exporter.commands.text import cut, harmless, width
from exporter.core.archive import JobRecord, JobSums, part_of

_ESTIMATED, _FALLBACK, _UNSURE = "~", "f", "?"
_UNKNOWN = "-"
_GAP = "  "
_LEAST_TEXT = 8


def table(records: Sequence[JobRecord], columns: int | None) -> str:
    """Write records as lines, with a legend of the marks that occur.

    Args:
        records: at least one.
        columns: of the terminal; ``None`` for as many as it takes.
    """
    every = [_drawn(column, records) for column in _COLUMNS]
    drawn = [one for one in every if one.says_anything or not one.column.spared]
    if columns is not None:
        drawn = _squeezed(drawn, columns)
    lines = [
        _GAP.join(one.padded(index) for one in drawn).rstrip()
        for index in range(-1, len(records))
    ]
    legend = [text for text, occurs in _LEGEND if any(map(occurs, records))]
    return "\n".join([*lines, *([""] if legend else []), *legend, ""])


def sums_line(sums: JobSums) -> str:
    """Write what all jobs together used, with how well that is known."""
    parts = []
    if sums.energy_j is not None:
        part = part_of(sums.estimated_j, sums.energy_j)
        estimated = _share(part or None, "estimated")
        parts.append(energy_text(sums.energy_j) + estimated)
        fallback = part_of(sums.fallback_g, sums.emissions_g)
        on_fallback = _share(fallback or None, "on fallback intensity")
        parts.append(f"{mass_text(sums.emissions_g)} CO2e{on_fallback}")
    parts.append(f"{hours_text(sums.cpu_s)} CPU-hours")
    use = sums.gpu_use
    if use is not None:
        used = _share(use.utilization, "used")
        parts.append(f"{hours_text(use.held_s)} GPU-hours{used}")
    return f"{sums.jobs} job{'s' * (sums.jobs != 1)}: {', '.join(parts)}\n"


# --- cells ------------------------------------------------------------------


def _end(record: JobRecord) -> str:
    if record.state == "running":
        return "running"
    seen = datetime.fromtimestamp(record.seen_unix_s, UTC)
    return f"{seen:%Y-%m-%d %H:%M}{_UNSURE if _is_lost(record) else ''}"


def _energy(record: JobRecord) -> str:
    if record.total_j is None:
        return _UNKNOWN
    return (
        f"{energy_text(record.total_j)} {_ESTIMATED if _is_estimated(record) else ' '}"
    )


def _emissions(record: JobRecord) -> str:
    if record.total_j is None:
        return _UNKNOWN
    return (
        f"{mass_text(record.emissions_g)} {_FALLBACK if _is_fallback(record) else ' '}"
    )


def _gpu_hours(record: JobRecord) -> str:
    return _UNKNOWN if record.gpu_use is None else hours_text(record.gpu_use.held_s)


def _gpu_percent(record: JobRecord) -> str:
    busy = None if record.gpu_use is None else record.gpu_use.utilization
    return _UNKNOWN if busy is None else percent_text(busy)


def _peak(record: JobRecord) -> str:
    return _UNKNOWN if record.peak_power_w is None else figure(record.peak_power_w)


def _share(part: float | None, what: str) -> str:
    return "" if part is None else f" ({percent_text(part)} % {what})"


def _is_estimated(record: JobRecord) -> bool:
    return record.estimated_j > 0


def _is_fallback(record: JobRecord) -> bool:
    return record.fallback_g > 0


def _is_lost(record: JobRecord) -> bool:
    return record.state == "lost"


_LEGEND: tuple[tuple[str, Callable[[JobRecord], bool]], ...] = (
    (f"{_ESTIMATED} in part or wholly estimated, not measured", _is_estimated),
    (f"{_FALLBACK} in part or wholly at a fallback carbon intensity", _is_fallback),
    (f"{_UNSURE} end not known: last seen then", _is_lost),
)


# --- columns ----------------------------------------------------------------


class _Column(NamedTuple):
    """One column.

    Attributes:
        head: its title.
        cell: what it shows of a record.
        spared: the lower, the sooner it is left out for want of room; 0: never.
        is_text: written by people: to the left, and cut before any is left out.
    """

    head: str
    cell: Callable[[JobRecord], str]
    spared: int = 0
    is_text: bool = False


_COLUMNS = (
    _Column("JOB", lambda job: harmless(job.labels.job_id), 0, is_text=True),
    _Column("USER", lambda job: harmless(job.labels.user), 9, is_text=True),
    _Column("ACCOUNT", lambda job: harmless(job.labels.tenant), 3, is_text=True),
    _Column(
        "NAME", lambda job: harmless(job.labels.info.get("name", "")), 2, is_text=True
    ),
    _Column("END (UTC)", _end, 8),
    _Column("ELAPSED", lambda job: time_text(job.elapsed_s), 7),
    _Column("ENERGY", _energy),
    _Column("CO2E", _emissions, 10),
    _Column("CPU H", lambda job: hours_text(job.cpu_s), 4),
    _Column("GPU H", _gpu_hours, 5),
    _Column("GPU %", _gpu_percent, 6),
    _Column("PEAK W", _peak, 1),
)


@dataclass(slots=True)
class _Drawn:
    """A column with its cells, and how wide it is."""

    column: _Column
    cells: list[str]
    width: int

    @property
    def says_anything(self) -> bool:
        """Whether any cell has more than a sign that nothing is known."""
        return any(cell not in {"", _UNKNOWN} for cell in self.cells)

    def padded(self, index: int) -> str:
        """Return one cell, or the head for -1, as wide as the column."""
        text = self.column.head if index < 0 else self.cells[index]
        text = cut(text, self.width)
        fill = " " * (self.width - width(text))
        return text + fill if self.column.is_text else fill + text


def _drawn(column: _Column, records: Sequence[JobRecord]) -> _Drawn:
    cells = [column.cell(record) for record in records]
    return _Drawn(column, cells, max(map(width, [column.head, *cells])))


def _squeezed(drawn: list[_Drawn], columns: int) -> list[_Drawn]:
    """Narrow texts, then leave columns out, until a line fits or nothing helps."""
    while True:
        excess = sum(one.width + len(_GAP) for one in drawn) - len(_GAP) - columns
        if excess <= 0:
            return drawn
        texts = [one for one in drawn if one.column.is_text]
        longest = max(texts, key=lambda one: one.width)
        if longest.width > _LEAST_TEXT:
            longest.width = max(_LEAST_TEXT, longest.width - excess)
            continue
        spared = [one for one in drawn if one.column.spared]
        if not spared:
            return drawn
        drawn.remove(min(spared, key=lambda one: one.column.spared))
