"""What the settings of carbon intensity come to."""

import asyncio
import base64
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.carbon.chain import Chain
from exporter.carbon.configured import LiveSource, chance_of, live_source
from exporter.carbon.static import FixedIntensity
from exporter.config import Carbon
from exporter.core.errors import ConfigError
from exporter.core.units import GramsPerKwh, Seconds
from tests.fakes.carbon import NOW, observation, sample
from tests.fakes.carbon_server import Ask, CarbonServer, Play
from tests.fakes.command_line import REPOSITORY


def _told_by(source: LiveSource) -> set[str]:
    return {count.provider for count in source.poller.counts}


def _asked_once(carbon: Carbon, server: CarbonServer) -> list[Ask]:
    """Ask what is configured once; the address of the hub is that of the server."""

    async def run() -> list[Ask]:
        async with server:
            server.play_everywhere(Play(sample("hub_intensity.json")))
            on = Carbon(
                zone=carbon.zone,
                hub_url=server.url,
                hub_user=carbon.hub_user,
                hub_password_file=carbon.hub_password_file,
            )
            source = live_source(on, None)
            async with source.open_web() as web:
                await source.poller.ask_who_is_due(web)
            return server.asks

    return asyncio.run(run())


def test_a_hub_is_asked_with_user_and_password_of_a_file(tmp_path: Path) -> None:
    """The file has the end of line that editors write."""
    password = tmp_path / "password"
    password.write_text("s3cret\n")

    (ask,) = _asked_once(
        Carbon(
            zone="DE", hub_url="http://h", hub_user="ada", hub_password_file=password
        ),
        CarbonServer(),
    )

    login = base64.b64encode(b"ada:s3cret").decode()
    assert ask.headers["authorization"] == f"Basic {login}"
    assert ask.query == {"zone": "DE"}


def test_a_hub_without_a_user_is_asked_without_one() -> None:
    """As on a site whose network is its own."""
    (ask,) = _asked_once(Carbon(zone="DE", hub_url="http://h"), CarbonServer())

    assert "authorization" not in ask.headers


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot read .*gone"), (b"", "empty"), (b"\xff", "something else than")],
)
def test_a_password_that_cannot_be_read_is_told_by_setting_and_file(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    """And never by what it holds."""
    path = tmp_path / ("gone" if content is None else "password")
    if content is not None:
        path.write_bytes(content)
    carbon = Carbon(
        zone="DE", hub_url="http://h", hub_user="ada", hub_password_file=path
    )

    with pytest.raises(
        ConfigError, match=rf"^carbon\.hub_password_file: .*{complaint}"
    ):
        live_source(carbon, None)


def test_a_zone_that_nobody_tells_is_refused_with_the_remedy() -> None:
    """Better than a daemon that looks live and never is."""
    with pytest.raises(ConfigError, match=r"carbon\.direct: no service .* US-CAL-CISO"):
        live_source(Carbon(zone="US-CAL-CISO", direct=True), None)


@pytest.mark.parametrize(
    ("zone", "provider"),
    [("GB", "neso"), ("DK-DK1", "energi-data-service"), ("FR", "rte-eco2mix")],
)
def test_a_single_machine_asks_the_service_of_its_zone(
    zone: str, provider: str
) -> None:
    """The one that needs no token."""
    assert _told_by(live_source(Carbon(zone=zone, direct=True), None)) == {provider}


def test_a_file_is_read_again_and_again(tmp_path: Path) -> None:
    """By the provider of files; nobody is asked over the network."""
    file = tmp_path / "intensity"
    file.write_text("123.5")
    source = live_source(Carbon(zone="DE", file=file), None)

    async def run() -> None:
        async with source.open_web() as web:
            await source.poller.ask_who_is_due(web)

    asyncio.run(run())

    (status,) = source.poller.statuses
    now_s = Seconds(file.stat().st_mtime)
    assert (status.provider, status.outcome) == ("file", "ok")
    assert source.chain.current(now_s).value == 123.5


def test_the_greatest_age_is_what_is_configured(tmp_path: Path) -> None:
    """Then the yearly figure takes over."""
    carbon = Carbon(zone="DE", hub_url="http://h", max_age_s=7200.0)
    source = live_source(carbon, tmp_path)
    source.chain.live.offer("hub", observation(250.0, NOW, live_for_s=60.0), NOW)

    levels = [
        source.chain.current(Seconds(NOW + age_s)).fallback_level
        for age_s in (0.0, 60.0, 7199.0, 7200.0)
    ]

    assert levels == [0, 1, 1, 2]


def test_a_reload_goes_on_with_what_is_known(tmp_path: Path) -> None:
    """Even if the disk has kept nothing."""
    carbon = Carbon(zone="DE", hub_url="http://h")
    before = live_source(carbon, tmp_path)
    before.chain.live.offer("hub", observation(250.0, NOW, live_for_s=60.0), NOW)

    after = live_source(carbon, tmp_path, before=before.chain)

    assert after.chain.current(NOW).value == 250.0


def test_a_reload_from_a_fixed_figure_starts_with_the_yearly_one() -> None:
    """There is nothing to go on with."""
    fixed = FixedIntensity(GramsPerKwh(7.0), "DE")

    after = live_source(Carbon(zone="DE", hub_url="http://h"), None, before=fixed)

    assert isinstance(after.chain, Chain)
    assert after.chain.current(NOW).fallback_level == 2


def test_a_zone_nobody_knows_is_refused() -> None:
    """There would be no yearly figure below the live ones."""
    with pytest.raises(ConfigError, match=r"carbon\.zone"):
        live_source(Carbon(zone="Atlantis", hub_url="http://h"), None)


def test_hosts_spread_their_calls_by_their_names() -> None:
    """Names of nodes differ in a digit, and their moments of the minute widely."""
    ten = sorted(60 * chance_of(f"node{number:02}") for number in range(10))
    many = [chance_of(f"gpu{number:04}.example.org") for number in range(10_000)]

    assert max(after - before for before, after in pairwise(ten)) < 20
    assert len({round(second) for second in ten}) >= 8
    seconds = Counter(int(60 * chance) for chance in many)
    assert len(seconds) == 60
    assert max(seconds.values()) < 2 * 10_000 / 60
    assert chance_of("node00") == chance_of("node00")


@pytest.mark.parametrize(
    ("flags", "loaded"),
    [
        ("", set()),
        ("hub_url='http://h', zone='DE'", {"exporter.carbon.streams"}),
        ("direct=True, zone='DE'", {"exporter.carbon.streams", "httpx"}),
    ],
    ids=["off", "hub", "direct"],
)
def test_a_daemon_loads_only_what_its_settings_need(
    flags: str, loaded: set[str]
) -> None:
    """The memory of a node belongs to its jobs."""
    program = (
        "import sys\n"
        "import exporter.bootstrap\n"
        "from exporter.bootstrap_live import build_live\n"
        "from exporter.config import Carbon, Config\n"
        f"build_live(Config(carbon=Carbon({flags})))\n"
        "print(*{'httpx', 'exporter.carbon.streams'} & set(sys.modules))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert set(done.stdout.split()) == loaded
