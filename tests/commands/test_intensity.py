import json
from datetime import UTC
from pathlib import Path

import pytest

from exporter.commands.intensity_forms import Grid, as_json, as_text
from exporter.core.forecast import Forecast, ForecastPoint
from exporter.core.model import Intensity
from exporter.core.units import GramsPerKwh, Seconds
from tests.fakes.carbon_server import Play
from tests.fakes.command_line import jouled
from tests.fakes.played_hub import played_hub

# A Tuesday, 10:20 in UTC.
NOW = Seconds(1_700_560_800.0 + 1200)
HOUR_S = 3600.0
THREE_HOURS = Seconds(3 * HOUR_S)
LIVE = Intensity(
    zone="DE",
    provider="energy-charts",
    value=GramsPerKwh(400.0),
    factors="lifecycle",
    observed_unix_s=Seconds(NOW - 300),
)


def hours(*values: float) -> Forecast:
    """Return a forecast from the full hour on."""
    begin_s = NOW - NOW % HOUR_S
    return tuple(
        ForecastPoint(
            Seconds(begin_s + i * HOUR_S), Seconds(HOUR_S), GramsPerKwh(value)
        )
        for i, value in enumerate(values)
    )


def test_a_forecast_is_a_chart_with_its_cleanest_hours() -> None:
    """One look tells whether to wait."""
    grid = Grid(NOW, LIVE, hours(400, 200, 100, 100, 100, 300))

    text = as_text(grid, THREE_HOURS, UTC)

    assert text == (
        "DE: 400 gCO2e per kWh, live, from energy-charts, of Tue 10:15, 5m00s ago, "
        "life cycle\n"
        "\n"
        "expected, gCO2e per kWh, times in UTC\n"
        "Tue 10:00  400  ########################################\n"
        "Tue 11:00  200  ####################\n"
        "Tue 12:00  100  ##########\n"
        "Tue 13:00  100  ##########\n"
        "Tue 14:00  100  ##########\n"
        "Tue 15:00  300  ##############################\n"
        "\n"
        "greenest 3h00m: Tue 12:00 to Tue 15:00, 100 g/kWh, 50 % less than at once\n"
    )


def test_a_day_is_shown_unless_all_is_asked_for() -> None:
    """Some forecasts go on for days."""
    grid = Grid(NOW, LIVE, hours(*range(100, 140)))

    day, whole = (as_text(grid, THREE_HOURS, UTC, whole=each) for each in (False, True))

    assert day.count("#\n") == 24
    assert whole.count("#\n") == 40


def test_an_hour_that_nobody_forecasts_is_no_hour_without_carbon() -> None:
    """A gap is told as one, and no window lies across it."""
    points = hours(400, 300, 200)

    text = as_text(Grid(NOW, LIVE, (points[0], points[2])), THREE_HOURS, UTC)

    assert "Tue 11:00    ?\n" in text
    assert "greenest 3h00m: nobody forecasts a time as long as that" in text


def test_when_nothing_is_gained_by_waiting_that_is_said() -> None:
    """The cleanest time is now, or as clean as any."""
    rising, flat = hours(100, 200, 300, 400, 500), hours(100, 100)

    texts = [
        as_text(Grid(NOW, LIVE, each), Seconds(HOUR_S), UTC) for each in (rising, flat)
    ]

    assert all("which is now\n" in text for text in texts)


def test_a_fallback_is_called_one() -> None:
    """A figure of last year is not what the grid does now."""
    yearly = Intensity(
        zone="DE",
        provider="owid-yearly",
        value=GramsPerKwh(344.0),
        fallback_level=2,
        observed_unix_s=Seconds(NOW - 1e7),
    )

    text = as_text(Grid(NOW, yearly, ()), THREE_HOURS, UTC)

    assert text == (
        "DE: 344 gCO2e per kWh, the yearly figure of the zone, from owid-yearly\n"
        "no forecast is told\n"
    )


def test_programs_get_the_numbers() -> None:
    """The names are those of the API."""
    content = json.loads(as_json(Grid(NOW, LIVE, hours(400, 100)), Seconds(HOUR_S)))

    assert content["intensity_g_per_kwh"] == 400
    assert [point["intensity_g_per_kwh"] for point in content["forecast"]] == [400, 100]
    assert content["greenest_window"] == {
        "begin_unix_s": NOW - 1200 + HOUR_S,
        "end_unix_s": NOW - 1200 + 2 * HOUR_S,
        "intensity_g_per_kwh": 100,
    }


def state_flags(root: Path) -> tuple[str | Path, ...]:
    """Return flags that keep a command away from this machine's own state."""
    return "--state.run-dir", root / "run", "--state.dir", root / "lib"


def test_the_hub_of_the_configuration_is_asked(tmp_path: Path) -> None:
    """What a node would count with is what the command shows."""
    with played_hub() as hub:
        hub.value = 123.0

        done = jouled(
            *("intensity", "--zone", "DE", "--carbon.hub-url", hub.url, "--forecast"),
            *state_flags(tmp_path),
        )

        asked = len(hub.asks)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("DE: 123 gCO2e per kWh, live, from energy-charts, ")
    assert done.stdout.count("#\n") >= 29
    assert ", which is now\n" in done.stdout
    assert asked == 1


def test_a_hub_that_does_not_tell_is_named_and_the_yearly_figure_shown(
    tmp_path: Path,
) -> None:
    """A script can tell the two apart by the exit code."""
    with played_hub() as hub:
        hub.instead = Play(b"gone", status=500)

        done = jouled(
            *("intensity", "--zone", "DE", "--carbon.hub-url", hub.url, "--json"),
            *state_flags(tmp_path),
        )

    assert done.returncode == 1
    assert json.loads(done.stdout)["fallback_level"] == 2
    assert json.loads(done.stdout)["greenest_window"] is None
    assert done.stderr.startswith("jouled: hub does not tell: ")


@pytest.mark.parametrize(
    ("arguments", "code", "shown", "said"),
    [
        (("--zone", "DE", "--offline"), 1, "the yearly figure of the zone", "nobody"),
        (("--zone", "IS"), 1, "the yearly figure of the zone", "no public service"),
        (("--offline",), 1, "the yearly figure of the world", "no zone is named"),
        (("--carbon.intensity", "42"), 0, "42 gCO2e per kWh, fixed", ""),
        (("--zone", "Germany"), 2, "", "carbon.zone"),
        (("--window", "a day"), 2, "", "--window"),
        (("--zone", "DE", "--window", "1s"), 2, "", "--window"),
    ],
)
def test_who_is_asked_and_why_not_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, shown: str, said: str
) -> None:
    """None of these asks anybody."""
    done = jouled("intensity", *arguments, *state_flags(tmp_path))

    assert done.returncode == code
    assert shown in done.stdout
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == (1 if said else 0)
