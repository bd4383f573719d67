"""Yearly carbon intensity of each country, from figures in the package.

The floor below every live provider, and all there is without one. The figures
(see data/ATTRIBUTION.md) are life-cycle averages of a country's generation:
Our World in Data from Ember and Energy Institute, CC-BY-4.0.

The zone is configured, never guessed from an address: a node behind a proxy
would silently be billed for another country's grid.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from exporter.core.errors import ConfigError
from exporter.core.forecast import Forecast
from exporter.core.model import Intensity
from exporter.core.units import GramsPerKwh, Seconds

_DATA = Path(__file__).with_name("data") / "carbon-intensity-yearly.csv"

_WORLD = "WORLD"

_ADVICE_NO_ZONE = (
    "carbon.zone is not set: emissions use the world's yearly average; set it to the "
    "grid zone of this site, such as DE or US-CAL-CISO"
)


@dataclass(frozen=True, slots=True)
class _Figure:
    """One row of the data; ``value`` is gCO2e per kWh of ``year``, >= 0."""

    zone: str
    iso3: str
    name: str
    year: int
    value: float


class YearlyIntensity:
    """The yearly figure of one zone.

    A part of a country ("US-CAL-CISO", "DK-DK1") takes the country's figure and
    keeps its own name in the label.

    Args:
        zone: the configured grid zone; ``None`` for the world's average.
        setting: what a message calls the setting that names it.

    Raises:
        ConfigError: no country of that code is known.
    """

    def __init__(self, zone: str | None, *, setting: str = "carbon.zone") -> None:
        figures = {figure.zone: figure for figure in _figures()}
        country = _WORLD if zone is None else zone.upper().partition("-")[0]
        if country not in figures:
            hint = _unknown_zone(zone or "", tuple(figures.values()))
            msg = f"{setting}: {hint}"
            raise ConfigError(msg)

        figure = figures[country]
        advice = _ADVICE_NO_ZONE if zone is None else None
        # A small grid's zero is a gap in the statistics, and would make its
        # electricity free of carbon.
        if figure.value <= 0:
            advice = (
                f"no yearly figure of {zone} is credible: emissions use the world's "
                "average; carbon.intensity sets a figure of your own"
            )
            figure = figures[_WORLD]
        self._advice = advice
        self._intensity = Intensity(
            zone=zone or _WORLD,
            provider="owid-yearly",
            value=GramsPerKwh(figure.value),
            factors="lifecycle",
            fallback_level=3 if figure.zone == _WORLD else 2,
            observed_unix_s=_end_of(figure.year),
        )

    @property
    def advice(self) -> str | None:
        """What the operator should do for a better figure; ``None``: nothing."""
        return self._advice

    def current(self, unix_s: Seconds) -> Intensity:  # noqa: ARG002 - the latest year stands
        """Return the latest yearly figure."""
        return self._intensity

    def forecast(self, unix_s: Seconds) -> Forecast:  # noqa: ARG002 - no source has any
        """Return nothing: a mean of the past foretells no hour."""
        return ()


def known_zones() -> tuple[str, ...]:
    """Codes of all countries there is a figure of, "EU" and "WORLD", sorted."""
    return tuple(sorted(figure.zone for figure in _figures()))


def _figures() -> Iterator[_Figure]:
    with _DATA.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield _Figure(
                zone=row["zone"],
                iso3=row["iso3"],
                name=row["name"],
                year=int(row["year"]),
                value=float(row["g_co2e_per_kwh"]),
            )


def _end_of(year: int) -> Seconds:
    """Last second of a year, Unix time: the latest moment its figure speaks of."""
    return Seconds(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp() - 1)


def _unknown_zone(zone: str, figures: tuple[_Figure, ...]) -> str:
    """Name the zones that may have been meant, by code or by name."""
    spellings = {
        spelling.lower(): figure
        for figure in figures
        for spelling in (figure.zone, figure.iso3, figure.name)
    }
    asked = zone.lower()
    close = get_close_matches(asked, spellings, n=5) or get_close_matches(
        asked.partition("-")[0], spellings, n=5
    )
    meant = dict.fromkeys(f"{spellings[c].zone} ({spellings[c].name})" for c in close)
    hint = f" (did you mean {', '.join(meant)}?)" if meant else ""
    return (
        f"no country of the grid zone {zone!r} is known{hint}; a zone "
        "begins with a country's two letters, such as DE, GB or US-CAL-CISO"
    )
