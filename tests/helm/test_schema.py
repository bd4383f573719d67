import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from exporter.config.json_schema import config_schema
from exporter.config.settings import SECTIONS
from scripts.chart import README, SCHEMA, SET_BY_THE_CHART, schema
from tests.fakes.chart import CHART, HUB, Chart, Values, merged, of_path

SCHEMA_OF_VALUES: dict[str, Any] = json.loads(SCHEMA.read_text())

# Objects that Kubernetes or the hub looks into, and whose names are free.
OPEN = {
    "free": "a field of Kubernetes itself, which its API server checks",
    "volume": "the same; it has dozens of kinds",
    "strings": "names are the user's own",
    "labels": "names are the user's own",
    "amounts": "resources of Kubernetes and of device plugins",
    "provider": "each provider has its own options, which the hub checks",
    "hubConfig.zones": "names of grid zones",
    "hubConfig.providers": "names of providers",
    "hubPrometheus.header_files": "names of headers",
    "match": "names of labels of Prometheus",
    "global": "belongs to charts around this one",
}


def objects(node: object, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of a schema that allows an object, with its place."""
    if isinstance(node, list):
        for each in node:
            yield from objects(each, path)
    if not isinstance(node, dict):
        return
    kinds = node.get("type")
    if kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        yield path, node
    for key, value in node.items():
        if key in {"properties", "$defs"}:
            for name, each in value.items():
                yield from objects(each, f"{path}.{name}".lstrip("."))
        elif key in {"items", "additionalProperties", "anyOf"}:
            yield from objects(value, path)


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    name = node.get("$ref", "").rpartition("/")[2]
    return dict(SCHEMA_OF_VALUES["$defs"][name]) if name else node


def places(node: dict[str, Any], documented: set[str], path: str) -> Iterator[str]:
    """Yield each value that the schema knows, no deeper than it is documented."""
    known = resolved(node).get("properties", {})
    if path in documented or not known:
        yield path
        return
    for name, each in known.items():
        yield from places(each, documented, f"{path}.{name}".lstrip("."))


def test_no_misspelt_value_can_pass() -> None:
    """One that is silently ignored leaves a default that nobody wanted."""
    is_open = {
        path.removeprefix("$defs.")
        for path, node in objects(SCHEMA_OF_VALUES, "")
        if node.get("additionalProperties") is not False
        # The empty one of a choice.
        and node.get("maxProperties") != 0
    }

    assert is_open == set(OPEN)


def test_every_value_has_a_default_a_row_in_the_table_and_a_place_in_the_schema() -> (
    None
):
    """A value that is only in one of them is one that nobody finds."""
    documented = set(re.findall(r"^\| `([\w.]+)` \|", README.read_text(), re.MULTILINE))

    known = set(places(SCHEMA_OF_VALUES, documented, ""))

    # What charts around this one share; not ours to give a default to.
    assert known - {"global"} == documented


def test_the_schema_knows_the_settings_of_today() -> None:
    """A new setting can be given, a misspelt one is refused before it is installed."""
    part = SCHEMA_OF_VALUES["$defs"]["nodeConfig"]

    assert part == config_schema(SECTIONS, SET_BY_THE_CHART)
    assert schema() == SCHEMA.read_text(), "run make docs"


REFUSED: dict[str, tuple[Values, str]] = {
    "misspelt": (of_path("nodes", {}), "'nodes' not allowed"),
    "misspelt below": (of_path("node.hostPid", value=True), "'hostPid' not allowed"),
    "text for a boolean": (of_path("node.enabled", "yes"), "/node/enabled"),
    "text for a number": (of_path("hub.replicas", "2"), "/hub/replicas"),
    "no replica": (of_path("hub.replicas", 0), "/hub/replicas"),
    "a strange capability": (
        of_path("node.capabilities", ["SYS_ADMIN"]),
        "/node/capabilities/0",
    ),
    "a strange kind of monitor": (
        of_path("monitoring.kind", "monitor"),
        "/monitoring/kind",
    ),
    "a digest of another kind": (of_path("image.digest", "md5:1"), "/image/digest"),
    "no image": (of_path("image.repository", ""), "/image/repository"),
    "a relative directory": (of_path("node.kubeletDir", "kubelet"), "/kubeletDir"),
    "a label that selects": (
        of_path("commonLabels", {"app.kubernetes.io/name": "x"}),
        "'app.kubernetes.io/name'",
    ),
    "an unknown setting": (of_path("node.config.carbn", {}), "'carbn' not allowed"),
    "an unknown setting below": (
        of_path("node.config.carbon.zon", "DE"),
        "'zon' not allowed",
    ),
    "a setting out of bounds": (of_path("node.config.pue", 0.5), "/node/config/pue"),
    "a setting of another type": (of_path("node.config.pue", "1"), "/node/config/pue"),
    "a setting that is no such word": (
        of_path("node.config.log.level", "loud"),
        "/node/config/log/level",
    ),
    "a setting that the chart gives": (
        of_path("node.config.web.listen_address", ":1"),
        "'web' not allowed",
    ),
    "a hub that knows nothing": (of_path("hub.enabled", value=True), "/hub/config"),
    "a hub without zones": (
        of_path("hub", {"enabled": True, "config": {"log": {"level": "info"}}}),
        "'zones'",
    ),
    "a token in a value": (
        merged(HUB, of_path("hub.config.providers.entsoe.token", "abc")),
        "'token'",
    ),
    "a password in a value": (
        merged(HUB, of_path("hub.config.providers.watttime.password", "abc")),
        "'password'",
    ),
    "a secret in a variable": (
        of_path("hub.extraEnv", [{"name": "ENTSOE_TOKEN", "value": "abc"}]),
        "/hub/extraEnv/0/value",
    ),
    "a secret in a variable of the node": (
        of_path("node.extraEnv", [{"name": "api_key", "value": "abc"}]),
        "/node/extraEnv/0/value",
    ),
    "a password for Prometheus in a value": (
        of_path("monitoring.nodeBasicAuth.password", "abc"),
        "/monitoring/nodeBasicAuth/password",
    ),
    "a password in an address": (
        of_path("monitoring.datasource.url", "http://me:abc@prometheus:9090"),
        "/monitoring/datasource/url",
    ),
    "two hubs that share one directory": (
        merged(HUB, of_path("hub", {"replicas": 2, "persistence": {"enabled": True}})),
        "/hub/replicas",
    ),
    "a port that is none": (of_path("hub.service.port", 70000), "/hub/service/port"),
    "a toleration that is none": (
        of_path("node.tolerations", [{"operators": "Exists"}]),
        "'operators' not allowed",
    ),
    "a volume without a name": (of_path("node.extraVolumes", [{}]), "'name'"),
    "a share of nodes that is none": (
        of_path("node.maxUnavailable", "0%"),
        "/node/maxUnavailable",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_by_name(chart: Chart, case: str) -> None:
    """Better at the keyboard of who types it than in a pod on every node."""
    values, where = REFUSED[case]

    done = chart.template(values)

    assert done.returncode != 0
    assert where in done.stderr


def test_a_refused_secret_is_not_repeated(chart: Chart) -> None:
    """What is on a screen or in a log of CI is no secret any more."""
    secret = "s3cr3t-of-the-site"  # noqa: S105 - of nobody
    env = [{"name": "ENTSOE_TOKEN", "value": secret}]

    done = chart.template(merged(HUB, of_path("hub.extraEnv", env)))

    assert done.returncode != 0
    assert secret not in done.stdout + done.stderr


def test_every_default_may_be_given_as_well(chart: Chart) -> None:
    """People copy values.yaml and change a line of it."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    done = chart.template(values)

    assert done.returncode == 0, done.stderr
