"""The nodes: how many there are, how they are, what they draw and what they emit."""

from collections.abc import Mapping, Sequence

from exporter.hub.overview.asking import Asker, Row
from exporter.hub.overview.figures import (
    Cluster,
    Course,
    Fault,
    Node,
    Part,
    Total,
    Zone,
)
from exporter.hub.overview.question import Question, Series, by
from exporter.hub.prometheus.matching import Matcher

COURSE_S = 6 * 3600
"""How far back the course of power goes, s."""

DAY_S = 24 * 3600

_STEP_S = 120
_MOST_NAMED = 20
_CLUSTER = ("cluster",)
_NODE = ("cluster", "instance")
_FAULT = (*_NODE, "source", "reason")
_QUALITY = ("quality", "component")
_NO_SOURCES = (
    "Faults of nodes are not known: this Prometheus knows sums of them alone. The one "
    "that scrapes the nodes knows more."
)


class OfNodes:
    """Asks about nodes.

    Args:
        series: which are ours.
    """

    def __init__(self, series: Series) -> None:
        self._series = series
        up = series.of_nodes("up")
        self._known, self._up = (
            # Recorded first: a Prometheus above shards knows the sums alone.
            Question(
                "nodes",
                by(operation, _CLUSTER, up),
                by("max", _CLUSTER, series.sums(f"cluster:jouled_up:{operation}")),
            )
            for operation in ("count", "sum")
        )
        none = f"{by('max', _NODE, up)} == 0"
        self._down = Question("nodes", f"topk({_MOST_NAMED}, {none})")
        errors = series.raw(
            "jouled_source_errors_total",
            # What is not on a machine is no fault of it.
            Matcher("reason", "!=", ("absent",)),
        )
        source_up = series.raw("jouled_source_up")
        faults = (
            f"{by('max', _FAULT, f'increase({errors}[5m]) > 0')} "
            f"and on (cluster, instance, source) ({source_up} == 0)"
        )
        self._faults = Question("faults", f"topk({_MOST_NAMED}, {faults})")
        self._faulty = Question("faults", f"count({by('max', _NODE, faults)})")
        told = series.raw("jouled_source_info")
        read = f"{told} and on (cluster, instance, source) ({source_up} == 1)"
        parts = by("max", (*_NODE, *_QUALITY), read)
        self._quality = Question(
            "faults", by("count", _QUALITY, parts), remedy=_NO_SOURCES
        )

    def clusters(self, asker: Asker) -> tuple[Cluster, ...] | None:
        """Return all clusters, their power not yet filled in; ``None``: unknown."""
        # Two numbers of a cluster, which cost nothing even without rules.
        asker.with_raw = True
        known = asker.best(self._known, may_be_none=True)
        up = asker.best(self._up, may_be_none=True)
        if known is None or up is None:
            return None
        of_cluster = _by_one(up, "cluster")
        found = [
            Cluster(name, int(count), int(of_cluster.get(name, 0)), None)
            for name, count in sorted(_by_one(known, "cluster").items())
        ]
        return tuple(found)

    def down(self, asker: Asker) -> tuple[Node, ...]:
        """Return the first nodes that do not answer."""
        rows = asker.rows(self._down) or ()
        return tuple(sorted((_node(row) for row in rows), key=_place))

    def faults(self, asker: Asker) -> tuple[tuple[Fault, ...], int] | None:
        """Return the first sources that cannot be read, and on how many nodes."""
        rows = asker.rows(self._faults)
        if rows is None:
            return None
        counted = asker.rows(self._faulty) if rows else ()
        if counted is None:
            return None
        faults = [
            Fault(_node(row), *row.of(("source", "reason")))
            for row in sorted(rows, key=lambda row: row.of(_FAULT))
        ]
        return tuple(faults), int(counted[0].value) if counted else 0

    def estimated(self, asker: Asker) -> tuple[Mapping[str, int], int] | None:
        """Return nodes where a component is estimated, and how many are simulated.

        ``None`` if this Prometheus does not know the sources of nodes.
        """
        rows = asker.rows(self._quality, may_be_none=False)
        if rows is None:
            return None
        counts = {row.of(_QUALITY): int(row.value) for row in rows}
        return (
            {
                part: n
                for (quality, part), n in counts.items()
                if quality == "estimated"
            },
            max(
                (n for (quality, _), n in counts.items() if quality == "simulated"),
                default=0,
            ),
        )

    def power(self, asker: Asker) -> Mapping[str, float] | None:
        """Return power by cluster, W."""
        rows = asker.best(self._sum("power", _CLUSTER, "node_power_watts:sum"))
        return None if rows is None else _by_one(rows, "cluster")

    def components(self, asker: Asker) -> Mapping[str, float] | None:
        """Return power by component, W."""
        rows = asker.best(self._of_components)
        return None if rows is None else _by_one(rows, "component")

    def devices_missing(self, asker: Asker) -> Mapping[str, int] | None:
        """Return how many devices are in no power, by component.

        ``None`` if nobody tells, as daemons and rules of before do not.
        """
        labels = ("cluster", "component")
        question = self._sum("components", labels, "devices_missing:sum")
        rows = asker.best(question, may_be_none=True)
        if not rows:
            return None
        return {name: int(n) for name, n in _by_one(rows, "component").items()}

    def unattributed(self, asker: Asker) -> Mapping[str, float] | None:
        """Return power that no job is charged for, by reason, W."""
        labels = ("cluster", "component", "reason")
        what = "unattributed_energy_joules:rate5m"
        rows = asker.best(self._sum("unattributed", labels, what))
        return None if rows is None else _by_one(rows, "reason")

    def grams(self, asker: Asker) -> tuple[float | None, float | None]:
        """Return emissions, g/s, and the part on fallback figures, 0..1."""
        what = "node_emissions_grams:rate5m"
        rows = asker.best(self._sum("grams", _CLUSTER, what))
        if rows is None:
            return None, None
        grams_per_s = sum(row.value for row in rows)
        what = "node_emissions_fallback_grams:rate5m"
        rows = asker.best(self._sum("grams", _CLUSTER, what))
        if rows is None or grams_per_s <= 0:
            return grams_per_s, None
        return grams_per_s, min(1.0, sum(row.value for row in rows) / grams_per_s)

    def zones(self, asker: Asker) -> tuple[Zone, ...]:
        """Return the grid zones that nodes are in."""
        metric = "jouled_carbon_intensity_fallback_level"
        levels = asker.best(self._of_zones(f"{metric}:max", ()))
        metric = "jouled_carbon_intensity_grams_per_kwh"
        average = Matcher("signal", "=", ("average",))
        values = asker.best(self._of_zones(f"{metric}:avg", (average,)))
        of_zone = {row.labels.get("zone", ""): row.value for row in values or ()}
        found = [(row.labels.get("zone", ""), int(row.value)) for row in levels or ()]
        return tuple(Zone(name, of_zone.get(name), at) for name, at in sorted(found))

    def course(self, asker: Asker) -> Course | None:
        """Return power of the last hours by component."""
        question = self._sum(
            "course", ("cluster", "component"), "component_power_watts:sum"
        )
        found = asker.course(question, "component", COURSE_S, _STEP_S)
        if found is None:
            return None
        begin_s = int(asker.at_s) - COURSE_S + _STEP_S
        moments = range(begin_s, begin_s + COURSE_S, _STEP_S)
        return Course(
            begin_s,
            _STEP_S,
            {
                component: tuple(map({int(at): w for at, w in samples}.get, moments))
                for component, samples in sorted(found.items())
            },
        )

    def energy(self, asker: Asker) -> Total | None:
        """Return the energy of the last 24 hours, J."""
        return self._of_day(asker, "node_energy_joules:rate5m")

    def emissions(self, asker: Asker) -> Total | None:
        """Return the emissions of the last 24 hours, g."""
        return self._of_day(asker, "node_emissions_grams:rate5m")

    @property
    def _of_components(self) -> Question:
        labels = ("cluster", "component")
        return self._sum("components", labels, "component_power_watts:sum")

    def _of_day(self, asker: Asker, what: str) -> Total | None:
        # A rate over 5 minutes, looked at again and again, adds up to what was used;
        # where nothing is known nothing is added, and that is told.
        question = self._sum("day", _CLUSTER, what)
        found = asker.course(question, "", DAY_S, _STEP_S)
        if found is None:
            return None
        samples = found.get("", ())
        amount = sum(value for _, value in samples) * _STEP_S
        return Total(amount, len(samples) * _STEP_S)

    def _of_zones(self, what: str, which: tuple[Matcher, ...]) -> Question:
        metric, _, operation = what.partition(":")
        return Question(
            "zones",
            by(operation, ("zone",), self._series.of_nodes(metric, *which)),
            by(operation, ("zone",), self._series.sums(f"cluster_zone:{what}")),
        )

    def _sum(self, part: Part, labels: Sequence[str], what: str) -> Question:
        return sum_of(self._series, part, labels, what)


def sum_of(series: Series, part: Part, labels: Sequence[str], what: str) -> Question:
    """Ask for a sum that is recorded under the name that it has to have.

    Args:
        series: which are ours.
        part: what it is of.
        labels: what is told apart; of them its name begins.
        what: metric without ``jouled_`` and ``_total``, and operation.
    """
    metric, _, operation = what.partition(":")
    if operation == "rate5m":
        raw = f"rate({series.raw(f'jouled_{metric}_total')}[5m])"
    else:
        raw = series.raw(f"jouled_{metric}")
    recorded = series.sums(f"{'_'.join(labels)}:jouled_{what}")
    return Question(part, by("sum", labels, raw), by("max", labels, recorded))


def _by_one(rows: Sequence[Row], label: str) -> dict[str, float]:
    """Add up by one label."""
    found: dict[str, float] = {}
    for row in rows:
        name = row.labels.get(label, "")
        found[name] = found.get(name, 0.0) + row.value
    return found


def _node(row: Row) -> Node:
    return Node(*row.of(_NODE))


def _place(node: Node) -> tuple[str, str]:
    return node.cluster, node.instance
