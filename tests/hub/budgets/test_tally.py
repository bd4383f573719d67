from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.hub.budgets.budget import EMISSIONS, Selection
from exporter.hub.budgets.period import Span
from exporter.hub.budgets.tally import Tally
from exporter.hub.prometheus.matching import Matcher
from tests.fakes.cluster_life import PlayedNode
from tests.fakes.series_store import SeriesStore

ALL = Selection(EMISSIONS, ())
ADA = Selection(EMISSIONS, (Matcher("tenant", "=", ("ada",)),))
BEGIN_S = 1_800_000_000
SCRAPE_S = 60
EVER = Span(0.0, 1e12)

tenants = st.sampled_from(["ada", "bob", "eve"])
grams = st.floats(0.0, 100.0)
# What happens to a node in the minute between two scrapes.
emits = st.tuples(st.just("emit"), tenants, grams)
events = st.one_of(
    emits,
    emits,
    emits,
    st.tuples(st.just("reboot"), st.just(""), st.just(0.0)),
    # Minutes that nobody scrapes the node.
    st.tuples(st.just("gap"), st.just(""), st.integers(1, 30)),
    # Minutes without a job: longer than a tenant is exported.
    st.tuples(st.just("rest"), st.just(""), st.integers(1, 200)),
    st.tuples(st.just("look"), st.just(""), st.integers(1, 20)),
)


def counted(tally: Tally, selection: Selection = ALL) -> float:
    """Grams counted for a selection, since ever."""
    return tally.spending[selection].total(EVER).amount


Story = list[tuple[int, tuple[str, str, float]]]
stories = st.lists(st.tuples(st.integers(0, 1), events), max_size=60)


class Cluster:
    """Two nodes, and a tally that looks now and then.

    Args:
        with_created: the store has created timestamps.
    """

    def __init__(self, *, with_created: bool) -> None:
        self._created = with_created
        store = SeriesStore()
        self.store = store
        self.nodes = [
            PlayedNode(f"node{n}", store, rest_s=3600.0, with_created=with_created)
            for n in range(2)
        ]
        self._unseen_until_s = [0.0, 0.0]
        self.now_s = BEGIN_S - SCRAPE_S
        self._pass(1)
        self.tally = Tally.begun(EMISSIONS, (ALL, ADA), BEGIN_S, store)

    def live(self, story: Story) -> None:
        """Go through a story, and look at its end."""
        for number, (kind, tenant, amount) in story:
            node = self.nodes[number]
            if kind == "emit":
                node.emit(tenant, amount, self.now_s + 30)
            elif kind == "reboot":
                node.reboot()
                if not self._created:
                    # Nothing else tells of it if nobody sees it.
                    self._unseen_until_s[number] = 0.0
                    self._pass(1)
            elif kind == "gap":
                self._unseen_until_s[number] = self.now_s + amount * SCRAPE_S
            self._pass(int(amount) if kind == "rest" else 1)
            if kind == "look":
                self.tally.step(self.store, self.now_s)
        self._unseen_until_s = [0.0, 0.0]
        self._pass(1)
        self.tally.step(self.store, self.now_s)

    def told(self, *tenants: str) -> float:
        """Grams of some tenants that anybody could know of."""
        return fsum(node.told.get(t, 0.0) for node in self.nodes for t in tenants)

    def _pass(self, minutes: int) -> None:
        for _ in range(minutes):
            self.now_s += SCRAPE_S
            for node, until_s in zip(self.nodes, self._unseen_until_s, strict=True):
                if self.now_s > until_s:
                    node.scrape(self.now_s)


@given(stories)
def test_what_is_counted_is_what_the_nodes_told(story: Story) -> None:
    """Resets, gaps, births and returns: no gram is lost and none counts twice."""
    cluster = Cluster(with_created=True)

    cluster.live(story)

    told = cluster.told("ada", "bob", "eve")
    assert counted(cluster.tally) == pytest.approx(told, rel=1e-6, abs=1e-6)
    adas = pytest.approx(cluster.told("ada"), rel=1e-6, abs=1e-6)
    assert counted(cluster.tally, ADA) == adas


@given(stories)
def test_without_created_timestamps_the_nodes_tell_what_restarted(
    story: Story,
) -> None:
    """Some stores do not have them; a node that is seen after its boot is enough."""
    cluster = Cluster(with_created=False)

    cluster.live(story)

    told = cluster.told("ada", "bob", "eve")
    assert counted(cluster.tally) == pytest.approx(told, rel=1e-6, abs=1e-6)
