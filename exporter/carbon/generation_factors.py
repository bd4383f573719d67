"""What a kilowatt-hour of each kind of power plant emits over its life.

Medians of the IPCC, gCO2e per kWh:

* [AR5] Fifth Assessment Report, Working Group III (2014), Annex III, table
  A.III.2.
* [SRREN] Special Report on Renewable Energy Sources (2011), Annex II, table
  A.II.4, for oil, which AR5 does not list.

Codes are those of ENTSO-E's production types. What the IPCC does not list takes the
figure of the listed fuel that is nearest to it, as noted.
"""

from collections.abc import Mapping

OTHER = "B20"

GRAMS_PER_KWH: Mapping[str, float] = {
    "B01": 230.0,  # biomass, dedicated [AR5]
    "B02": 820.0,  # lignite: coal [AR5]
    "B03": 820.0,  # gas made of coal: coal [AR5]
    "B04": 490.0,  # gas, combined cycle [AR5]
    "B05": 820.0,  # hard coal, pulverised [AR5]
    "B06": 840.0,  # oil [SRREN]
    "B07": 840.0,  # oil shale: oil [SRREN]
    "B08": 820.0,  # peat: coal [AR5]
    "B09": 38.0,  # geothermal [AR5]
    "B10": 24.0,  # pumped storage: hydropower [AR5]
    "B11": 24.0,  # run of river: hydropower [AR5]
    "B12": 24.0,  # reservoir: hydropower [AR5]
    "B13": 17.0,  # marine: ocean [AR5]
    "B14": 12.0,  # nuclear [AR5]
    "B15": 230.0,  # other renewable: biomass, the highest of them [AR5]
    "B16": 48.0,  # solar: photovoltaic, utility [AR5]
    "B17": 490.0,  # waste, half of it fossil: gas [AR5]
    "B18": 12.0,  # wind, offshore [AR5]
    "B19": 11.0,  # wind, onshore [AR5]
    "B20": 490.0,  # other: gas [AR5]
}

NOT_GENERATION = frozenset({"B25"})
"""Batteries: what they give back was counted when it was generated."""
