"""WattTime: what one more kilowatt-hour emits, with an account.

Source: its API reference, version 3. The signal ``co2_moer`` is the *marginal*
operating emissions rate, in pounds per MWh: advice on when to use electricity. It
is no average, and the sum of it is no footprint, so it never enters a counter.

"/login" gives a token of 30 minutes for name and password. "/v3/forecast" begins
with the value of now, so that one call tells both. Without a subscription all
but the region CAISO_NORTH are refused.
"""

import base64
from collections.abc import Mapping

from exporter.carbon.answer import moment, number, rows, text
from exporter.carbon.errors import CredentialsError, NonsenseError
from exporter.carbon.intensity_units import GRAMS_PER_KWH_OF
from exporter.carbon.observation import Observation, Report, forecast_of, newest_begun
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.carbon.secret import Secret
from exporter.core.errors import ConfigError
from exporter.core.units import GramsPerKwh, Seconds

NAME = "watttime"
BASE_URL = "https://api.watttime.org"

_SIGNAL = "co2_moer"
_UNITS = "lbs_co2_per_mwh"
_SLOT_S = Seconds(300.0)
_LIVE_FOR_S = Seconds(1800.0)
# A token is good for 30 minutes.
_TOKEN_FOR_S = 25 * 60.0
_HORIZON_HOURS = "24"


class WattTime:
    """Asks WattTime.

    Args:
        user: name of the account.
        password: of the account.
        regions: WattTime's name of the region of a grid zone, such as
            CAISO_NORTH of US-CAL-CISO; a zone that is not in it is taken for the
            name of a region.
        url: address of the service.
        version: of its API.

    Raises:
        ConfigError: it is no such address.
    """

    traits = Traits(NAME, cadence_s=_SLOT_S, live_for_s=_LIVE_FOR_S, signal="marginal")

    def __init__(
        self,
        user: str,
        password: Secret,
        *,
        regions: Mapping[str, str] | None = None,
        url: str = BASE_URL,
        version: str = "v3",
    ) -> None:
        pair = f"{user}:{password.reveal()}".encode()
        self._basic = Secret(f"Basic {base64.b64encode(pair).decode()}")
        self._regions = dict(regions or {})
        self._url = base_url(url, NAME)
        self._version = version
        self._token: Secret | None = None
        self._token_until_s = 0.0

    def covers(self, zone: str) -> bool:
        """Whether it may know a zone: that depends on the plan."""
        return bool(zone)

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for one region, with a new token if the old one is refused."""
        (zone,) = zones
        fresh = await self._log_in_if_needed(web, unix_s)
        try:
            data = await web.json(self._call(zone))
        except CredentialsError:
            # A token can end early; but a new one that is refused stays refused.
            self._token = None
            if fresh:
                raise
            await self._log_in_if_needed(web, unix_s)
            data = await web.json(self._call(zone))
        return read_forecast(data, zone, self._region(zone), unix_s)

    async def _log_in_if_needed(self, web: Web, unix_s: Seconds) -> bool:
        if self._token is not None and unix_s < self._token_until_s:
            return False
        call = Call(f"{self._url}/login", secret_headers={"Authorization": self._basic})
        self._token = read_login(await web.json(call))
        self._token_until_s = unix_s + _TOKEN_FOR_S
        return True

    def _region(self, zone: str) -> str:
        return self._regions.get(zone, zone)

    def _call(self, zone: str) -> Call:
        token = "" if self._token is None else self._token.reveal()
        return Call(
            f"{self._url}/{self._version}/forecast",
            (
                ("region", self._region(zone)),
                ("signal_type", _SIGNAL),
                ("horizon_hours", _HORIZON_HOURS),
            ),
            secret_headers={"Authorization": Secret(f"Bearer {token}")},
        )


def read_login(data: object) -> Secret:
    """Read an answer to "login".

    Raises:
        NonsenseError: there is no token in it.
    """
    try:
        return Secret(text(data, "token"))
    except ConfigError:
        msg = "token is none"
        raise NonsenseError(msg) from None


def read_forecast(data: object, zone: str, region: str, unix_s: Seconds) -> Report:
    """Read an answer to "forecast": the value of now, and those to come.

    Raises:
        NonsenseError: it is none, is of another region or signal, or in
            another unit.
        UnavailableError: there is no value for now.
    """
    for name, wanted in (
        ("region", region),
        ("signal_type", _SIGNAL),
        ("units", _UNITS),
    ):
        if text(data, "meta", name).lower() != wanted.lower():
            msg = f"meta.{name} is not {wanted}"
            raise NonsenseError(msg)
    slot_s = Seconds(number(data, "meta", "data_point_period_seconds"))
    factor = GRAMS_PER_KWH_OF["lb/MWh"]
    points = [
        (moment(point, "point_time"), number(point, "value") * factor)
        for point in rows(data, "data")
    ]
    begin_s, value = newest_begun(points, unix_s, zone)
    observation = Observation(
        zone=zone,
        provider=NAME,
        value=GramsPerKwh(value),
        observed_unix_s=begin_s,
        slot_s=slot_s,
        signal="marginal",
        factors="direct",
        estimated=True,
    )
    return Report({zone: observation}, {zone: forecast_of(points, slot_s)})
