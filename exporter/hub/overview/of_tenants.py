"""Tenants: who used the most energy in the last 24 hours, and what all jobs draw."""

from collections.abc import Mapping

from exporter.hub.overview.asking import Asker
from exporter.hub.overview.figures import Tenant
from exporter.hub.overview.question import Question, Series, by, one_of
from exporter.hub.prometheus.matching import Matcher

_MOST = 12
_DAY_S = 24 * 3600
_RULES = "record-tenants.yml"
_SCHEDULER = ("cluster", "scheduler")
_TENANT = (*_SCHEDULER, "tenant")
_ENERGY = "tenant_energy_joules"
_EMISSIONS = "tenant_emissions_grams"


class OfTenants:
    """Asks about tenants.

    Args:
        series: which are ours.
    """

    def __init__(self, series: Series) -> None:
        self._series = series

    def schedulers(self, asker: Asker) -> Mapping[str, float] | None:
        """Return the power of all jobs by scheduler, W."""
        raw = f"rate({self._series.raw(f'jouled_{_ENERGY}_total')}[5m])"
        recorded = self._series.sums(f"cluster_scheduler:jouled_{_ENERGY}:rate5m")
        rows = asker.best_or_none(
            Question(
                "schedulers",
                by("sum", _SCHEDULER, raw),
                by("max", _SCHEDULER, recorded),
                _RULES,
            )
        )
        if rows is None:
            return None
        found: dict[str, float] = {}
        for row in rows:
            name = row.labels.get("scheduler", "")
            found[name] = found.get(name, 0.0) + row.value
        return found

    def tenants(self, asker: Asker) -> tuple[Tenant, ...] | None:
        """Return those with the most energy in the last 24 hours; first the most."""
        rows = asker.best_or_none(_top(self._of_day(_ENERGY)))
        if not rows:
            return None if rows is None else ()
        # Small in number, whatever there is; of others nothing is asked.
        ours = one_of("tenant", [row.labels.get("tenant", "") for row in rows])
        grams = _values(asker, self._of_day(_EMISSIONS, ours))
        power = _values(asker, self._lately(ours))
        found = [
            Tenant(who[0], who[1], who[2], row.value, grams.get(who), power.get(who))
            for row in sorted(rows, key=lambda row: (-row.value, row.of(_TENANT)))
            if (who := row.of(_TENANT))
        ]
        return tuple(found)

    def _lately(self, *which: Matcher) -> Question:
        raw = f"rate({self._series.raw(f'jouled_{_ENERGY}_total', *which)}[5m])"
        record = f"cluster_tenant:jouled_{_ENERGY}:rate5m"
        recorded = self._series.sums(record, *which)
        return Question(
            "tenants", by("sum", _TENANT, raw), by("max", _TENANT, recorded), _RULES
        )

    def _of_day(self, what: str, *which: Matcher) -> Question:
        # A rate over 5 minutes, looked at each 2 minutes, adds up to what was used. A
        # second less, so that no moment counts at both ends.
        record = self._series.sums(f"cluster_tenant:jouled_{what}:rate5m", *which)
        course = f"sum_over_time({record}[{_DAY_S - 1}s:2m]) * 120"
        metric = self._series.raw(f"jouled_{what}_total", *which)
        return Question(
            "tenants",
            by("sum", _TENANT, f"increase({metric}[{_DAY_S}s])"),
            by("max", _TENANT, course),
            _RULES,
        )


def _top(question: Question) -> Question:
    return Question(
        question.part,
        f"topk({_MOST}, {question.raw})",
        f"topk({_MOST}, {question.recorded})",
        question.rules,
    )


def _values(asker: Asker, question: Question) -> Mapping[tuple[str, ...], float]:
    rows = asker.best(question, may_be_none=True) or ()
    return {row.of(_TENANT): row.value for row in rows}
