"""Rewrite what is made from something else in the chart and beside it.

* the part of ``values.schema.json`` that describes ``jouled.yml``, from the settings
* the table of values in the chart's README, from the comments in ``values.yaml``
* ``deploy/kubernetes/jouled.yml``, by helm, from the chart with its default values
"""

import json
import re
import subprocess
from collections.abc import Iterator

import yaml

from exporter.config.json_schema import config_schema
from exporter.config.settings import SECTIONS
from scripts.helm import REPOSITORY, helm

CHART = REPOSITORY / "helm" / "jouled"
SCHEMA = CHART / "values.schema.json"
README = CHART / "README.md"
MANIFESTS = REPOSITORY / "deploy" / "kubernetes" / "jouled.yml"

SET_BY_THE_CHART = ("path", "state", "web")
"""Sections of ``jouled.yml`` that are about the container, not about the site."""

KUBERNETES = "1.31"
"""The oldest version that knows all that the chart can say."""

_TABLE = re.compile(r"(?<=<!-- values -->\n).*?(?=<!-- end of values -->)", re.DOTALL)
_COMMENT = "# -- "
_LONGEST_S = 60
_HEAD = """\
# The chart helm/jouled with its default values, for Kubernetes 1.31 or later. Made by
# "make docs"; README.md says what to change in a copy of it.
"""


def schema() -> str:
    """Return ``values.schema.json`` with the settings of today."""
    document = json.loads(SCHEMA.read_text())
    document["$defs"]["nodeConfig"] = config_schema(SECTIONS, SET_BY_THE_CHART)
    return json.dumps(document, indent=2) + "\n"


def readme() -> str:
    """Return the chart's README with the values of today."""
    text = (CHART / "values.yaml").read_text()
    root = yaml.compose(text)
    rows = "\n".join(_rows(root, text.splitlines(), ""))
    table = f"| value | default | what it does |\n|---|---|---|\n{rows}\n"
    return _TABLE.sub(lambda _: table, README.read_text())


def manifests() -> str:
    """Return the chart with its default values, as plain manifests."""
    done = subprocess.run(
        [
            *(helm(), "template", "jouled", CHART, "--namespace", "jouled"),
            *("--kube-version", KUBERNETES, "--set", "tests.enabled=false"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=_LONGEST_S,
    )
    # It belongs to nobody's release.
    lines = [
        line
        for line in done.stdout.splitlines()
        if not re.search(r"managed-by: Helm|helm\.sh/chart:|# Source:", line)
    ]
    return _HEAD + "\n".join(lines) + "\n"


def _rows(node: yaml.Node | None, lines: list[str], prefix: str) -> Iterator[str]:
    if not isinstance(node, yaml.MappingNode):
        msg = (
            f"values.yaml: {prefix.rstrip('.')} has no comment that begins with '# --'"
        )
        raise TypeError(msg)
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        text = _comment_above(lines, key.start_mark.line)
        if text is None:
            yield from _rows(value, lines, f"{name}.")
        else:
            default = json.dumps(yaml.safe_load(yaml.serialize(value)))
            yield f"| `{name}` | `{default}` | {text} |"


def _comment_above(lines: list[str], line: int) -> str | None:
    words: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        comment = lines[line].lstrip()
        if comment.startswith(_COMMENT):
            return " ".join([comment.removeprefix(_COMMENT), *words])
        words.insert(0, comment.removeprefix("#").strip())
    return None


if __name__ == "__main__":
    for path, make in ((SCHEMA, schema), (README, readme), (MANIFESTS, manifests)):
        path.write_text(make())
        print(f"wrote {path.relative_to(REPOSITORY)}")
