"""What a job will have used and emitted at the end of its time limit.

Energy: what is counted, plus mean power since the job was first seen x the time that
is left. The mean over all of its life is taken, not the power of the moment: a job
swings between computing, loading and saving, and the mean has seen as much of each as
there was. It needs no memory beyond two totals that are kept over a restart anyway.
Each second weighs the same, so a slow start loses its weight as the job goes on. It is
slow to believe that a job has changed for good, and in its first minute it is silent.

Emissions: what is counted, plus that power over the time left x what each hour is
expected to emit: forecast of the grid x planned PUE. Where the grid has no forecast,
what is in force now is taken to stay.

A limit is not an end: most jobs end before it. So both are what the job will have used
and emitted if it takes all of its time.
"""

from bisect import bisect_right
from itertools import islice, pairwise

from exporter.core.accounts import JobAccount, Projection
from exporter.core.forecast import Forecast, ForecastPoint, Outlook, PuePlan
from exporter.core.ledger import Ledger
from exporter.core.model import Sample
from exporter.core.units import JOULES_PER_KWH, Grams, GramsPerKwh, Joules, Seconds

LEAST_SEEN_S = 60.0
"""A job that has not been seen for longer has no mean that tells anything."""

REFRESH_EVERY_S = 15.0


class PriceAhead:
    """What a kilowatt-hour of the node will emit, PUE included.

    Args:
        forecast: what is expected of the grid.
        plan: PUE from now on; empty if it stays.
        intensity: carbon intensity in force.
        pue: PUE in force.
    """

    def __init__(
        self, forecast: Forecast, plan: PuePlan, intensity: GramsPerKwh, pue: float
    ) -> None:
        last_pue = plan[-1].value if plan else pue
        self._otherwise = GramsPerKwh(intensity * last_pue)
        self._outlook = Outlook(_priced(forecast, plan, intensity, pue))

    def mean(self, begin_unix_s: Seconds, end_unix_s: Seconds) -> GramsPerKwh:
        """Return the mean over a time, g/kWh; its end must be after its begin."""
        return self._outlook.mean(begin_unix_s, end_unix_s, self._otherwise)


def _priced(
    forecast: Forecast, plan: PuePlan, intensity: GramsPerKwh, pue: float
) -> Forecast:
    """Multiply grid and PUE wherever one of the two is more than a constant."""
    steps_s = [step.begin_unix_s for step in plan]
    slots_s = [point.begin_unix_s for point in forecast]
    moments = sorted({*steps_s, *slots_s, *(point.end_unix_s for point in forecast)})
    points: list[ForecastPoint] = []
    for begin_s, end_s in pairwise(moments):
        step = bisect_right(steps_s, begin_s) - 1
        slot = bisect_right(slots_s, begin_s) - 1
        price = plan[step].value if step >= 0 else pue
        is_forecast = slot >= 0 and begin_s < forecast[slot].end_unix_s
        price *= forecast[slot].value if is_forecast else intensity
        length_s = Seconds(end_s - begin_s)
        points.append(ForecastPoint(begin_s, length_s, GramsPerKwh(price)))
    return tuple(points)


def project(
    job: JobAccount, now_s: Seconds, unix_s: Seconds, price: PriceAhead
) -> Projection | None:
    """Return what a job will have used and emitted at the end of its time limit.

    The time left is told by the wall clock, as the scheduler's is, and is never more
    than the limit, whatever the clock does. Nor is it less than the time to the next
    projection: who has overrun the limit goes on till then.

    Args:
        job: its account.
        now_s: monotonic time.
        unix_s: the same moment on the wall clock.
        price: what a kilowatt-hour will emit.

    Returns:
        ``None`` if it has ended, if its start or limit is not known, if it has not
        been seen for long enough, or if no energy of it has been measured.
    """
    usage = job.usage
    if usage is None or job.ended_s is not None:
        return None
    start_s, limit_s = usage.start_unix_s, usage.time_limit_s
    seen_s = now_s - job.first_seen_s
    if start_s is None or limit_s is None or seen_s < LEAST_SEEN_S:
        return None
    used_j = sum(job.energy_j)
    if used_j <= 0:
        return None
    left_s = max(REFRESH_EVERY_S, min(limit_s, start_s + limit_s - unix_s))
    coming_j = used_j / seen_s * left_s
    mean = price.mean(unix_s, Seconds(unix_s + left_s))
    return Projection(
        Joules(used_j + coming_j),
        Grams(job.emissions_g + coming_j / JOULES_PER_KWH * mean),
    )


class Projector:
    """Keeps the projections of all jobs, some of them at each tick in turn."""

    def __init__(self) -> None:
        self._turn: int | None = None
        self._price: PriceAhead | None = None
        self._priced: tuple[Forecast, PuePlan] = ((), ())
        self._in_force: tuple[GramsPerKwh, float] | None = None

    def refresh(self, ledger: Ledger, sample: Sample) -> None:
        """Project those jobs whose turn it is; in the first tick, all of them.

        Args:
            ledger: as it is after the tick.
            sample: what was read in it.
        """
        turns = max(1, round(REFRESH_EVERY_S / sample.interval_s))
        jobs = ledger.jobs.values()
        if self._turn is None:
            self._turn, mine = 0, iter(jobs)
        else:
            self._turn = (self._turn + 1) % turns
            mine = islice(jobs, self._turn, None, turns)
        price = self._price_ahead(sample)
        for job in mine:
            job.projection = project(job, sample.time_s, sample.unix_s, price)

    def _price_ahead(self, sample: Sample) -> PriceAhead:
        forecast, plan = self._priced
        in_force = (sample.intensity.value, sample.pue)
        if (
            self._price is None
            or sample.forecast is not forecast
            or sample.pue_plan is not plan
            or in_force != self._in_force
        ):
            self._priced, self._in_force = (sample.forecast, sample.pue_plan), in_force
            self._price = PriceAhead(sample.forecast, sample.pue_plan, *in_force)
        return self._price
