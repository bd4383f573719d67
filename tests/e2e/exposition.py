"""A scrape as a test reads it."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """One exposition in the text format, parsed by prometheus_client.

    Attributes:
        text: the exposition as it came.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [
            sample
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def series(self, name: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the series of a metric that have these labels among theirs."""
        return [
            (sample.labels, sample.value)
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def samples(self, prefix: str) -> list[tuple[str, Mapping[str, str]]]:
        """Return name and labels of each series whose name begins so."""
        return [
            (sample.name, sample.labels)
            for sample in self._samples
            if sample.name.startswith(prefix)
        ]

    def get(self, name: str, **labels: str) -> float | None:
        """Return the value of the one such series; ``None`` if there is none."""
        found = self.series(name, **labels)
        assert len(found) <= 1, f"{name} {labels} is no single series: {found}"
        return found[0][1] if found else None

    def value(self, name: str, **labels: str) -> float:
        """Return the value of the one such series, which has to be there."""
        value = self.get(name, **labels)
        assert value is not None, f"no series {name} {labels}"
        return value

    def total(self, name: str, **labels: str) -> float:
        """Add up all such series."""
        return sum(value for _, value in self.series(name, **labels))
