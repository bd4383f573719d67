"""Writes families as text, byte for byte as prometheus_client would.

The name and labels of a series do not change while it lives, so they are
written once and kept; a scrape only formats values. What is kept belongs to
series of the last snapshot, so ended jobs leave nothing behind.

Formats: the Prometheus text format 0.0.4 and OpenMetrics 1.0.0. Created
timestamps exist in OpenMetrics only; the text format would need gauges of their
own for them, which nothing reads.
"""

from collections.abc import Iterable
from typing import Literal

from exporter.exposition.catalogue import CATALOGUE
from exporter.exposition.family import Family, LabelValues
from exporter.exposition.metric import Metric

Format = Literal["text", "openmetrics"]
CONTENT_TYPES: dict[Format, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
OPENMETRICS_END = "# EOF\n"

# From this many digits on, Go writes a number with an exponent and Python does
# not; prometheus_client follows Go.
_LONGEST_INTEGER = 6


class _MetricLines:
    """The text of one metric that does not change from scrape to scrape."""

    __slots__ = ("created", "headers", "metric", "prefixes")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.headers: dict[Format, str] = {
            "text": _text_header(metric),
            "openmetrics": _openmetrics_header(metric),
        }
        self.prefixes: dict[LabelValues, str] = {}
        self.created: dict[LabelValues, tuple[float, str]] = {}

    def add_prefix(self, labels: LabelValues) -> str:
        """Write name and labels of a new series, a space behind them."""
        prefix = f"{self.metric.name}{_label_text(self.metric, labels)} "
        self.prefixes[labels] = prefix
        return prefix

    def created_line(self, labels: LabelValues, created_unix_s: float) -> str:
        """Write when a counter started from 0, or find it written."""
        known = self.created.get(labels)
        if known is not None and known[0] == created_unix_s:
            return known[1]
        text = _label_text(self.metric, labels)
        value = format_value(created_unix_s)
        line = f"{self.metric.family}_created{text} {value}\n"
        self.created[labels] = (created_unix_s, line)
        return line

    def forget_all_but(self, alive: Iterable[LabelValues]) -> None:
        """Drop the series that were not in this snapshot."""
        alive = set(alive)
        self.prefixes = {
            labels: prefix
            for labels, prefix in self.prefixes.items()
            if labels in alive
        }
        self.created = {
            labels: line for labels, line in self.created.items() if labels in alive
        }


class Renderer:
    """Renders families; keeps the text of the series it saw last.

    Not for use by several threads at once.

    Args:
        catalogue: every metric there may be, by default the daemon's.
    """

    def __init__(self, catalogue: Iterable[Metric] = CATALOGUE) -> None:
        self._metrics = {metric.name: _MetricLines(metric) for metric in catalogue}

    def render(self, found: Iterable[Family], form: Format) -> str:
        """Write every sample; OpenMetrics without its end, for others to follow.

        Args:
            found: families of one snapshot, empty ones included.
            form: the format to write.
        """
        out: list[str] = []
        with_created = form == "openmetrics"
        for metric, samples in found:
            known = self._metrics[metric.name]
            if known.metric is not metric:
                # A site may have added labels of its own.
                known = self._metrics[metric.name] = _MetricLines(metric)
            prefixes = known.prefixes
            if samples:
                out.append(known.headers[form])
            for labels, value, created_unix_s in samples:
                prefix = prefixes.get(labels) or known.add_prefix(labels)
                out.append(f"{prefix}{format_value(value)}\n")
                if with_created and created_unix_s is not None:
                    out.append(known.created_line(labels, created_unix_s))
            if len(prefixes) > len(samples):
                known.forget_all_but(labels for labels, _, _ in samples)
        return "".join(out)

    def remembered_series(self) -> int:
        """Return how many series' texts are kept."""
        return sum(len(known.prefixes) for known in self._metrics.values())


def format_value(value: float) -> str:
    """Write a number as Go and prometheus_client do."""
    text = repr(float(value))
    dot = text.find(".")
    if dot > _LONGEST_INTEGER and value > 0:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{dot - 1:02d}"
    return text


def _label_text(metric: Metric, labels: LabelValues) -> str:
    if not labels:
        return ""
    pairs = sorted(zip(metric.labels, labels, strict=True))
    text = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
    return f"{{{text}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _text_header(metric: Metric) -> str:
    # The text format knows no info metric: it is a gauge that is always 1.
    form = "gauge" if metric.type == "info" else metric.type
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {form}\n"


def _openmetrics_header(metric: Metric) -> str:
    family = metric.family
    unit = f"# UNIT {family} {metric.unit}\n" if metric.unit else ""
    return f"# HELP {family} {metric.help}\n# TYPE {family} {metric.type}\n{unit}"
