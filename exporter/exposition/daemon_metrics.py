"""Metrics of the daemon itself: its sources, its ticks, its version."""

from exporter.exposition.metric import Metric, counter, gauge, info

SOURCE_UP = gauge(
    "jouled_source_up",
    ("source",),
    "1 if a source could be read in the last tick; else its series are absent.",
)
SOURCE_INFO = info(
    "jouled_source_info",
    ("source", "component", "method", "quality", "scope"),
    "What a source is and whether its numbers are measured or estimated; its "
    "value is always 1.",
)
SOURCE_ERRORS = counter(
    "jouled_source_errors_total",
    ("source", "reason"),
    "Ticks in which a source could not be read (absent, denied, faulty, timeout).",
)
SOURCE_READ_DURATION = gauge(
    "jouled_source_read_duration_seconds",
    ("source",),
    "How long the last read of a source took.",
)
SAMPLE_DURATION = gauge(
    "jouled_sample_duration_seconds",
    (),
    "How long it took to read all sources in the last tick.",
)
SAMPLE_TIME = gauge(
    "jouled_sample_timestamp_seconds",
    (),
    "Unix time of the last tick, by the clock of the node.",
)
SAMPLES_MISSED = counter(
    "jouled_samples_missed_total",
    (),
    "Ticks that were skipped because an earlier one was late.",
)
JOBS_DROPPED = counter(
    "jouled_jobs_dropped_total",
    (),
    "Jobs that found no place among the exported ones, because of the cap on them. "
    "Each gets one if it still runs when one is free; its energy goes to its tenant "
    "all the time.",
)
BUILD_INFO = info(
    "jouled_build_info",
    ("version", "python"),
    "Version of the daemon and of the Python it runs on; its value is always 1.",
)

# In the order of a scrape.
DAEMON_METRICS: tuple[Metric, ...] = (
    SOURCE_UP,
    SOURCE_INFO,
    SOURCE_ERRORS,
    SOURCE_READ_DURATION,
    SAMPLE_DURATION,
    SAMPLE_TIME,
    SAMPLES_MISSED,
    JOBS_DROPPED,
    BUILD_INFO,
)
