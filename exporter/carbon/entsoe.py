"""Europe, computed from what ENTSO-E publishes of its generation; with a token.

Source: the Transparency Platform's API, document A75 ("actual generation per
type"), process A16 (realised). The intensity is the mean of the IPCC's medians,
weighted with the power of each kind of plant:

    intensity = sum(power_w * g_per_kwh) / sum(power_w)

That is what is generated in the zone. Imports are not known here, and what a
zone exports is counted as if it stayed: bad for transit countries such as CH,
AT or DK. It is therefore called an estimate, always.

Kinds of plants are published with different delays. The slot that is taken is the
newest one in which every kind that was published at all is there: without the
coal that is still missing, a grid would be clean for a quarter of an hour.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from exporter.carbon.entsoe_areas import AREAS
from exporter.carbon.entsoe_xml import Slot, read_generation
from exporter.carbon.errors import NotCoveredError, UnavailableError
from exporter.carbon.generation_factors import GRAMS_PER_KWH, NOT_GENERATION, OTHER
from exporter.carbon.observation import CLOCK_TOLERANCE_S, Observation, Report
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.carbon.secret import Secret
from exporter.core.units import GramsPerKwh, Seconds

NAME = "entsoe"
BASE_URL = "https://web-api.tp.entsoe.eu/api"

_HOUR_S = 3600.0
_WINDOW_S = 6 * _HOUR_S


class Entsoe:
    """Asks the Transparency Platform.

    Args:
        token: the security token of an account.
        url: address of the API.
        areas: EIC codes of further grid zones.

    Raises:
        ConfigError: it is no such address.
    """

    traits = Traits(NAME, cadence_s=Seconds(900.0), live_for_s=Seconds(4 * _HOUR_S))

    def __init__(
        self,
        token: Secret,
        *,
        url: str = BASE_URL,
        areas: Mapping[str, str] | None = None,
    ) -> None:
        self._token = token
        self._url = base_url(url, NAME)
        self._areas = {**AREAS, **(areas or {})}

    def covers(self, zone: str) -> bool:
        """Whether the code of a zone is known."""
        return zone.upper() in self._areas

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for the generation of the last hours in one zone."""
        (zone,) = zones
        area = self._areas.get(zone.upper())
        if area is None:
            msg = f"no EIC code of {zone} is known"
            raise NotCoveredError(msg)
        end_s = (unix_s // _HOUR_S + 1) * _HOUR_S
        call = Call(
            self._url,
            (
                ("documentType", "A75"),
                ("processType", "A16"),
                ("in_Domain", area),
                ("periodStart", _minute(end_s - _WINDOW_S)),
                ("periodEnd", _minute(end_s)),
            ),
            headers={"Accept": "application/xml"},
            secret_params=(("securityToken", self._token),),
            # It says "no data" with 400 as well.
            accepted=(200, 400),
        )
        slots = read_generation(await web.text(call))
        return Report({zone: observation_of(slots, zone, unix_s)})


def observation_of(slots: Iterable[Slot], zone: str, unix_s: Seconds) -> Observation:
    """Compute the intensity of the newest slot that is complete.

    Args:
        slots: of all kinds of plants, of any length.
        zone: the grid zone.
        unix_s: now.

    Raises:
        UnavailableError: no slot is complete, or nothing was generated.
        ImplausibleError: the result cannot be.
    """
    relevant = [
        slot
        for slot in slots
        if slot.kind not in NOT_GENERATION
        and slot.begin_unix_s <= unix_s + CLOCK_TOLERANCE_S
    ]
    kinds = {slot.kind for slot in relevant}
    step_s = min((slot.length_s for slot in relevant), default=Seconds(_HOUR_S))
    for begin_s in sorted({slot.begin_unix_s for slot in relevant}, reverse=True):
        powers_w: dict[str, float] = {}
        for slot in relevant:
            if slot.begin_unix_s <= begin_s < slot.begin_unix_s + slot.length_s:
                powers_w[slot.kind] = slot.power_w
        total_w = sum(powers_w.values())
        if powers_w.keys() == kinds and total_w > 0:
            grams = sum(
                power_w * GRAMS_PER_KWH.get(kind, GRAMS_PER_KWH[OTHER])
                for kind, power_w in powers_w.items()
            )
            return Observation(
                zone=zone,
                provider=NAME,
                value=GramsPerKwh(grams / total_w),
                observed_unix_s=begin_s,
                slot_s=step_s,
                factors="lifecycle",
                estimated=True,
            )
    msg = f"it has no complete slot of {zone} yet"
    raise UnavailableError(msg)


def _minute(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y%m%d%H%M}"
