import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.carbon.chain import Chain
from exporter.carbon.errors import ImplausibleError
from exporter.carbon.live import LiveIntensity
from exporter.carbon.provider import Traits
from exporter.carbon.standing import Kept
from exporter.carbon.yearly import YearlyIntensity
from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds
from tests.fakes.carbon import NOW, observation

_MINUTE = 60.0
_HOUR = 3600.0

_ONE = Traits("one", Seconds(300.0), live_for_s=Seconds(900.0))
_TWO = Traits("two", Seconds(3600.0), live_for_s=Seconds(7200.0))


def _at(seconds: float) -> Seconds:
    return Seconds(NOW + seconds)


def _live(*traits: Traits, max_age_s: float = 6 * _HOUR) -> LiveIntensity:
    return LiveIntensity("DE", traits or (_ONE,), Seconds(max_age_s))


def test_a_value_is_live_then_last_good_then_none() -> None:
    """Each step can be seen, with the time the value speaks of."""
    live = _live()
    live.offer("one", observation(250.0, NOW), NOW)

    steps = [
        None if (standing := live.standing(_at(age_s))) is None else standing.level
        for age_s in (0, 899, 900, 6 * _HOUR - 1, 6 * _HOUR)
    ]

    assert steps == [0, 0, 1, 1, None]


def test_a_value_in_force_has_all_labels_of_where_it_comes_from() -> None:
    """They are what a query groups by."""
    live = _live()
    live.offer("one", observation(250.0, NOW, estimated=True), _at(60))

    standing = live.standing(_at(20 * _MINUTE))

    assert standing is not None
    intensity = standing.intensity
    assert (intensity.zone, intensity.provider, intensity.value) == ("DE", "one", 250.0)
    assert (intensity.signal, intensity.factors) == ("average", "lifecycle")
    assert (intensity.fallback_level, intensity.estimated) == (1, True)
    assert intensity.observed_unix_s == NOW
    assert standing.fetched_unix_s == NOW + 60


def test_a_value_from_the_future_is_refused_by_name() -> None:
    """A slot may be named by its end, and clocks differ by minutes, not more."""
    live = _live()

    live.offer("one", observation(1.0, NOW + 599), NOW)

    with pytest.raises(ImplausibleError, match="from the future"):
        live.offer("one", observation(1.0, NOW + 601), NOW)


def test_a_value_older_than_the_last_one_is_refused_by_name() -> None:
    """A cache in between may answer with what was."""
    live = _live()
    live.offer("one", observation(100.0, NOW), NOW)

    with pytest.raises(ImplausibleError, match="older than the last"):
        live.offer("one", observation(900.0, NOW - 1), NOW)

    standing = live.standing(NOW)
    assert standing is not None
    assert standing.observation.value == 100.0


def test_a_revised_value_of_the_same_slot_is_taken() -> None:
    """An estimate is replaced by what was measured; what was counted stays."""
    live = _live()
    live.offer("one", observation(100.0, NOW, estimated=True), NOW)

    live.offer("one", observation(120.0, NOW), _at(60))

    standing = live.standing(_at(60))
    assert standing is not None
    assert standing.observation.value == 120.0


def test_a_clock_that_ran_ahead_does_not_shut_out_what_comes_after() -> None:
    """Nodes boot with a wrong clock; the first value may speak of tomorrow."""
    live = _live()
    live.offer("one", observation(100.0, NOW + 86_400), _at(86_400))

    live.offer("one", observation(200.0, NOW), NOW)

    standing = live.standing(NOW)
    assert standing is not None
    assert standing.observation.value == 200.0


def test_a_value_of_the_future_is_not_in_force_before_its_time() -> None:
    """As after the clock was set back, or from a disk of another machine."""
    live = _live()
    live.restore(Kept("one", observation(100.0, NOW + 86_400), NOW))

    assert live.standing(NOW) is None
    assert live.standing(_at(86_400)) is not None


def test_offering_tells_whether_the_value_is_live() -> None:
    """A provider that repeats what it said for hours is up, and of no use."""
    live = _live()

    assert live.offer("one", observation(100.0, NOW), NOW) is True
    assert live.offer("one", observation(100.0, NOW), _at(3600)) is False


