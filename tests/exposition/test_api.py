from typing import Any

import pytest

from exporter.core.model import SourceInfo, SourceStatus
from exporter.core.snapshot import HistoryPoint, Snapshot
from exporter.core.units import GramsPerKwh, Seconds, Watts
from exporter.core.workload import WorkloadId
from exporter.exposition.answers import component_quality
from exporter.exposition.http import create_app
from tests.fakes.asgi import Asker
from tests.fakes.snapshots import (
    NOON_UNIX_S,
    FakeReader,
    bare_snapshot,
    changed,
    rich_snapshot,
    ten_minutes,
)


def client(snapshot: Snapshot | None, points: tuple[HistoryPoint, ...] = ()) -> Asker:
    """Return a client of a node with this snapshot and past."""
    reader = FakeReader(snapshot, points)
    return Asker(create_app(reader, version="1.2.3", interval_s=2.0, node="node17"))


def ask(path: str, snapshot: Snapshot | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return what the API says of a node."""
    answer = client(snapshot or rich_snapshot()).get(path)
    assert answer.status_code == 200
    return answer.json()


def test_the_node_tells_its_power_energy_and_grams() -> None:
    """Units are in the names, so that nobody has to guess."""
    node = ask("/api/v1/node")

    assert node["node"] == "node17"
    assert node["version"] == "1.2.3"
    assert node["interval_s"] == 2.0
    assert node["power_w"] == pytest.approx(2465.5)
    assert node["energy_j"] == pytest.approx(125_335_984.75)
    assert node["emissions_g"] == pytest.approx(15_890.125)
    assert node["fallback_emissions_g"] == pytest.approx(402.5)
    assert node["pue_ratio"] == 1.2
    assert node["market_emissions_g"] == pytest.approx(1_876.75)
    assert node["market_intensity_g_per_kwh"] == 45.0
    assert node["embodied_g"] == pytest.approx(821.5)


def test_what_is_not_known_is_null() -> None:
    """A 0 would be a measurement."""
    node = ask("/api/v1/node", bare_snapshot())

    for key in ("power_w", "energy_j", "emissions_g", "cpu_busy_ratio"):
        assert node[key] is None
    for key in ("market_emissions_g", "market_intensity_g_per_kwh", "embodied_g"):
        assert node[key] is None
    assert node["quality"] == "none"
    assert node["components"] == node["devices"] == []


def test_components_tell_how_well_they_are_known() -> None:
    """An estimate has to be visible as one wherever it is shown."""
    node = ask("/api/v1/node")

    qualities = {part["component"]: part["quality"] for part in node["components"]}
    assert qualities == {
        "cpu": "measured",
        "dram": "measured",
        "gpu": "measured",
        "platform": "estimated",
    }
    assert node["quality"] == "estimated"
    cpu = node["components"][0]
    assert (cpu["idle_power_w"], cpu["idle_method"]) == (92.0, "learned")


def test_a_source_that_is_down_says_nothing_of_quality() -> None:
    """The model may stand by while the meter works."""
    meter = SourceInfo("ipmi", "node", "integrated", "measured", "node")
    model = SourceInfo("model", "cpu", "modelled", "estimated", "device")
    sources = (SourceStatus(meter, up=True), SourceStatus(model, up=False))

    assert component_quality(sources, "platform") == "measured"
    assert component_quality(sources, "cpu") == "none"


def test_gpus_tell_what_they_are_and_how_they_do() -> None:
    """The page and scripts read it from here rather than from metrics."""
    gpus = [device for device in ask("/api/v1/node")["devices"] if device["gpu"]]

    assert len(gpus) == 8
    assert gpus[3]["gpu"]["index"] == 3
    assert gpus[3]["gpu"]["model"] == "NVIDIA A100-SXM4-80GB"
    assert gpus[3]["gpu"]["power_limit_w"] == 400.0
    assert gpus[3]["component"] == "gpu"


def test_a_job_tells_which_gpus_it_holds() -> None:
    """Whoever sees a busy GPU asks whose it is; a part of one is no whole one."""
    devices = [device["device"] for device in ask("/api/v1/node")["devices"]]
    jobs = {job["job_id"]: job for job in ask("/api/v1/jobs")["jobs"]}

    held = jobs["4243"]["gpus_held"]
    assert [hold["share"] for hold in held] == [1.0, 1.0]
    assert {hold["device"] for hold in held} <= set(devices)
    assert [hold["share"] for hold in jobs["finetune-llama-7"]["gpus_held"]] == [0.5]
    assert jobs["4199"]["gpus_held"] == []


def test_the_node_tells_how_long_its_daemon_runs() -> None:
    """A daemon that restarts again and again is found by it."""
    now_s = 100.0
    reader = FakeReader(rich_snapshot())
    app = create_app(reader, version="1.2.3", node="node17", clock=lambda: now_s)

    now_s += 90.0

    assert Asker(app).get("/api/v1/node").json()["uptime_s"] == 90.0


def test_a_failed_source_says_what_helps() -> None:
    """The message is for a person who has to act."""
    sources = {source["source"]: source for source in ask("/api/v1/node")["sources"]}

    assert sources["ipmi"]["up"] is False
    assert sources["ipmi"]["reason"] == "denied"
    assert "/dev/ipmi0" in sources["ipmi"]["message"]
    assert sources["ipmi"]["errors"][0] == {"reason": "denied", "ticks": 86_400}


def test_the_past_is_told_only_to_who_asks() -> None:
    """It is long, and most clients ask for now."""
    snapshot = rich_snapshot()
    past = ten_minutes(snapshot)
    node = client(snapshot, past)

    none = node.get("/api/v1/node").json()["history"]
    everything = node.get("/api/v1/node?history_after_unix_s=0").json()["history"]
    newest = node.get(f"/api/v1/node?history_after_unix_s={NOON_UNIX_S - 2}").json()[
        "history"
    ]

    assert none == []
    assert len(everything) == len(past)
    assert [point["unix_s"] for point in newest] == [NOON_UNIX_S - 1, NOON_UNIX_S]
    assert set(newest[0]["components_w"]) == {"cpu", "dram", "gpu", "platform"}


def test_a_long_past_is_thinned_out_and_ends_with_the_newest() -> None:
    """A daemon that samples ten times a second must not send 6,000 points."""
    past = tuple(
        HistoryPoint(Seconds(1.0 + index / 10), Watts(5.0), (), GramsPerKwh(381.0))
        for index in range(6000)
    )

    history = (
        client(rich_snapshot(), past)
        .get("/api/v1/node?history_after_unix_s=0")
        .json()["history"]
    )

    assert len(history) == 600
    assert history[-1]["unix_s"] == past[-1].unix_s
    assert history == sorted(history, key=lambda point: point["unix_s"])


def test_a_question_that_makes_no_sense_is_refused() -> None:
    """Rather than answered with everything."""
    answer = client(rich_snapshot()).get("/api/v1/node?history_after_unix_s=noon")

    assert answer.status_code == 422


def test_jobs_are_listed_with_totals_by_component() -> None:
    """The sum and its parts are both there."""
    jobs = {job["job_id"]: job for job in ask("/api/v1/jobs")["jobs"]}

    job = jobs["4242"]
    assert job["running"] is True
    assert job["user"] == "ada"
    assert job["power_w"] == pytest.approx(1310.0)
    assert job["market_emissions_g"] == pytest.approx(job["emissions_g"] * 45 / 381)
    assert job["embodied_g"] == pytest.approx(22.1)
    assert job["energy_j"] == pytest.approx(sum(job["components_j"].values()))
    assert jobs["finetune-llama-7"]["namespace"] == "team-llm"


def test_an_ended_job_has_no_power() -> None:
    """It has an end instead."""
    job = ask("/api/v1/jobs/4199")

    assert job["running"] is False
    assert job["power_w"] is None
    assert job["end_unix_s"] == NOON_UNIX_S - 95


def test_a_job_that_is_not_here_is_not_found() -> None:
    """It may be on another node, or have ended long ago."""
    answer = client(rich_snapshot()).get("/api/v1/jobs/9")

    assert answer.status_code == 404
    assert "no such job" in answer.json()["detail"]


def test_of_two_jobs_with_one_id_the_scheduler_decides_else_the_newer() -> None:
    """Ids are unique within one scheduler only."""
    snapshot = rich_snapshot()
    job = snapshot.jobs[0]
    twin = changed(
        job,
        workload=WorkloadId("kubernetes", "x"),
        created_unix_s=Seconds(job.created_unix_s + 5),
    )
    both = changed(snapshot, jobs=(job, twin))

    assert ask("/api/v1/jobs/4242", both)["scheduler"] == "kubernetes"
    asked = ask("/api/v1/jobs/4242?scheduler=slurm", both)
    assert asked["scheduler"] == "slurm"


def test_intensity_tells_where_it_comes_from_and_how_old_it_is() -> None:
    """A number without provenance cannot be trusted or checked."""
    live = ask("/api/v1/intensity")
    yearly = ask("/api/v1/intensity", bare_snapshot())

    assert live["intensity_g_per_kwh"] == 381.0
    assert live["provider"] == "electricitymaps"
    assert live["age_s"] == 1500
    assert live["fallback_level"] == 0
    assert live["slot_s"] == 3600
    assert live["valid_until_unix_s"] - live["unix_s"] == 9300
    assert live["fetched_unix_s"] - live["unix_s"] == -40
    assert live["forecast"][1] == {
        "begin_unix_s": live["unix_s"] + 3600,
        "slot_s": 3600,
        "intensity_g_per_kwh": 345.5,
    }
    assert (yearly["zone"], yearly["fallback_level"]) == ("WORLD", 3)
    for key in ("age_s", "slot_s", "valid_until_unix_s", "fetched_unix_s"):
        assert yearly[key] is None
    assert yearly["forecast"] == []


@pytest.mark.parametrize("path", ["node", "jobs", "jobs/1", "intensity"])
def test_before_the_first_tick_the_api_asks_for_patience(path: str) -> None:
    """It says so in JSON, like everything else."""
    answer = client(None).get(f"/api/v1/{path}")

    assert answer.status_code == 503
    assert "no tick" in answer.json()["detail"]


def test_openapi_describes_every_route_and_field() -> None:
    """Clients are generated from it; it needs nothing from the network."""
    schema = ask("/openapi.json")

    assert set(schema["paths"]) == {
        "/api/v1/node",
        "/api/v1/jobs",
        "/api/v1/jobs/{job_id}",
        "/api/v1/intensity",
    }
    node = schema["components"]["schemas"]["NodeAnswer"]
    assert "power_w" in node["properties"]
    assert schema["info"]["version"] == "1.2.3"
