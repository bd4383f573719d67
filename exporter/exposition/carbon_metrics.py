"""Metrics of carbon intensity and of what else makes grams out of joules."""

from exporter.exposition.metric import Metric, counter, gauge

CARBON_INTENSITY = gauge(
    "jouled_carbon_intensity_grams_per_kwh",
    ("zone", "provider", "signal", "factors"),
    "Carbon intensity of the grid in force, in grams of CO2e per kilowatt-hour.",
)
CARBON_OBSERVED = gauge(
    "jouled_carbon_intensity_observed_timestamp_seconds",
    ("zone",),
    "Unix time the carbon intensity in force speaks of; absent for a constant.",
)
CARBON_FALLBACK_LEVEL = gauge(
    "jouled_carbon_intensity_fallback_level",
    ("zone",),
    "How far the carbon intensity in force is from live: 0 live or fixed, 1 last "
    "good value, 2 yearly figure of the zone, 3 yearly figure of the world.",
)
CARBON_ESTIMATED = gauge(
    "jouled_carbon_intensity_estimated",
    ("zone",),
    "1 if the provider itself calls the carbon intensity in force an estimate.",
)
CARBON_FORECAST = gauge(
    "jouled_carbon_intensity_forecast_grams_per_kwh",
    ("zone", "horizon"),
    "Carbon intensity that is expected at one moment, so long from now (1h, 3h, 6h, "
    "12h, 24h); absent where no forecast reaches.",
)
CARBON_FETCHES = counter(
    "jouled_carbon_fetches_total",
    ("provider", "outcome"),
    "Calls to a provider of carbon intensity, by what they came to.",
)
MARKET_INTENSITY = gauge(
    "jouled_carbon_market_intensity_grams_per_kwh",
    (),
    "What a kilowatt-hour emits by the site's contracts, as configured.",
)
PUE = gauge(
    "jouled_pue_ratio",
    (),
    "Power usage effectiveness that emissions are multiplied by.",
)

# In the order of a scrape.
CARBON_METRICS: tuple[Metric, ...] = (
    CARBON_INTENSITY,
    CARBON_OBSERVED,
    CARBON_FALLBACK_LEVEL,
    CARBON_ESTIMATED,
    CARBON_FORECAST,
    CARBON_FETCHES,
    MARKET_INTENSITY,
    PUE,
)