def test_the_first_provider_with_a_live_value_is_in_force() -> None:
    """The order is that of the configuration."""
    live = _live(_ONE, _TWO)
    live.offer("two", observation(200.0, NOW, provider="two"), NOW)
    second = live.standing(NOW)
    live.offer("one", observation(100.0, NOW, provider="one"), NOW)
    first = live.standing(NOW)
    later = live.standing(_at(1000))

    assert second is not None
    assert first is not None
    assert later is not None
    assert second.observation.provider == "two"
    assert first.observation.provider == "one"
    assert (later.observation.provider, later.level) == ("two", 0)


def test_a_relay_hands_on_who_told_it_and_for_how_long_it_is_live() -> None:
    """A node shows the provider behind its hub, which may change and lag more."""
    live = _live()
    live.offer("one", observation(100.0, NOW, provider="fast"), NOW)
    relayed = observation(200.0, NOW - _HOUR, provider="slow", live_for_s=2 * _HOUR)

    live.offer("one", relayed, NOW)

    standing = live.standing(_at(_HOUR - 1))
    assert standing is not None
    assert (standing.told_by, standing.level) == ("one", 0)
    assert standing.intensity.provider == "slow"
    assert live.standing(_at(_HOUR)) is not standing


def test_of_values_that_are_not_live_the_newest_is_in_force() -> None:
    """Whoever told it."""
    live = _live(_ONE, _TWO)
    live.offer("one", observation(100.0, NOW - 100, provider="one"), NOW)
    live.offer("two", observation(200.0, NOW, provider="two"), NOW)

    standing = live.standing(_at(3 * _HOUR))

    assert standing is not None
    assert (standing.observation.provider, standing.level) == ("two", 1)


def test_a_value_of_another_zone_signal_or_provider_is_a_mistake_of_ours() -> None:
    """It would be told under a wrong label."""
    live = _live()

    for told_by, wrong in (
        ("one", observation(zone="FR")),
        ("one", observation(signal="marginal")),
        ("nobody", observation()),
    ):
        with pytest.raises(ValueError, match="is not average DE"):
            live.offer(told_by, wrong, NOW)
        assert live.restore(Kept(told_by, wrong, NOW)) is False
    assert live.standing(NOW) is None


def test_signals_are_not_mixed() -> None:
    """An average and a marginal value have nothing to do with each other."""
    marginal = Traits("m", Seconds(300.0), Seconds(900.0), signal="marginal")

    for traits in ((), (_ONE, marginal)):
        with pytest.raises(ValueError, match="one signal"):
            LiveIntensity("DE", traits)


def test_a_marginal_value_never_becomes_the_intensity_in_force() -> None:
    """It is advice: the sum of it is no footprint."""
    marginal = Traits("m", Seconds(300.0), Seconds(900.0), signal="marginal")

    with pytest.raises(ValueError, match="may not be counted"):
        Chain(LiveIntensity("DE", (marginal,)), YearlyIntensity("DE"))


def test_what_was_expected_is_told_from_now_on() -> None:
    """The past of a forecast is of no use."""
    live = _live()
    points = tuple(
        ForecastPoint(_at(i * 900), Seconds(900.0), GramsPerKwh(100.0 + i))
        for i in range(4)
    )
    live.offer_forecast("one", points)

    assert live.forecast(_at(-100)) == points
    assert live.forecast(_at(1799)) == points[1:]
    assert live.forecast(_at(3600)) == ()


def test_a_forecast_is_of_the_provider_in_force_if_it_has_one() -> None:
    """Steps between two models are no change of the grid."""
    live = _live(_ONE, _TWO)
    one = (ForecastPoint(NOW, Seconds(3600.0), GramsPerKwh(1.0)),)
    two = (ForecastPoint(NOW, Seconds(3600.0), GramsPerKwh(2.0)),)
    live.offer_forecast("one", one)

    live.offer("two", observation(200.0, NOW, provider="two"), NOW)
    without = live.forecast(NOW)
    live.offer_forecast("two", two)

    assert without == one
    assert live.forecast(NOW) == two


