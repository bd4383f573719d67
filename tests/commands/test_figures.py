import pytest

from exporter.commands.figures import (
    energy_text,
    figure,
    hours_text,
    mass_text,
    percent_text,
    time_text,
)


@pytest.mark.parametrize(
    ("energy_j", "expected"),
    [
        (0.0, "0 J"),
        (0.0123456, "0.0123 J"),
        (999.96, "1000 J"),
        (3599.0, "3599 J"),
        (3600.0, "1 Wh"),
        (3.6e6, "1 kWh"),
        (4.5e6, "1.25 kWh"),
        (3.6e9, "1 MWh"),
        (3.6e13, "10000 MWh"),
    ],
)
def test_an_energy_has_the_unit_that_suits_it(energy_j: float, expected: str) -> None:
    """A job of a second and a job of a month are in one table."""
    assert energy_text(energy_j) == expected


@pytest.mark.parametrize(
    ("mass_g", "expected"),
    [
        (0.0, "0 g"),
        (0.0456, "0.0456 g"),
        (456.0, "456 g"),
        (1234.0, "1.23 kg"),
        (5e6, "5 t"),
    ],
)
def test_a_mass_has_the_unit_that_suits_it(mass_g: float, expected: str) -> None:
    """Grams for a job, tonnes for a year."""
    assert mass_text(mass_g) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0s"),
        (0.5, "0.5s"),
        (59.0, "59s"),
        (61.0, "1m01s"),
        (3599.4, "59m59s"),
        (3600.0, "1h00m"),
        (86_399.0, "23h59m"),
        (90_000.0, "1d01h"),
        (8_640_000.0, "100d00h"),
    ],
)
def test_a_duration_is_its_two_largest_units(seconds: float, expected: str) -> None:
    """Nobody needs the seconds of a day."""
    assert time_text(seconds) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [(0.0, "0"), (0.0001, "<1"), (0.37, "37"), (0.996, "100"), (1.0, "100")],
)
def test_a_small_part_is_not_shown_as_none(part: float, expected: str) -> None:
    """What is there is not 0."""
    assert percent_text(part) == expected


def test_figures_have_three_digits() -> None:
    """Or all before the point: thousands are not rounded away."""
    values = (0.00123456, 1.23456, 99.94, 99.96, 123456.7)

    texts = [figure(value) for value in values]

    assert texts == ["0.00123", "1.23", "99.9", "100", "123457"]
    assert hours_text(4500.0) == "1.25"
