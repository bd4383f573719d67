"""Reads a generation document of ENTSO-E: who generated how much, and when.

Source: ENTSO-E, "Generation and load process implementation guide", document type
A75. A series per kind of plant, in periods of slots. With curve type A03 a value
stands until the next one is written; with A01 every slot is written, and filling a
gap would be inventing.

The document comes from a network, so it is read with care: its size is bounded
before it comes here, and a document type definition, in which all the tricks with
entities live, is refused before anything is parsed.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from exporter.carbon.answer import moment
from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.core.units import Seconds, Watts

_RESOLUTION_S = {"PT15M": 900.0, "PT30M": 1800.0, "PT60M": 3600.0, "PT1H": 3600.0}
_KIND = re.compile(r"B\d\d", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?", re.ASCII)
_POSITION = re.compile(r"\d{1,4}", re.ASCII)
_WATTS_PER_MEGAWATT = 1e6
# A day of quarters; a window of ours has a few hours.
_MOST_SLOTS = 200
_NO_DATA = "999"


@dataclass(frozen=True, slots=True)
class Slot:
    """What one kind of plant generated in a slot of time.

    Attributes:
        kind: ENTSO-E's code, B01 to B25.
        begin_unix_s: begin of the slot, s.
        length_s: 900, 1800 or 3600.
        power_w: mean power, W, >= 0.
    """

    kind: str
    begin_unix_s: Seconds
    length_s: Seconds
    power_w: Watts


def read_generation(document: str) -> tuple[Slot, ...]:
    """Read all slots of all kinds of plants.

    Raises:
        UnavailableError: it says that there is no data for the time asked for.
        NonsenseError: it is no such document.
    """
    root = _parse(document)
    if _name(root) == "Acknowledgement_MarketDocument":
        if _text(_child(root, "Reason"), "code") == _NO_DATA:
            msg = "it has no data for the last hours"
            raise UnavailableError(msg)
        msg = "it answered with a reason why not"
        raise NonsenseError(msg)
    if _name(root) != "GL_MarketDocument":
        msg = "the answer is no document of generation"
        raise NonsenseError(msg)
    return tuple(
        slot
        for series in root
        if _name(series) == "TimeSeries" and _is_generation(series)
        for slot in _slots(series)
    )


def _parse(document: str) -> ET.Element:
    if "<!DOCTYPE" in document or "<!ENTITY" in document:
        msg = "the answer defines a document type, which no answer needs"
        raise NonsenseError(msg)
    try:
        return ET.fromstring(document)  # noqa: S314 - see above
    except (ET.ParseError, ValueError, RecursionError) as error:
        msg = f"the answer is not XML ({type(error).__name__})"
        raise NonsenseError(msg) from None


def _is_generation(series: ET.Element) -> bool:
    # Pumps and the plants' own needs come as series with "out" instead of "in".
    return any(_name(child) == "inBiddingZone_Domain.mRID" for child in series)


def _slots(series: ET.Element) -> Iterator[Slot]:
    kind = _text(_child(series, "MktPSRType"), "psrType")
    if not _KIND.fullmatch(kind):
        msg = "psrType is none"
        raise NonsenseError(msg)
    if _text(series, "quantity_Measure_Unit.name") != "MAW":
        msg = "quantity_Measure_Unit.name is not MAW"
        raise NonsenseError(msg)
    stands = _text(series, "curveType") == "A03"
    for period in series:
        if _name(period) == "Period":
            yield from _of_period(period, kind, stands=stands)


def _of_period(period: ET.Element, kind: str, *, stands: bool) -> Iterator[Slot]:
    interval = _child(period, "timeInterval")
    begin_s = moment(_text(interval, "start"))
    end_s = moment(_text(interval, "end"))
    length_s = _RESOLUTION_S.get(_text(period, "resolution"))
    if length_s is None:
        msg = "resolution is none of a quarter, half or whole hour"
        raise NonsenseError(msg)
    count = round((end_s - begin_s) / length_s)
    if not 0 <= count <= _MOST_SLOTS:
        msg = "timeInterval is longer than what was asked for"
        raise NonsenseError(msg)
    powers: dict[int, float] = {}
    for point in period:
        if _name(point) == "Point":
            powers[_position(point)] = _quantity(point)
    last: float | None = None
    for position in range(1, count + 1):
        power = powers.get(position, last if stands else None)
        last = power
        if power is not None:
            yield Slot(
                kind,
                Seconds(begin_s + (position - 1) * length_s),
                Seconds(length_s),
                Watts(power),
            )


def _position(point: ET.Element) -> int:
    written = _text(point, "position")
    if not _POSITION.fullmatch(written):
        msg = "position is not a number"
        raise NonsenseError(msg)
    return int(written)


def _quantity(point: ET.Element) -> float:
    written = _text(point, "quantity")
    if not _NUMBER.fullmatch(written) or not isfinite(float(written)):
        msg = "quantity is not a number"
        raise NonsenseError(msg)
    # A plant that draws more than it gives generates nothing.
    return max(0.0, float(written)) * _WATTS_PER_MEGAWATT


def _name(element: ET.Element) -> str:
    """Return the name without its namespace, whose version changes."""
    return element.tag.rpartition("}")[2]


def _child(element: ET.Element, name: str) -> ET.Element:
    for child in element:
        if _name(child) == name:
            return child
    msg = f"the answer has no {name}"
    raise NonsenseError(msg)


def _text(element: ET.Element, name: str) -> str:
    return (_child(element, name).text or "").strip()
