from exporter.simulation.sources import SimulatedDriver
from tests.fakes.sampling import FakeDriver, power


def test_a_simulated_driver_hands_on_what_it_is_told_to_expect() -> None:
    """A simulated GPU can be lost over a restart as well."""
    driver = FakeDriver()

    SimulatedDriver(driver).expect(("GPU-0",))

    assert driver.expected == ("GPU-0",)


def test_devices_of_a_simulated_driver_keep_their_names() -> None:
    """By them the daemon knows which driver a device belongs to."""
    driver = FakeDriver((power("driver/GPU-0"),))

    (member,) = SimulatedDriver(driver).members()

    assert member.info.name == "driver/GPU-0"
    assert member.info.quality == "simulated"
