"""Quantities as people read them, with a unit that suits their size."""

_J_PER_WH = 3600.0
_KILO = 1000.0
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
# From here on three digits leave none behind the point.
_NO_FRACTION = 99.95


def energy_text(energy_j: float) -> str:
    """Write an energy in J, Wh, kWh or MWh."""
    if energy_j < _J_PER_WH:
        return f"{figure(energy_j)} J"
    return _scaled(energy_j / _J_PER_WH, ("Wh", "kWh", "MWh"))


def mass_text(mass_g: float) -> str:
    """Write a mass in g, kg or t."""
    return _scaled(mass_g, ("g", "kg", "t"))


def time_text(seconds: float) -> str:
    """Write a duration by its two largest units."""
    if seconds < _MINUTE_S:
        return f"{figure(seconds)}s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m{whole % _MINUTE_S:02}s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h{whole % _HOUR_S // _MINUTE_S:02}m"
    return f"{whole // _DAY_S}d{whole % _DAY_S // _HOUR_S:02}h"


def hours_text(seconds: float) -> str:
    """Write a time in hours, without the unit."""
    return figure(seconds / _HOUR_S)


def percent_text(part: float) -> str:
    """Write a part of 1 in percent, without the sign; what is there is not 0."""
    percent = 100 * part
    return "<1" if 0 < percent < 1 else f"{percent:.0f}"


def figure(value: float) -> str:
    """Write a number >= 0 with three digits, or with all those before the point."""
    return f"{value:.0f}" if value >= _NO_FRACTION else f"{value:.3g}"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    """Write with the first unit that leaves less than four digits, or the last."""
    for unit in units[:-1]:
        if value < _KILO:
            return f"{figure(value)} {unit}"
        value /= _KILO
    return f"{figure(value)} {units[-1]}"
