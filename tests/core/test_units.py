import pytest

from exporter.core.units import (
    GramsPerKwh,
    Joules,
    Microwatts,
    Milliwatts,
    grams_emitted,
    watts_from_microwatts,
    watts_from_milliwatts,
)


def test_nvml_tells_power_in_milliwatts() -> None:
    """A factor of a thousand is the commonest error of all."""
    assert watts_from_milliwatts(Milliwatts(300_000)) == pytest.approx(300.0)


def test_the_kernel_tells_power_in_microwatts() -> None:
    """Powercap and hwmon, unlike NVML."""
    assert watts_from_microwatts(Microwatts(65_000_000)) == pytest.approx(65.0)


def test_one_kilowatt_hour_emits_the_intensity() -> None:
    """A kWh is 3.6 MJ: at 400 g/kWh it emits 400 g."""
    assert grams_emitted(Joules(3.6e6), GramsPerKwh(400.0)) == pytest.approx(400.0)
