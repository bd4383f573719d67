"""The carbon intensity of a grid, for people and for programs."""

import json
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from exporter.commands.figures import percent_text, time_text
from exporter.commands.table import aligned
from exporter.commands.text import harmless
from exporter.core.forecast import Forecast, Outlook, Window, greenest_window
from exporter.core.model import Intensity
from exporter.core.units import GramsPerKwh, Seconds

_HOUR_S = 3600.0
_DAY_HOURS = 24
_BAR_COLUMNS = 40

_LEVEL_TEXT = {
    0: "live",
    1: "the last good value",
    2: "the yearly figure of the zone",
    3: "the yearly figure of the world",
}


class Grid(NamedTuple):
    """What is known of a grid.

    Attributes:
        unix_s: now.
        intensity: carbon intensity in force.
        forecast: what is expected from now on.
    """

    unix_s: Seconds
    intensity: Intensity
    forecast: Forecast


def as_json(grid: Grid, window_s: Seconds) -> str:
    """Write it as the API does, and the cleanest time beside it."""
    now = grid.intensity
    best = greenest_window(grid.forecast, window_s, grid.unix_s)
    content = {
        "unix_s": grid.unix_s,
        "zone": now.zone,
        "provider": now.provider,
        "intensity_g_per_kwh": now.value,
        "signal": now.signal,
        "factors": now.factors,
        "estimated": now.estimated,
        "fallback_level": now.fallback_level,
        "observed_unix_s": now.observed_unix_s,
        "valid_until_unix_s": now.valid_until_unix_s,
        "forecast": [
            {
                "begin_unix_s": point.begin_unix_s,
                "slot_s": point.slot_s,
                "intensity_g_per_kwh": point.value,
            }
            for point in grid.forecast
        ],
        "greenest_window": None
        if best is None
        else {
            "begin_unix_s": best.begin_unix_s,
            "end_unix_s": best.end_unix_s,
            "intensity_g_per_kwh": best.mean,
        },
    }
    return json.dumps(content, indent=2) + "\n"


def as_text(
    grid: Grid, window_s: Seconds, zone: tzinfo | None = None, *, whole: bool = False
) -> str:
    """Write it for a person.

    Args:
        grid: what is known.
        window_s: length of the cleanest time that is looked for, s.
        zone: time zone of all times that are written; ``None``: that of this machine.
        whole: show all that is forecast, not the next 24 hours only.
    """
    lines = [_now_line(grid, zone)]
    if not grid.forecast:
        return "\n".join([*lines, "no forecast is told", ""])
    lines += ["", f"expected, gCO2e per kWh, times in {_name_of(zone, grid.unix_s)}"]
    lines += _chart(grid, zone, whole=whole)
    lines += ["", _best_line(grid, window_s, zone), ""]
    return "\n".join(lines)


def _now_line(grid: Grid, zone: tzinfo | None) -> str:
    now = grid.intensity
    said = [_LEVEL_TEXT[now.fallback_level], f"from {harmless(now.provider)}"]
    if now.observed_unix_s is None:
        said[0] = "fixed" if now.fallback_level == 0 else said[0]
    elif now.fallback_level <= 1:
        age_s = max(0.0, grid.unix_s - now.observed_unix_s)
        begin = _clock(now.observed_unix_s, zone)
        said.append(f"of {begin}, {time_text(age_s)} ago")
    if now.factors:
        said.append({"lifecycle": "life cycle"}.get(now.factors, now.factors))
    if now.estimated:
        said.append("an estimate")
    return f"{harmless(now.zone)}: {now.value:.0f} gCO2e per kWh, {', '.join(said)}"


def _chart(grid: Grid, zone: tzinfo | None, *, whole: bool) -> tuple[str, ...]:
    """A line for each hour of the clock, as long as something is forecast."""
    outlook = Outlook(grid.forecast)
    first_s = grid.unix_s - grid.unix_s % _HOUR_S
    last_s = grid.forecast[-1].end_unix_s
    if not whole:
        last_s = Seconds(min(last_s, first_s + _DAY_HOURS * _HOUR_S))
    hours: list[tuple[Seconds, GramsPerKwh | None]] = []
    begin_s = Seconds(first_s)
    while begin_s < last_s:
        end_s = Seconds(begin_s + _HOUR_S)
        # Of the hour that is going on, what is left of it.
        from_s = max(begin_s, grid.unix_s, grid.forecast[0].begin_unix_s)
        is_told = from_s < end_s and outlook.covers(from_s, end_s)
        mean = outlook.mean(from_s, end_s, GramsPerKwh(0.0)) if is_told else None
        hours.append((begin_s, mean))
        begin_s = end_s
    most = max((mean for _, mean in hours if mean is not None), default=1.0)
    rows = [
        (
            _clock(begin_s, zone),
            "?" if mean is None else f"{mean:.0f}",
            "" if mean is None else "#" * max(1, round(mean / most * _BAR_COLUMNS)),
        )
        for begin_s, mean in hours
    ]
    return aligned(rows, right={1})


def _best_line(grid: Grid, window_s: Seconds, zone: tzinfo | None) -> str:
    best = greenest_window(grid.forecast, window_s, grid.unix_s)
    length = time_text(window_s)
    if best is None:
        return f"greenest {length}: nobody forecasts a time as long as that"
    span = f"{_clock(best.begin_unix_s, zone)} to {_clock(best.end_unix_s, zone)}"
    return f"greenest {length}: {span}, {best.mean:.0f} g/kWh{_gain(grid, best)}"


def _gain(grid: Grid, best: Window) -> str:
    """Compare with beginning at once."""
    outlook = Outlook(grid.forecast)
    end_s = Seconds(grid.unix_s + best.end_unix_s - best.begin_unix_s)
    at_once = outlook.mean(grid.unix_s, end_s, grid.intensity.value)
    if best.begin_unix_s - grid.unix_s < 1:
        return ", which is now"
    saved = 1 - best.mean / at_once
    if saved <= 0:
        return ", no less than at once"
    return f", {percent_text(saved)} % less than at once"


def _clock(unix_s: float, zone: tzinfo | None) -> str:
    return f"{_moment(unix_s, zone):%a %H:%M}"


def _name_of(zone: tzinfo | None, unix_s: float) -> str:
    return _moment(unix_s, zone).tzname() or "local time"


def _moment(unix_s: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC).astimezone(zone)
