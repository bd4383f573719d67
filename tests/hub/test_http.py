from pathlib import Path

import pytest

from exporter.carbon.errors import CredentialsError
from tests.fakes.carbon import FakeProvider
from tests.fakes.hub import HubWorld


def test_a_hub_is_ready_when_every_zone_was_asked(tmp_path: Path) -> None:
    """A replica that knows nothing yet should get no nodes."""
    world = HubWorld(tmp_path, DE=(FakeProvider(),))
    before = world.asker.get("/readyz")
    world.poll()
    after = world.asker.get("/readyz")

    assert (before.status_code, before.json()["status"]) == (503, "starting")
    assert after.json() == {"status": "ok"}


def test_a_hub_whose_providers_are_silent_is_ready_all_the_same(
    tmp_path: Path,
) -> None:
    """Yearly figures are better than none."""
    world = HubWorld(tmp_path, DE=(FakeProvider(),))
    world.pass_s(31.0)

    assert world.asker.get("/readyz").status_code == 200


def test_a_hub_that_does_not_ask_is_not_healthy(tmp_path: Path) -> None:
    """Nothing else would tell: it still answers."""
    world = HubWorld(tmp_path, DE=(FakeProvider(),))
    well = world.asker.get("/healthz")
    world.pass_s(200.0)

    ill = world.asker.get("/healthz")

    assert well.json() == {"status": "ok"}
    assert (ill.status_code, ill.json()["status"]) == (503, "stale")
    assert "200 s" in ill.json()["detail"]


@pytest.mark.parametrize("failing", [True, False])
def test_the_page_is_told_how_each_provider_is_doing(
    tmp_path: Path, *, failing: bool
) -> None:
    """What an operator needs to act: who, what, since when, and when again."""
    provider = FakeProvider()
    if failing:
        provider.failure = CredentialsError("example.org answered 403")
    world = HubWorld(tmp_path, DE=(provider,), FR=(provider,))
    world.poll()

    answer = world.asker.get("/api/v1/hub").json()

    assert [zone["zone"] for zone in answer["zones"]] == ["DE", "FR"]
    assert [feed["zones"] for feed in answer["feeds"]] == [["DE"], ["FR"]]
    for feed in answer["feeds"]:
        assert feed["outcome"] == ("denied" if failing else "ok")
        assert feed["error"] == ("example.org answered 403" if failing else "")
        assert feed["failures"] == int(failing)
        assert feed["next_unix_s"] > answer["unix_s"]


@pytest.mark.parametrize("path", ["/", "/hub.js", "/hub.css", "/api/v1/hub", "/nope"])
def test_nothing_of_others_can_be_loaded_or_framed(tmp_path: Path, path: str) -> None:
    """What a provider says must not be able to run code in a browser."""
    headers = HubWorld(tmp_path, DE=()).asker.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
