"""Reads the whole overview; the last day and what costs as much only now and then."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from exporter.hub.overview.asking import MOST_NODES_WITHOUT_RULES, Asker
from exporter.hub.overview.figures import Cluster, Day, Fault, Missing, Nodes, Overview
from exporter.hub.overview.of_jobs import OfJobs
from exporter.hub.overview.of_nodes import OfNodes
from exporter.hub.overview.of_tenants import OfTenants
from exporter.hub.overview.question import Series
from exporter.hub.prometheus.matching import Matchers

SLOWLY_S = 120.0
"""What reads many samples is read as often as that at most, s."""

_SLOW_PARTS = frozenset({"day", "tenants", "faults"})
_NO_NODES = (
    "Prometheus knows no node. Add them to its scrape_configs, as a job called jouled "
    "(deploy/prometheus/prometheus.yml), or name them with prometheus.match."
)


class _Slow(NamedTuple):
    """What is read now and then, and what is missing of it."""

    day: Day
    nodes: tuple[
        tuple[Fault, ...] | None, int | None, Mapping[str, int] | None, int | None
    ]
    missing: tuple[Missing, ...]


class Reader:
    """Reads one overview after the other.

    Args:
        matchers: which series are ours.
    """

    def __init__(self, matchers: Matchers) -> None:
        series = Series(matchers)
        self._nodes = OfNodes(series)
        self._tenants = OfTenants(series)
        self._jobs = OfJobs(series)
        self._slow: _Slow | None = None

    def read(self, asker: Asker) -> Overview:
        """Read an overview.

        Raises:
            StoreError: Prometheus does not answer.
        """
        clusters = self._nodes.clusters(asker)
        if clusters is None:
            raise asker.failure
        if not clusters:
            none = Missing("nodes", "absent", _NO_NODES)
            return Overview(asker.at_s, missing=(none,))
        known = sum(cluster.nodes for cluster in clusters)
        up = sum(cluster.up for cluster in clusters)
        asker.with_raw = known <= MOST_NODES_WITHOUT_RULES
        power_w = self._nodes.power(asker)
        grams_per_s, fallback_ratio = self._nodes.grams(asker)
        down = self._nodes.down(asker) if up < known else ()
        course = self._nodes.course(asker)
        jobs = self._jobs.largest(asker)
        running = self._jobs.running(asker)
        # Where nobody knows of jobs, nobody knows what they hold.
        gpus, gpus_idle = (None, None) if running is None else self._jobs.gpus(asker)
        components_w = self._nodes.components(asker)
        schedulers_w = self._tenants.schedulers(asker)
        unattributed_w = self._nodes.unattributed(asker)
        devices_missing = self._nodes.devices_missing(asker)
        zones = self._nodes.zones(asker)
        slow = self._slowly(asker)
        return Overview(
            asker.at_s,
            asker.complete,
            tuple(_with_power(one, power_w) for one in clusters),
            Nodes(known, up, down, *slow.nodes),
            None if power_w is None else sum(power_w.values()),
            grams_per_s,
            fallback_ratio,
            components_w,
            schedulers_w,
            unattributed_w,
            devices_missing,
            course,
            slow.day,
            jobs,
            running,
            gpus,
            gpus_idle,
            zones,
            _once(*asker.missing, *slow.missing),
        )

    def _slowly(self, asker: Asker) -> _Slow:
        kept = self._slow
        if kept is not None and 0 <= asker.at_s - kept.day.at_s < SLOWLY_S:
            return kept
        quality = self._nodes.estimated(asker)
        estimated, simulated = (None, None) if quality is None else quality
        # Where nobody tells of sources, no fault is no good news.
        faults = None if quality is None else self._nodes.faults(asker)
        first, faulty = (None, None) if faults is None else faults
        self._slow = _Slow(
            Day(
                asker.at_s,
                self._nodes.energy(asker),
                self._nodes.emissions(asker),
                self._tenants.tenants(asker),
            ),
            (first, faulty, estimated, simulated),
            tuple(one for one in asker.missing if one.part in _SLOW_PARTS),
        )
        return self._slow


def _with_power(cluster: Cluster, power_w: Mapping[str, float] | None) -> Cluster:
    if power_w is None:
        return cluster
    return replace(cluster, power_w=power_w.get(cluster.name))


def _once(*missing: Missing) -> tuple[Missing, ...]:
    return tuple({one.part: one for one in missing}.values())
