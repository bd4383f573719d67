"""Polls all sources once a tick; one bad source never stops another."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exporter.core.model import (
    FetchCount,
    Reading,
    Sample,
    SourceStatus,
)
from exporter.core.ports import (
    IntensitySource,
    NodeUsageSource,
    PowerDriver,
    PowerSource,
    PueSource,
    WorkloadSource,
)
from exporter.core.units import Seconds
from exporter.pipeline.crew import Crew
from exporter.pipeline.lane import Lane

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that is read: the one list, written in ``bootstrap.py``."""

    power: tuple[PowerSource, ...]
    drivers: tuple[PowerDriver, ...]
    node: NodeUsageSource
    workloads: tuple[WorkloadSource, ...]
    intensity: IntensitySource


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks; a test hands in its own."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Sampler:
    """Owns a lane per source and the crew; ``sample`` once a tick, from one thread.

    ``intensity`` and ``pue`` may be exchanged between two ticks. Failed ticks are
    counted in ``errors``, by source and then by reason, from what is there. What was
    asked of carbon providers is in ``fetches``, which another thread counts.
    """

    def __init__(  # noqa: PLR0913 - settings of one sampler, all by name
        self,
        sources: Sources,
        *,
        interval_s: Seconds,
        deadline_s: Seconds,
        pue: PueSource,
        clock: Clock | None = None,
        errors: dict[str, dict[str, int]] | None = None,
        fetches: dict[tuple[str, str], int] | None = None,
    ) -> None:
        self.interval_s = interval_s
        self.intensity = sources.intensity
        self.pue = pue
        self._deadline_s = deadline_s
        self._clock = clock if clock is not None else Clock()
        self._errors = errors if errors is not None else {}
        self._fetches = fetches if fetches is not None else {}
        self._crew = Crew(self._clock.monotonic)
        self._node = self._lane(sources.node)
        self._power = [self._lane(source) for source in sources.power]
        self._drivers = [(driver, self._lane(driver)) for driver in sources.drivers]
        self._members: dict[str, Lane[tuple[Reading, ...]]] = {}
        self._known: list[tuple[PowerSource, ...]] = [() for _ in sources.drivers]
        self._workloads = [self._lane(source) for source in sources.workloads]
        self._shown: dict[str, str] = {}

    def sample(self, missed_ticks: int = 0) -> Sample:
        """Read every source once.

        Args:
            missed_ticks: ticks skipped so far, passed through to the metrics.

        Returns:
            What was read before the deadline.
        """
        clock = self._clock
        begin_s = clock.monotonic()
        unix_s = clock.wall()
        until_s = begin_s + self._deadline_s

        members = list(self._members.values())
        driver_lanes = [lane for _, lane in self._drivers]
        power = [*self._power, *driver_lanes, *members]
        # A GPU that is new tells who it is before somebody is asked who holds it.
        rest = [self._node, *self._workloads, *self._power]
        self._crew.perform([*driver_lanes, *members, *rest], until_s)

        lanes = [self._node, *self._workloads, *power]
        collected = [lane.collect() for lane in lanes]
        statuses = [status for _, status in collected]
        node, *told = [value for value, _ in collected]
        workloads = told[: len(self._workloads)]
        readings = told[len(self._workloads) :]
        self._tell_changes(statuses)
        self._follow_drivers()
        # Copied in one step: whoever counts may add a provider meanwhile. And first,
        # so that what was fetched is in force when it is counted.
        fetches = self._fetches.copy()
        return Sample(
            time_s=Seconds(begin_s),
            unix_s=Seconds(unix_s),
            interval_s=self.interval_s,
            readings=tuple([one for some in readings if some for one in some]),
            node=node,
            workloads=tuple([one for one in workloads if one is not None]),
            intensity=self.intensity.current(Seconds(unix_s)),
            forecast=self.intensity.forecast(Seconds(unix_s)),
            pue=self.pue.current(Seconds(unix_s)),
            pue_plan=self.pue.plan(Seconds(unix_s)),
            sources=tuple(statuses),
            missed_ticks=missed_ticks,
            duration_s=Seconds(clock.monotonic() - begin_s),
            carbon_fetches=tuple(
                [FetchCount(*key, count) for key, count in fetches.items()]
            ),
        )

    def close(self) -> None:
        """Close all sources; one that hangs closes when its call returns."""
        self._crew.dismiss()
        for lane in (self._node, *self._workloads, *self._power):
            lane.close()
        for lane in self._members.values():
            lane.close()
        for _, lane in self._drivers:
            lane.close()

    def _lane(self, source: Any) -> Lane[Any]:  # noqa: ANN401 - any kind of source
        # By name: a GPU that went and comes back has the same counters.
        errors = self._errors.setdefault(source.info.name, {})
        return Lane(source, self._clock.monotonic, errors)

    def _follow_drivers(self) -> None:
        """Open and close lanes where a driver found or lost devices."""
        now = [driver.members() for driver, _ in self._drivers]
        if all(a is b for a, b in zip(now, self._known, strict=True)):
            return
        self._known = now
        wanted = {source.info.name: source for some in now for source in some}
        for name in [n for n in self._members if n not in wanted]:
            self._members.pop(name).close()
        for name, source in wanted.items():
            lane = self._members.get(name)
            if lane is None or lane.source is not source:
                if lane is not None:
                    lane.close()
                self._members[name] = self._lane(source)

    def _tell_changes(self, statuses: list[SourceStatus]) -> None:
        for status in statuses:
            name = status.info.name
            if self._shown.get(name) == status.reason:
                continue
            first = name not in self._shown
            self._shown[name] = status.reason
            fields = {"source": name}
            if status.up:
                _log.info("source up", extra=fields)
            elif status.reason == "absent" and first:
                _log.info("source absent: %s", status.message, extra=fields)
            else:
                _log.warning(
                    "source down: %s",
                    status.message,
                    extra={**fields, "reason": status.reason},
                )
