"""Writes families as text, byte for byte as prometheus_client would.

The name and labels of a series do not change while it lives, so they are
written once and kept; a scrape only formats values. What is kept belongs to
series of the last snapshot, so ended jobs leave nothing behind.

Formats: the Prometheus text format 0.0.4 and OpenMetrics 1.0.0. Created
timestamps exist in OpenMetrics only; the text format would need gauges of their
own for them, which nothing reads.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic_core import to_json

from exporter.exposition.family import Family, LabelValues, Sample
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
_EXPONENT_FROM = 1e6
# Between these JSON and Python write the same digits, and neither an exponent.
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e15
_NOT_FINITE = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


class _Series:
    """The text of one series that does not change from scrape to scrape."""

    __slots__ = ("created_line", "created_unix_s", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.created_unix_s: float | None = None
        self.created_line = ""


class _MetricLines:
    """The text of one metric and of its series."""

    __slots__ = ("headers", "labels", "metric", "order", "series")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.headers: dict[Format, str] = {
            "text": _text_header(metric),
            "openmetrics": _openmetrics_header(metric),
        }
        self.series: dict[LabelValues, _Series] = {}
        self.labels: list[LabelValues] = []
        self.order: list[_Series] = []

    def in_order(self, samples: list[Sample]) -> list[_Series]:
        """Return the series of these samples, in their order.

        That is usually the order of the last scrape, and comparing labels costs
        less than looking them up.
        """
        labels = [one[0] for one in samples]
        if labels != self.labels:
            series = self.series
            self.order = [series.get(each) or self.add(each) for each in labels]
            self.labels = labels
            # Ended jobs leave nothing behind.
            self.series = dict(zip(labels, self.order, strict=True))
        return self.order

    def add(self, labels: LabelValues) -> _Series:
        """Write name and labels of a new series, a space behind them."""
        one = _Series(f"{self.metric.name}{_label_text(self.metric, labels)} ")
        self.series[labels] = one
        return one

    def write_created(
        self, one: _Series, labels: LabelValues, created_unix_s: float
    ) -> None:
        """Write when a counter started from 0."""
        text = _label_text(self.metric, labels)
        value = format_value(created_unix_s)
        one.created_line = f"{self.metric.family}_created{text} {value}\n"
        one.created_unix_s = created_unix_s


class Renderer:
    """Renders families; keeps the text of the series it saw last.

    Not for use by several threads at once.
    """

    def __init__(self) -> None:
        self._metrics: dict[str, _MetricLines] = {}

    def render(self, found: Iterable[Family], form: Format) -> str:
        """Write every sample; OpenMetrics without its end, for others to follow.

        Args:
            found: families of one snapshot, empty ones included.
            form: the format to write.
        """
        found = list(found)
        numbers = _numbers(found)
        out: list[str] = []
        write = out.append
        with_created = form == "openmetrics"
        for metric, samples in found:
            known = self._metrics.get(metric.name)
            if known is None or known.metric is not metric:
                # A site may have added labels of its own.
                known = self._metrics[metric.name] = _MetricLines(metric)
            if samples:
                write(known.headers[form])
            # Not strict: the numbers go on with the next metric.
            shown = zip(known.in_order(samples), samples, numbers, strict=False)
            for one, (labels, _, created_unix_s), number in shown:
                write(f"{one.prefix}{number}\n")
                if with_created and created_unix_s is not None:
                    if created_unix_s != one.created_unix_s:
                        known.write_created(one, labels, created_unix_s)
                    write(one.created_line)
        return "".join(out)

    def remembered_series(self) -> int:
        """Return how many series' texts are kept."""
        return sum(len(known.series) for known in self._metrics.values())


def format_value(value: float) -> str:
    """Write a number as Go and prometheus_client do."""
    text = repr(float(value))
    return _NOT_FINITE.get(text) or _with_exponent(text)


def _with_exponent(text: str) -> str:
    """Write digits that Python wrote with an exponent, where Go does so."""
    dot = text.find(".")
    if dot > _LONGEST_INTEGER and text[0] != "-":
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{dot - 1:02d}"
    return text


def _numbers(found: list[Family]) -> Iterator[str]:
    """Write all values, in their order.

    All at once as a JSON array: that finds the shortest digits of a number, the same
    as ``repr`` does, in a fifth of the time. Only exponents are spelt otherwise.
    """
    values = [float(value) for _, samples in found for _, value, _ in samples]
    texts = to_json(values).decode("ascii")[1:-1].split(",")
    return iter(
        [
            text
            if _PLAIN_FROM <= value < _EXPONENT_FROM or not value
            else _with_exponent(text)
            if _EXPONENT_FROM <= value < _PLAIN_TO
            else format_value(value)
            for value, text in zip(values, texts, strict=bool(values))
        ]
    )


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
