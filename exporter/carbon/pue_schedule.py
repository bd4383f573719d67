"""Power usage effectiveness by rules of local time.

Rules speak of the clock on the wall. An hour that a clock change skips never
comes, so a rule for it alone does not hold that day; one that it repeats comes
twice, and the rule holds twice. Nothing is added up here that could go wrong by
it: the PUE is a function of the moment.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from exporter.core.forecast import PuePlan, PueStep
from exporter.core.pue import Day, PueRule, pue_by_rules
from exporter.core.units import Seconds

_MINUTE_S = 60
# A plan is drawn in quarters of an hour: it is advice.
_QUARTER_S = 900
_WEEK_QUARTERS = 7 * 96
_PLAN_FOR_S = 6 * 3600


def scheduled_pue(
    rules: Sequence[PueRule], zone: str, otherwise: float
) -> "ScheduledPue":
    """Return a schedule in a time zone.

    Args:
        rules: in the order they were written.
        zone: IANA name of the time zone, one that this machine knows.
        otherwise: PUE that holds where no rule does, >= 1.
    """
    # A machine without any time zones knows this one too.
    return ScheduledPue(rules, UTC if zone == "UTC" else ZoneInfo(zone), otherwise)


class ScheduledPue:
    """The PUE of the moment; the rules are asked once a minute.

    Args:
        rules: in the order they were written; later ones win.
        zone: time zone they speak of; its offsets are whole minutes.
        otherwise: PUE that holds where no rule does, >= 1.
    """

    def __init__(
        self, rules: Sequence[PueRule], zone: tzinfo, otherwise: float
    ) -> None:
        self._rules = tuple(rules)
        self._zone = zone
        self._otherwise = otherwise
        self._minute: float | None = None
        self._value = otherwise
        self._plan: PuePlan = ()
        self._planned_s: float | None = None

    def current(self, unix_s: Seconds) -> float:
        """PUE in force at a moment."""
        minute = unix_s // _MINUTE_S
        if minute != self._minute:
            self._minute = minute
            self._value = self._at(minute * _MINUTE_S)
        return self._value

    def plan(self, unix_s: Seconds) -> PuePlan:
        """What will be in force for a week; after that, the mean of that week."""
        begin_s = self._planned_s
        if begin_s is None or not begin_s <= unix_s < begin_s + _PLAN_FOR_S:
            self._planned_s = unix_s // _QUARTER_S * _QUARTER_S
            self._plan = self._draw(self._planned_s)
        return self._plan

    def _draw(self, begin_s: float) -> PuePlan:
        steps: list[PueStep] = []
        total = 0.0
        for quarter in range(_WEEK_QUARTERS):
            at_s = begin_s + quarter * _QUARTER_S
            value = self._at(at_s)
            total += value
            if not steps or steps[-1].value != value:
                steps.append(PueStep(Seconds(at_s), value))
        end_s = begin_s + _WEEK_QUARTERS * _QUARTER_S
        return (*steps, PueStep(Seconds(end_s), total / _WEEK_QUARTERS))

    def _at(self, unix_s: float) -> float:
        local = datetime.fromtimestamp(unix_s, self._zone)
        before = local.date() - timedelta(days=1)
        return pue_by_rules(
            self._rules,
            Day(local.month, local.weekday()),
            Day(before.month, before.weekday()),
            60 * local.hour + local.minute,
            self._otherwise,
        )
