"""Writes families as text, byte for byte as prometheus_client would.

The name and labels of a series do not change while it lives, so they are
written once and kept; a scrape only formats values. A metric of which no value has
changed since the last scrape is kept whole: what a GPU is, when a job began. What is
kept belongs to series of the last snapshot, so ended jobs leave nothing behind.

Formats: the Prometheus text format 0.0.4 and OpenMetrics 1.0.0. Created
timestamps exist in OpenMetrics only; the text format would need gauges of their
own for them, which nothing reads.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
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


class _MetricLines:
    """The text of one metric, as far as it does not change from scrape to scrape.

    Attributes:
        metric: the metric.
        samples: those of the last scrape.
        blocks: all of their text, in the formats in which it was written.
    """

    __slots__ = (
        "_created_lines",
        "_created_unix_s",
        "_headers",
        "_labels",
        "_prefixes",
        "blocks",
        "metric",
        "samples",
    )

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.samples: list[Sample] = []
        self.blocks: dict[Format, str] = {}
        self._headers: dict[Format, str] = {
            "text": _text_header(metric),
            "openmetrics": _openmetrics_header(metric),
        }
        # Of each series: its labels, name and labels as text with a space behind
        # them, and, if it was ever written, when it started from 0.
        self._labels: list[LabelValues] = []
        self._prefixes: list[str] = []
        self._created_unix_s: list[float | None] = []
        self._created_lines: list[str] = []

    def follow(self, samples: list[Sample]) -> None:
        """Take the samples of the next scrape, if anything is new in them."""
        if samples == self.samples:
            return
        self.samples = samples
        self.blocks.clear()
        # Usually in the order of the last scrape, and to compare costs less than
        # to look up.
        labels = [one[0] for one in samples]
        if labels != self._labels:
            # Ended jobs leave nothing behind.
            known = dict(zip(self._labels, self._prefixes, strict=True))
            self._prefixes = [known.get(each) or self._prefix(each) for each in labels]
            self._labels = labels
            self._created_unix_s = []

    def write(self, form: Format, numbers: Iterator[str]) -> None:
        """Write the block in a format; takes as many numbers as there are samples."""
        told = islice(numbers, len(self.samples))
        if form == "openmetrics" and self.metric.type == "counter":
            lines = [
                f"{prefix}{number}\n{created_line}"
                for prefix, number, created_line in zip(
                    self._prefixes, told, self._created(), strict=True
                )
            ]
        else:
            lines = [
                f"{prefix}{number}\n"
                for prefix, number in zip(self._prefixes, told, strict=True)
            ]
        self.blocks[form] = self._headers[form] + "".join(lines)

    def series(self) -> int:
        """Return how many series' text is kept."""
        return len(self._prefixes)

    def _prefix(self, labels: LabelValues) -> str:
        return f"{self.metric.name}{_label_text(self.metric, labels)} "

    def _created(self) -> list[str]:
        """Return the line that says when a counter started from 0, for each series."""
        created_unix_s = [one[2] for one in self.samples]
        if created_unix_s != self._created_unix_s:
            name = f"{self.metric.family}_created"
            labels_from = len(self.metric.name)
            self._created_lines = [
                ""
                if unix_s is None
                else f"{name}{prefix[labels_from:]}{format_value(unix_s)}\n"
                for prefix, unix_s in zip(self._prefixes, created_unix_s, strict=True)
            ]
            self._created_unix_s = created_unix_s
        return self._created_lines


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
        told: list[_MetricLines] = []
        for metric, samples in found:
            known = self._metrics.get(metric.name)
            if known is None or known.metric is not metric:
                # A site may have added labels of its own.
                known = self._metrics[metric.name] = _MetricLines(metric)
            known.follow(samples)
            if samples:
                told.append(known)
        new = [known for known in told if form not in known.blocks]
        numbers = _numbers([float(one[1]) for known in new for one in known.samples])
        for known in new:
            known.write(form, numbers)
        return "".join([known.blocks[form] for known in told])

    def remembered_series(self) -> int:
        """Return how many series' texts are kept."""
        return sum(known.series() for known in self._metrics.values())


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


def _numbers(values: list[float]) -> Iterator[str]:
    """Write values, in their order.

    All at once as a JSON array: that finds the shortest digits of a number, the same
    as ``repr`` does, in a fifth of the time. Only exponents are spelt otherwise.
    """
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
