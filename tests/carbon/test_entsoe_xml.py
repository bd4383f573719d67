import pytest

from exporter.carbon.entsoe import observation_of
from exporter.carbon.entsoe_xml import Slot, read_generation
from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.core.units import Seconds, Watts
from tests.fakes.carbon import NOW, sample

_DOCUMENT = sample("entsoe_generation.xml").decode()


def _slot(kind: str, minute: float, megawatts: float, length_s: float = 900.0) -> Slot:
    return Slot(
        kind, Seconds(NOW + minute * 60), Seconds(length_s), Watts(megawatts * 1e6)
    )


def test_a_value_stands_until_the_next_one_where_the_curve_says_so() -> None:
    """Coal is written twice and generates in four quarters."""
    slots = read_generation(_DOCUMENT)

    coal = [slot.power_w / 1e6 for slot in slots if slot.kind == "B05"]
    assert coal == [6000.0, 6000.0, 6000.0, 5000.0]


def test_a_gap_is_not_filled_where_the_curve_does_not_say_so() -> None:
    """That would be inventing."""
    document = _DOCUMENT.replace("A03", "A01")

    coal = [slot for slot in read_generation(document) if slot.kind == "B05"]

    assert len(coal) == 2


def test_pumps_do_not_generate() -> None:
    """They come as a series of their own, with "out" instead of "in"."""
    kinds = {slot.kind for slot in read_generation(_DOCUMENT)}

    assert kinds == {"B04", "B05", "B12", "B16", "B19"}


def test_a_plant_that_draws_more_than_it_gives_generates_nothing() -> None:
    """A negative share of the mix is none."""
    document = _DOCUMENT.replace("<quantity>1000<", "<quantity>-5<")

    water = [slot.power_w for slot in read_generation(document) if slot.kind == "B12"]

    assert water == [0.0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MAW", "KWT"),
        ("PT15M", "P1D"),
        (">B16<", ">solar<"),
        ("<position>1<", "<position>-1<"),
        ("<quantity>6000<", "<quantity>6e3<"),
        ("2026-11-22T10:00Z", "2036-11-22T10:00Z"),
        ("2026-11-22T10:00Z", "2016-11-22T10:00Z"),
        ("2026-11-22T10:00Z", "10:00"),
        ("GL_MarketDocument", "Publication_MarketDocument"),
        ("<?xml", "<!DOCTYPE a><?xml"),
    ],
)
def test_a_document_that_differs_from_its_guide_is_nonsense(old: str, new: str) -> None:
    """Each of these would be another number."""
    with pytest.raises(NonsenseError):
        read_generation(_DOCUMENT.replace(old, new))


def test_entities_are_refused_before_anything_is_parsed() -> None:
    """Nine lines can become three gigabytes."""
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "lol">{lines}]><l>&l9;</l>'

    with pytest.raises(NonsenseError, match="document type"):
        read_generation(bomb)


def test_a_reason_other_than_no_data_is_nonsense() -> None:
    """And its text, which may hold anything, is not repeated."""
    document = sample("entsoe_no_data.xml").decode().replace("999", "401")

    with pytest.raises(NonsenseError) as refusal:
        read_generation(document)

    assert "ACTUAL" not in str(refusal.value)


def test_a_slot_is_complete_when_every_kind_of_plant_is_in_it() -> None:
    """Without the coal that is still missing, the grid would be clean."""
    told = observation_of(
        [_slot("B05", -30, 100), _slot("B16", -30, 100), _slot("B16", -15, 900)],
        "DE",
        NOW,
    )

    assert told.observed_unix_s == NOW - 1800
    assert told.value == pytest.approx((820 + 48) / 2)


def test_plants_that_are_told_by_the_hour_are_in_each_of_its_quarters() -> None:
    """Resolutions are mixed in one document."""
    told = observation_of(
        [_slot("B05", -60, 300, 3600.0), _slot("B16", -15, 100)], "DE", NOW
    )

    assert told.observed_unix_s == NOW - 900
    assert told.value == pytest.approx((3 * 820 + 48) / 4)


def test_batteries_are_no_plants_and_what_is_new_counts_as_other() -> None:
    """What a battery gives back was counted when it was generated."""
    told = observation_of(
        [_slot("B25", -15, 900), _slot("B16", -15, 100), _slot("B26", -15, 100)],
        "DE",
        NOW,
    )

    assert told.value == pytest.approx((48 + 490) / 2)


@pytest.mark.parametrize(
    "slots", [[], [_slot("B25", -15, 5)], [_slot("B16", -15, 0)], [_slot("B16", 90, 5)]]
)
def test_without_a_complete_slot_there_is_no_value(slots: list[Slot]) -> None:
    """Neither nothing at all, nor only the future."""
    with pytest.raises(UnavailableError, match="no complete slot"):
        observation_of(slots, "DE", NOW)