def test_the_chain_goes_down_step_by_step_and_up_at_once() -> None:
    """Live, last good, yearly; the world only for who has no zone."""
    live = _live()
    chain = Chain(live, YearlyIntensity("DE"))
    before = chain.current(NOW)
    live.offer("one", observation(100.0, NOW), NOW)

    levels = [
        chain.current(_at(age_s)).fallback_level for age_s in (0, _HOUR, 6 * _HOUR)
    ]

    assert (before.fallback_level, before.provider) == (2, "owid-yearly")
    assert levels == [0, 1, 2]
    assert Chain(live, YearlyIntensity(None)).current(_at(86_400)).fallback_level == 3


def test_the_same_value_is_the_same_object_every_tick() -> None:
    """A tick asks each second and must not make anything."""
    live = _live()
    live.offer("one", observation(100.0, NOW), NOW)
    chain = Chain(live, YearlyIntensity("DE"))

    assert chain.current(_at(1)) is chain.current(_at(2))
    assert chain.live is live


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two"]),
            st.floats(-3 * 86_400, 3 * 86_400),
            st.floats(0.001, 2000),
        ),
        max_size=20,
    ),
    st.floats(-4 * 86_400, 4 * 86_400),
)
def test_the_chain_always_answers_and_never_calls_an_old_value_live(
    told: list[tuple[str, float, float]], moment: float
) -> None:
    """Whatever was told, in whatever order, and whatever the clock says."""
    live = _live(_ONE, _TWO)
    for provider, age_s, value in told:
        live.restore(
            Kept(provider, observation(value, NOW + age_s, provider=provider), NOW)
        )

    intensity = Chain(live, YearlyIntensity("DE")).current(_at(moment))

    assert 0 < intensity.value <= 2000
    if intensity.fallback_level < 2:
        assert intensity.observed_unix_s is not None
        age_s = NOW + moment - intensity.observed_unix_s
        allowed_s = {"one": 900.0, "two": 7200.0}[intensity.provider]
        assert -600 <= age_s <= (allowed_s if intensity.fallback_level == 0 else 21_600)


def test_after_a_reload_everything_goes_on_as_it_was() -> None:
    """Neither grams nor forecasts wait for the next answer."""
    before = _live(_ONE, _TWO)
    before.offer("one", observation(250.0, NOW), NOW)
    before.offer("two", observation(99.0, NOW, provider="two"), NOW)
    points = (ForecastPoint(_at(300), Seconds(300.0), GramsPerKwh(200.0)),)
    before.offer_forecast("one", points)
    before.offer_forecast("two", points)

    live = _live(_ONE)
    live.take_over(before)

    assert live.standing(_at(60)) == before.standing(_at(60))
    assert live.forecast(_at(60)) == points
    assert [kept.told_by for kept in live.kept()] == ["one"]


def test_after_a_reload_with_another_zone_nothing_is_taken_over() -> None:
    """What another grid was like says nothing."""
    before = _live()
    before.offer("one", observation(250.0, NOW), NOW)
    points = (ForecastPoint(_at(300), Seconds(300.0), GramsPerKwh(200.0)),)
    before.offer_forecast("one", points)

    live = LiveIntensity("FR", (_ONE,))
    live.take_over(before)

    assert live.standing(_at(60)) is None
    assert live.forecast(_at(60)) == ()


def test_a_value_in_force_tells_its_slot_and_until_when_it_is_of_its_level() -> None:
    """The API of node and hub say the same of it."""
    live = _live()
    live.offer("one", observation(250.0, NOW, slot_s=300.0), _at(60))

    facts = []
    for age_s in (0.0, 1000.0):
        standing = live.standing(_at(age_s))
        assert standing is not None
        one = standing.intensity
        facts.append((one.slot_s, one.valid_until_unix_s, one.fetched_unix_s))

    assert facts == [
        (300.0, NOW + 900, NOW + 60),
        (300.0, NOW + 6 * _HOUR, NOW + 60),
    ]
