"""Which provider without a token covers a grid zone.

The operator of the grid itself where there is one that tells; it is asked about its
own country only. What is not covered stays with the yearly figure: a zone is never
guessed, nor replaced by the country around it.
"""

from exporter.carbon.energi_data_service import EnergiDataService
from exporter.carbon.energy_charts import EnergyCharts
from exporter.carbon.neso import Neso
from exporter.carbon.provider import Provider
from exporter.carbon.rte_eco2mix import RteEco2mix


def provider_for(zone: str) -> Provider | None:
    """Return the provider that is asked of a zone where none is configured.

    Args:
        zone: the grid zone, such as DE, GB-R13 or DK-DK1.

    Returns:
        A provider that needs no token; ``None`` if none covers the zone.
    """
    candidates: tuple[Provider, ...] = (
        Neso(),
        EnergiDataService(),
        RteEco2mix(),
        EnergyCharts(),
    )
    return next((one for one in candidates if one.covers(zone)), None)
