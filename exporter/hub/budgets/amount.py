"""How much of what a budget allows, and how that is written. Pure."""

import re
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from exporter.core.units import JOULES_PER_KWH

Kind = Literal["carbon", "energy", "cost"]

_WRITTEN = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]{1,3})", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_GRAMS = {"g": 1.0, "kg": 1e3, "t": 1e6, "kt": 1e9}
_JOULES = {
    "J": 1.0,
    "kJ": 1e3,
    "MJ": 1e6,
    "GJ": 1e9,
    "Wh": JOULES_PER_KWH / 1e3,
    "kWh": JOULES_PER_KWH,
    "MWh": JOULES_PER_KWH * 1e3,
    "GWh": JOULES_PER_KWH * 1e6,
}
_LARGEST = 1e18


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of what.

    Attributes:
        kind: grams of CO2e, joules, or money for joules.
        value: g, J, or units of the currency, > 0.
        unit: "grams", "joules", or the three letters of the currency.
        per_count: what one gram or joule of the counter comes to in ``unit``:
            1, or for money the price of a joule, > 0.
    """

    kind: Kind
    value: float
    unit: str
    per_count: float = 1.0


def parse_amount(text: str, price_per_kwh: float | None) -> Amount:
    """Read an amount such as ``200kg``, ``1.5t``, ``500kWh`` or ``1000EUR``.

    Args:
        text: a number and a unit: g, kg, t, kt; J to GJ, Wh to GWh; or three
            capital letters of a currency.
        price_per_kwh: what a kWh costs in that currency, > 0; ``None`` if it was
            not told.

    Raises:
        ValueError: it is no such amount; the message says how to write one.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        msg = "write an amount such as 200kg, 1.5t, 500kWh or 1000EUR"
        raise ValueError(msg)
    number, unit = float(match[1]), match[2]
    if unit in _GRAMS:
        amount = Amount("carbon", number * _GRAMS[unit], "grams")
    elif unit in _JOULES:
        amount = Amount("energy", number * _JOULES[unit], "joules")
    elif _CURRENCY.fullmatch(unit):
        if price_per_kwh is None:
            msg = "a budget of money needs a price_per_kwh"
            raise ValueError(msg)
        amount = Amount("cost", number, unit, price_per_kwh / JOULES_PER_KWH)
    else:
        known = ", ".join((*_GRAMS, *_JOULES))
        msg = f"unknown unit {unit}; known: {known}, or a currency such as EUR"
        raise ValueError(msg)
    if price_per_kwh is not None and amount.kind != "cost":
        msg = "price_per_kwh belongs to a budget of money"
        raise ValueError(msg)
    if not (0 < amount.value <= _LARGEST and isfinite(amount.per_count)):
        msg = "it has to be above 0, and not beyond all measure"
        raise ValueError(msg)
    return amount
