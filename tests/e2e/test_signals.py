import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.exposition import Scrape
from tests.e2e.jobs import Job, write_script
from tests.e2e.node import Node, playing
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e

NODE = "jouled_node_energy_joules_total"
GRAMS = "jouled_node_emissions_grams_total"
MARKET_GRAMS = "jouled_node_market_emissions_grams_total"
EMBODIED = "jouled_node_embodied_grams_total"
JOB = "jouled_job_energy_joules_total"
TENANT = "jouled_tenant_energy_joules_total"


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """Return the configuration that the daemon starts with."""
    path = tmp_path / "jouled.yml"
    path.write_text("pue: 1.25\ncarbon: {intensity: 400}\n")
    return path


@pytest.fixture
def node(tmp_path: Path, config_file: Path) -> Iterator[Node]:
    """Return a node with a job, whose daemon runs."""
    node = Node(
        tmp_path,
        1,
        flags=("--config.file", str(config_file), "--sampling.interval", "300ms"),
        scripted=True,
    )
    write_script(node.script, (Job("1", "ada", "physics", 0.0, gpus=node.gpus),))
    with playing(node):
        node.set_power({"intel-rapl:1": 100.0}, {0: 250.0})
        node.daemon.start()
        for source in node.sources:
            node.daemon.wait_for_source(source, up=True)
        yield node


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_when_told_to(node: Node, number: signal.Signals) -> None:
    """A supervisor sees success, and the next daemon goes on."""
    node.daemon.send(number)

    assert node.daemon.wait() == 0
    assert f"signal={number.name}" in node.daemon.said()
    assert "Traceback" not in node.daemon.said()


def test_it_ends_even_while_a_call_into_the_driver_hangs(node: Node) -> None:
    """The call may hang for hours; an order to stop must not wait for it."""
    node.driver.hang(0)
    node.daemon.wait_for_source(f"nvml/{node.gpus[0]}", up=False)

    code = node.daemon.stop()

    assert code == 0
    assert "Traceback" not in node.daemon.said()
    node.driver.delay(0, 0)
    node.daemon.start()
    node.daemon.wait_for_source(f"nvml/{node.gpus[0]}", up=True)


def test_a_reload_is_applied_to_what_comes_after_it(
    node: Node, config_file: Path
) -> None:
    """Grams that were emitted at the old figures stay what they were."""
    before = node.daemon.wait_for(lambda scrape: scrape.total(JOB) > 100, "energy")
    config_file.write_text(
        "pue: 1.1\npue_schedule: 00:00-24:00 = 1.5\n"
        "carbon: {intensity: 100, market_intensity: 20}\n"
        "embodied: {node_kg: 1000, lifetime: 1y}\nmetrics: {level: tenant}"
    )

    node.daemon.send(signal.SIGHUP)
    first = node.daemon.wait_for(
        lambda scrape: scrape.value("jouled_pue_ratio") == 1.5, "the new PUE"
    )
    last = node.daemon.wait_for(
        lambda scrape: scrape.value(NODE) > first.value(NODE) + 100, "more energy"
    )

    assert last.value("jouled_carbon_intensity_grams_per_kwh") == 100
    assert before.value(GRAMS) == pytest.approx(before.value(NODE) / 3.6e6 * 400 * 1.25)
    grams = last.value(GRAMS) - first.value(GRAMS)
    energy_j = last.value(NODE) - first.value(NODE)
    assert grams == pytest.approx(energy_j / 3.6e6 * 100 * 1.5)
    contracted = last.value(MARKET_GRAMS) - first.value(MARKET_GRAMS)
    assert contracted == pytest.approx(grams / 5)
    assert last.value(EMBODIED) > first.value(EMBODIED) > 0
    assert before.series(MARKET_GRAMS) == before.series(EMBODIED) == []
    assert last.series(JOB) == []
    assert last.total(TENANT) > before.total(TENANT) > 0
    for key in ("pue_schedule", "carbon.market_intensity", "embodied.node_kg"):
        assert key in node.daemon.said()


@pytest.mark.parametrize(
    "mistake",
    [
        "puee: 3",
        "carbon: {zone: Atlantis}",
        "pue_schedule: Jun-Sept = 1.3",
        "pue: [",
    ],
)
def test_a_configuration_with_a_mistake_is_refused_whole(
    node: Node, config_file: Path, mistake: str
) -> None:
    """Half of a configuration is one that nobody wrote."""
    config_file.write_text(
        f"attribution: {{idle: none}}\nlog: {{level: debug}}\n{mistake}\n"
    )

    node.daemon.send(signal.SIGHUP)
    node.daemon.wait_for_log("reload refused, going on as before")
    scrape = _next(node)

    assert scrape.value("jouled_pue_ratio") == 1.25
    assert scrape.value("jouled_carbon_intensity_grams_per_kwh") == 400
    assert scrape.series(JOB) != []
    assert "level=debug" not in node.daemon.said()


def test_what_waits_for_a_restart_is_named_until_it_waits_no_more(
    node: Node, config_file: Path
) -> None:
    """An operator who changed it has to know that it takes one, at each reload."""
    with_it = "sampling: {deadline: 100ms}\n"
    without_it = "carbon: {intensity: 400}\n"

    for number, text in enumerate((with_it, with_it + without_it, without_it), 1):
        config_file.write_text(text)
        _reload(node, number)

    said = node.daemon.said()
    assert said.count("some changes wait for a restart") == 2
    assert said.count("keys=sampling.deadline") == 2


def _next(node: Node) -> Scrape:
    seen = node.daemon.scrape().value(NODE)
    return node.daemon.wait_for(
        lambda scrape: scrape.value(NODE) > seen, "the next tick"
    )


def _reload(node: Node, number: int) -> None:
    """Let it read its configuration again, for this number of times in all."""
    node.daemon.send(signal.SIGHUP)
    until(
        lambda: node.daemon.said().count("configuration reloaded") == number,
        f"reload {number}",
    )
