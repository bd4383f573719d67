import pytest

from exporter.hub.budgets.amount import Amount, parse_amount


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("200kg", "carbon", 200e3),
        ("1.5t", "carbon", 1.5e6),
        ("800 g", "carbon", 800.0),
        ("2kt", "carbon", 2e9),
        ("500kWh", "energy", 500 * 3.6e6),
        ("2MWh", "energy", 2 * 3.6e9),
        ("3GJ", "energy", 3e9),
    ],
)
def test_an_amount_is_a_number_and_a_unit(text: str, kind: str, value: float) -> None:
    """Everything behind it is in grams and joules."""
    amount = parse_amount(text, None)

    assert amount.kind == kind
    assert amount.value == pytest.approx(value)
    assert amount.unit == {"carbon": "grams", "energy": "joules"}[kind]
    assert amount.per_count == 1.0


def test_money_is_joules_times_a_price() -> None:
    """A budget of money is one of energy, told in another unit."""
    amount = parse_amount("1000EUR", 0.36)

    assert amount == Amount("cost", 1000.0, "EUR", 0.36 / 3.6e6)


@pytest.mark.parametrize(
    ("text", "price", "complaint"),
    [
        ("", None, "write an amount"),
        ("200", None, "write an amount"),
        ("-5kg", None, "write an amount"),
        ("1e3kg", None, "write an amount"),
        ("0kg", None, "above 0"),
        ("5lbs", None, "unknown unit lbs"),
        ("5KG", None, "unknown unit KG"),
        ("1000EUR", None, "price_per_kwh"),
        ("200kg", 0.3, "belongs to a budget of money"),
    ],
)
def test_an_amount_that_is_none_says_how_to_write_one(
    text: str, price: float | None, complaint: str
) -> None:
    """A budget that is a thousand times too large alerts nobody."""
    with pytest.raises(ValueError, match=complaint):
        parse_amount(text, price)
