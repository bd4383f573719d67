"""Every reader, given anything: a value that can be, or an error with a name."""

import json
from collections.abc import Callable
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.carbon import (
    electricity_maps,
    energi_data_service,
    energy_charts,
    entsoe,
    entsoe_xml,
    file,
    http_json,
    neso,
    rte_eco2mix,
    watttime,
)
from exporter.carbon.answer import parse_json
from exporter.carbon.errors import ProviderError
from exporter.carbon.observation import Observation, Report
from exporter.core.forecast import Forecast
from exporter.core.units import Seconds, Watts
from tests.fakes.carbon import NOW, observation, sample

_HOUR = Seconds(3600.0)
_FEED = http_json.HttpJson(
    http_json.HttpJsonSettings(
        "http://localhost/", "data.0.intensity.value", time_path="data.0.at"
    )
)

_Reader = Callable[[object], Report]


def _file(data: object) -> Report:
    value, estimated = file.read_content(json.dumps(data))
    return Report({"DE": observation(value, estimated=estimated)})


READERS: dict[str, tuple[str, _Reader]] = {
    "electricity-maps": (
        "electricity_maps_latest.json",
        lambda data: Report(
            {"DE": electricity_maps.read_latest(data, "DE", "lifecycle")}
        ),
    ),
    "electricity-maps-forecast": (
        "electricity_maps_forecast.json",
        lambda data: Report(
            forecasts={"DE": electricity_maps.read_forecast(data, "DE", _HOUR)}
        ),
    ),
    "watttime": (
        "watttime_forecast.json",
        lambda data: watttime.read_forecast(data, "CAISO_NORTH", "CAISO_NORTH", NOW),
    ),
    "neso": (
        "neso_national.json",
        lambda data: neso.read_slots(data, "GB", NOW),
    ),
    "neso-region": (
        "neso_region.json",
        lambda data: neso.read_slots(data, "GB-R13", NOW),
    ),
    "neso-postcode": (
        "neso_postcode.json",
        lambda data: neso.read_slots(data, "GB-RG10", NOW),
    ),
    "energi-data-service": (
        "energi_data_service_emissions.json",
        lambda data: energi_data_service.read_emissions(data, ("DK1", "DK-DK2"), NOW),
    ),
    "energi-data-service-forecast": (
        "energi_data_service_prognosis.json",
        lambda data: energi_data_service.read_forecast(data, ("DK1", "DK-DK2")),
    ),
    "energy-charts": (
        "energy_charts_day.json",
        lambda data: energy_charts.read_day(data, "DE", NOW),
    ),
    "rte-eco2mix": (
        "rte_records.json",
        lambda data: Report({"FR": rte_eco2mix.read_records(data, "FR", NOW)}),
    ),
    "http-json": (
        "site_feed.json",
        lambda data: Report({"DE": _FEED.read(data, "DE", NOW)}),
    ),
    "file": ("electricity_maps_null.json", _file),
}

every_reader = pytest.mark.parametrize("name", READERS)

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**320)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=20)
    | st.sampled_from(
        ["2026-11-22T10:40Z", "2026-11-22", "0001-01-01T00:00+14:00", "DE", "DK1"]
    )
)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def _generation(document: str) -> Report:
    slots = entsoe_xml.read_generation(document)
    return Report({"DE": entsoe.observation_of(slots, "DE", NOW)})


def _told(read: Callable[[], Report]) -> Report:
    """Read; an error that has a name and a text is as good as an answer."""
    try:
        return read()
    except ProviderError as error:
        message = str(error)
    assert message
    assert message.isprintable()
    return Report()


def _check(report: Report) -> None:
    """Assert that whatever was told can be."""
    told: list[Observation] = list(report.observations.values())
    points: Forecast = tuple(p for points in report.forecasts.values() for p in points)
    for value in (*(one.value for one in told), *(point.value for point in points)):
        assert isinstance(value, float)
        assert isfinite(value)
        assert 0 < value <= 2000
    for one in told:
        assert isfinite(one.observed_unix_s)
        assert 0 < one.slot_s < 10**6
        assert isinstance(one.estimated, bool)


def _spoil(data: object, draw: st.DrawFn) -> object:
    """Replace, remove or repeat something somewhere in a document."""
    if isinstance(data, dict) and data and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(data)))
        if not draw(st.integers(0, 9)):
            return {name: value for name, value in data.items() if name != key}
        return {**data, key: _spoil(data[key], draw)}
    if isinstance(data, list) and data and draw(st.integers(0, 5)):
        index = draw(st.integers(0, len(data) - 1))
        if not draw(st.integers(0, 9)):
            return data[:index] + data[index + 1 :]
        return [*data[:index], _spoil(data[index], draw), *data[index + 1 :]]
    return draw(_ANYTHING)


@st.composite
def _spoilt(draw: st.DrawFn, name: str) -> object:
    data: object = json.loads(sample(name))
    for _ in range(draw(st.integers(1, 3))):
        data = _spoil(data, draw)
    return data


@every_reader
@given(data=_ANYTHING)
def test_any_document_is_a_value_that_can_be_or_an_error(
    name: str, data: object
) -> None:
    """No crash, and no number that nobody told."""
    _check(_told(lambda: READERS[name][1](data)))


@every_reader
@given(data=st.data())
def test_a_spoilt_answer_is_a_value_that_can_be_or_an_error(
    name: str, data: st.DataObject
) -> None:
    """What is nearly right is the hardest."""
    file_name, read = READERS[name]
    document = data.draw(_spoilt(file_name))

    _check(_told(lambda: read(document)))


@given(text=st.text() | st.from_regex(r"[\[\]{}\",:0-9.eE+\-NaInfity ]*"))
def test_any_text_is_json_or_an_error(text: str) -> None:
    """Nor is it NaN, which is no JSON."""
    try:
        data = parse_json(text)
    except ProviderError:
        return
    json.dumps(data, allow_nan=True)


@given(text=st.text(), position=st.integers(0, 3000), length=st.integers(0, 60))
def test_a_spoilt_generation_document_is_a_value_or_an_error(
    text: str, position: int, length: int
) -> None:
    """XML has more ways to be wrong than JSON."""
    document = sample("entsoe_generation.xml").decode()
    spoilt = document[:position] + text + document[position + length :]

    _check(_told(lambda: _generation(spoilt)))


@given(
    values=st.lists(
        st.tuples(
            st.sampled_from(["B01", "B05", "B16", "B20", "B25", "B99"]),
            st.floats(0, 2e5, allow_subnormal=False),
            st.sampled_from([900.0, 1800.0, 3600.0]),
            st.integers(-20, 4),
        ),
        max_size=30,
    )
)
def test_a_mix_lies_between_its_cleanest_and_its_dirtiest_plant(
    values: list[tuple[str, float, float, int]],
) -> None:
    """A mean cannot be below or above everything it is made of."""
    slots = [
        entsoe_xml.Slot(
            kind,
            Seconds(NOW + begin * 900),
            Seconds(length_s),
            Watts(power_w),
        )
        for kind, power_w, length_s, begin in values
    ]

    try:
        told = entsoe.observation_of(slots, "DE", NOW)
    except ProviderError:
        return

    assert 47.9 < told.value < 820.1
    assert told.observed_unix_s <= NOW + 300
