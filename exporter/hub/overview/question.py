"""What Prometheus is asked: a figure as a recorded sum, and as what it is a sum of.

The sums are those of ``deploy/prometheus/rules``: a few series, however many nodes
there are. Without the rules the hub adds up by itself, which costs Prometheus a series
for each node or job, so it does so for small clusters alone. ``max by`` around a
recorded sum keeps one of several copies, as they are in a store that several servers
write to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.hub.overview.figures import Part
from exporter.hub.prometheus.matching import Matcher, Matchers, selector

_OUR_JOB = Matcher("job", "=", ("jouled",))


@dataclass(frozen=True, slots=True)
class Question:
    """A figure in PromQL.

    Attributes:
        part: what it is of.
        raw: as what the nodes tell.
        recorded: as what a rule recorded of that.
        rules: the file of these rules.
        remedy: what to do if there are no such series, if not what helps in general.
    """

    part: Part
    raw: str
    recorded: str = ""
    rules: str = "record-nodes.yml"
    remedy: str = ""


class Series:
    """Selectors of the series of a site.

    Args:
        matchers: which series are the site's.
    """

    def __init__(self, matchers: Matchers = ()) -> None:
        self._ours = matchers
        # Recorded sums are of the scrape job of this name, and do not carry it.
        self._of_sums = tuple(one for one in matchers if one != _OUR_JOB)
        named = any(one.label == "job" for one in matchers)
        self._of_nodes = matchers if named else (*matchers, _OUR_JOB)

    def raw(self, metric: str, *more: Matcher) -> str:
        """Select what nodes tell."""
        return selector(metric, (*self._ours, *more))

    def of_nodes(self, metric: str, *more: Matcher) -> str:
        """Select what nodes tell, where others tell it too."""
        return selector(metric, (*self._of_nodes, *more))

    def sums(self, record: str, *more: Matcher) -> str:
        """Select what rules have recorded."""
        return selector(record, (*self._of_sums, *more))


def by(operation: str, labels: Sequence[str], of: str) -> str:
    """Write an aggregation."""
    return f"{operation} by ({', '.join(labels)}) ({of})"


def one_of(label: str, values: Sequence[str]) -> Matcher:
    """Write that a label has one of some values."""
    return Matcher(label, "=", tuple(dict.fromkeys(values)))
