"""France, from RTE's éCO2mix on the open data platform ODRÉ; no token.

Source: the data set eco2mix-national-tr and the API of Opendatasoft, version 2.1.
Quarters of an hour, published about once an hour; the average of what is generated
in France, of what burns. The table already has the rest of the day as rows without
values, and just after midnight nothing else.
"""

from exporter.carbon.answer import moment, number_or_none, rows
from exporter.carbon.errors import NotCoveredError
from exporter.carbon.observation import Observation, Report, newest_begun
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.core.units import GramsPerKwh, Seconds

NAME = "rte-eco2mix"
BASE_URL = "https://odre.opendatasoft.com"

_PATH = "api/explore/v2.1/catalog/datasets/eco2mix-national-tr/records"
_SLOT_S = Seconds(900.0)


class RteEco2mix:
    """Asks éCO2mix.

    Args:
        url: address of the platform.

    Raises:
        ConfigError: it is no such address.
    """

    traits = Traits(NAME, cadence_s=_SLOT_S, live_for_s=Seconds(3 * 3600.0))

    def __init__(self, *, url: str = BASE_URL) -> None:
        self._url = base_url(url, NAME)

    def covers(self, zone: str) -> bool:
        """Whether a zone is France."""
        return zone.upper() == "FR"

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for the newest rows that have a value."""
        (zone,) = zones
        if not self.covers(zone):
            msg = f"{zone} is not France"
            raise NotCoveredError(msg)
        call = Call(
            f"{self._url}/{_PATH}",
            (
                ("select", "taux_co2,date_heure"),
                ("where", "taux_co2 is not null"),
                ("order_by", "date_heure desc"),
                ("limit", "10"),
                ("timezone", "UTC"),
            ),
        )
        return Report({zone: read_records(await web.json(call), zone, unix_s)})


def read_records(data: object, zone: str, unix_s: Seconds) -> Observation:
    """Read rows of the table.

    Raises:
        NonsenseError: it is no such answer.
        UnavailableError: no row of now or before has a value.
    """
    values = [
        (moment(record, "date_heure"), value)
        for record in rows(data, "results")
        if (value := number_or_none(record, "taux_co2")) is not None
    ]
    begin_s, value = newest_begun(values, unix_s, zone)
    return Observation(
        zone=zone,
        provider=NAME,
        value=GramsPerKwh(value),
        observed_unix_s=begin_s,
        slot_s=_SLOT_S,
        factors="direct",
    )
