"""The chart as helm renders it, as objects that a test can look at."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.command_line import REPOSITORY

CHART = REPOSITORY / "helm" / "jouled"
RELEASE = "jouled"
NAMESPACE = "monitoring"
NEWEST = "1.37"
OLDEST = "1.28"

# A hub has to be told something before it can be switched on.
HUB: dict[str, Any] = {"hub": {"enabled": True, "config": {"zones": {"DE": {}}}}}

# An object, as YAML has it. What is in it differs for each kind.
Manifest = dict[str, Any]
Values = Mapping[str, Any]

_LONGEST_S = 60.0


def merged(*parts: Values) -> dict[str, Any]:
    """Return several sets of values as one; later ones win, mappings are merged."""
    result: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            old = result.get(key)
            both = isinstance(old, dict) and isinstance(value, dict)
            result[key] = merged(old or {}, value) if both else value
    return result


def of_path(path: str, value: object) -> dict[str, Any]:
    """Return the values that ``--set path=value`` would set, one key deep each."""
    head, dot, rest = path.partition(".")
    return {head: of_path(rest, value) if dot else value}


EVERYTHING = merged(
    HUB,
    of_path("hub.replicas", 2),
    of_path("rbac.resourceSlices", value=True),
    of_path("node.readEnvironments", value=True),
    of_path("networkPolicy.enabled", value=True),
    of_path("monitoring.kind", "podMonitor"),
    of_path("monitoring.rules.enabled", value=True),
    of_path("monitoring.dashboards.enabled", value=True),
    of_path("node.web", {"secretName": "web", "tls": True}),
    of_path("hub.web", {"secretName": "web", "tls": True, "authentication": True}),
    of_path("node.secretMounts", [{"name": "hash-key", "secretName": "jouled-key"}]),
)
"""Values that switch on all that there is."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and the helm that renders it.

    Attributes:
        helm: the program.
        home: directory for whatever helm keeps.
        path: directory or package of the chart.
    """

    helm: Path
    home: Path
    path: Path = CHART

    def run(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """Run helm to its end."""
        own = {f"HELM_{what}_HOME": str(self.home) for what in _HOMES}
        return subprocess.run(
            [self.helm, *args],
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **own},
        )

    def template(
        self, values: Values, kubernetes: str = NEWEST
    ) -> subprocess.CompletedProcess[str]:
        """Render it, or be refused.

        Args:
            values: in place of, or beside, the default ones.
            kubernetes: version of the cluster.
        """
        file = self.home / "values.json"
        file.write_text(json.dumps(values))
        return self.run(
            *("template", RELEASE, self.path, "--namespace", NAMESPACE),
            *("--kube-version", kubernetes, "--values", file),
        )

    def objects(
        self, values: Values | None = None, kubernetes: str = NEWEST
    ) -> "Rendered":
        """Render it."""
        done = self.template(values or {}, kubernetes)
        assert done.returncode == 0, done.stderr
        return Rendered(read_manifests(done.stdout))


_HOMES = ("CACHE", "CONFIG", "DATA")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What helm made."""

    manifests: list[Manifest]

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    def of_kind(self, kind: str) -> dict[str, Manifest]:
        """Return all objects of a kind, by name."""
        return {each["metadata"]["name"]: each for each in self if each["kind"] == kind}

    def one(self, kind: str, name: str = "") -> Manifest:
        """Return the only object of a kind, or that of a name."""
        found = self.of_kind(kind)
        if name:
            return found[name]
        [manifest] = found.values()
        return manifest

    def pod(self, component: str) -> Manifest:
        """Return the specification of the pods of ``node``, ``hub`` or ``test``."""
        [spec] = [
            pod_of(each)["spec"]
            for each in self
            if pod_of(each)
            and each["metadata"]["labels"]["app.kubernetes.io/component"] == component
        ]
        return dict(spec)

    def container(self, component: str) -> Manifest:
        """Return the only container of a pod."""
        [container] = self.pod(component)["containers"]
        return dict(container)

    def settings(self, component: str) -> str:
        """Return the file of settings of ``node`` or ``hub``."""
        data = self.one("ConfigMap", f"{RELEASE}-{component}")["data"]
        [text] = data.values()
        return str(text)


def read_manifests(text: str) -> list[Manifest]:
    """Read all objects of a text."""
    # The loader in C does the same ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [each for each in yaml.load_all(text, loader) if each]


def pod_of(manifest: Manifest) -> Manifest:
    """Return the pod that an object makes, or that it is; empty if neither."""
    if manifest["kind"] == "Pod":
        return manifest
    return dict(manifest.get("spec", {}).get("template", {}))


def variables(container: Manifest) -> dict[str, Any]:
    """Return the environment of a container: texts, or where they come from."""
    return {
        each["name"]: each.get("value", each.get("valueFrom"))
        for each in container["env"]
    }
