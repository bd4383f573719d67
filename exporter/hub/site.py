"""All grid zones of a site, who is asked for them, and what they told."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from exporter.carbon.feed import Feed
from exporter.carbon.last_good import LastGood
from exporter.carbon.live import LiveIntensity
from exporter.carbon.observation import Signal
from exporter.carbon.poller import Poller, Time
from exporter.carbon.provider import Provider, Web
from exporter.carbon.yearly import YearlyIntensity
from exporter.hub.board import Board
from exporter.hub.config import ZonePlan

OpenWeb = Callable[[], AbstractAsyncContextManager[Web]]


class Site:
    """One configuration's zones, and the poller that keeps them up to date.

    Args:
        plans: the zones, and who is asked for each.
        open_web: opens the way to the providers.
        store: where the last good values are kept.
        clocks: what time it is.
        former: what is known already, of the configuration before.
    """

    def __init__(
        self,
        plans: Sequence[ZonePlan],
        open_web: OpenWeb,
        store: LastGood,
        clocks: Time,
        former: "Site | None" = None,
    ) -> None:
        self.plans = tuple(plans)
        # Counters go on, those of a provider that is gone included.
        self._counts: dict[tuple[str, str], int] = (
            {} if former is None else former.fetches
        )
        sinks = {
            (plan.zone, signal): sink
            for plan in plans
            for signal in ("average", "marginal")
            if (sink := _sink(plan, signal)) is not None
        }
        for key, sink in sinks.items():
            old = None if former is None else former.sinks.get(key)
            if old is not None:
                sink.take_over(old)
        self.sinks: Mapping[tuple[str, str], LiveIntensity] = sinks
        self.poller = Poller(
            _feeds(plans),
            sinks.values(),
            open_web,
            store=store,
            counts=self._counts,
            clocks=clocks,
        )
        self.boards: Mapping[str, Board] = {
            plan.zone: Board(
                plan.zone,
                YearlyIntensity(plan.zone),
                sinks.get((plan.zone, "average")),
                sinks.get((plan.zone, "marginal")),
                partial(self.poller.next_unix_s, plan.zone),
            )
            for plan in plans
        }

    @property
    def fetches(self) -> dict[tuple[str, str], int]:
        """Fetches by provider and outcome since the hub started."""
        return dict(self._counts)


def _sink(plan: ZonePlan, signal: Signal) -> LiveIntensity | None:
    known = tuple(one.traits for one in plan.providers if one.traits.signal == signal)
    return LiveIntensity(plan.zone, known, plan.max_age_s) if known else None


def _feeds(plans: Sequence[ZonePlan]) -> list[Feed]:
    """Gather the zones of each provider, so that it is asked as rarely as it can."""
    zones: dict[int, list[str]] = {}
    providers: dict[int, Provider] = {}
    for plan in plans:
        for provider in plan.providers:
            providers[id(provider)] = provider
            zones.setdefault(id(provider), []).append(plan.zone)
    return [Feed(provider, tuple(zones[key])) for key, provider in providers.items()]
