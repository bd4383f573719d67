import re
import tomllib
from textwrap import dedent

import yaml

from scripts.chart import MANIFESTS, README, manifests, readme
from tests.fakes.chart import CHART, NEWEST, Chart, Rendered, merged, read_manifests
from tests.fakes.command_line import REPOSITORY
from tests.fakes.kubernetes_schemas import assert_valid

STALE = "stale: run make docs"
DOCUMENTS = (
    README,
    REPOSITORY / "docs" / "install-kubernetes.md",
    REPOSITORY / "docs" / "kubernetes-security.md",
    REPOSITORY / "deploy" / "kubernetes" / "README.md",
)


def test_the_table_of_values_is_that_of_the_chart() -> None:
    """It is what people choose from."""
    assert readme() == README.read_text(), STALE


def test_the_plain_manifests_are_the_chart_with_its_defaults(chart: Chart) -> None:
    """Those without helm get the same fixes as those with it."""
    text = MANIFESTS.read_text()

    assert manifests() == text, STALE
    kinds = [each["kind"] for each in read_manifests(text)]
    assert kinds == [
        *("ServiceAccount", "ConfigMap", "ClusterRole", "ClusterRoleBinding"),
        *("Service", "DaemonSet"),
    ]
    assert chart.helm.exists()


def test_the_plain_manifests_come_after_their_namespace() -> None:
    """Files of a directory are applied in the order of their names."""
    directory = sorted(MANIFESTS.parent.glob("*.yml"))

    objects = [each for path in directory for each in read_manifests(path.read_text())]

    namespace = objects[0]
    assert namespace["kind"] == "Namespace"
    name = namespace["metadata"]["name"]
    assert {each["metadata"].get("namespace", name) for each in objects[1:]} == {name}
    labels = namespace["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "privileged"}


def test_chart_image_and_program_are_of_one_version(default: Rendered) -> None:
    """A chart that asks for an image of another version starts nothing."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    image = (REPOSITORY / "deploy" / "Dockerfile").read_text()

    version = project["version"]

    assert (about["version"], about["appVersion"]) == (version, version)
    assert default.container("node")["image"] == f"jouled:{version}"
    assert f"ARG VERSION={version}\n" in image
    assert f"jouled:{version}" in (MANIFESTS.parent / "README.md").read_text()


def test_examples_of_values_make_a_chart_that_installs(chart: Chart) -> None:
    """All of them together, as one who reads the page from top to bottom has them."""
    page = (REPOSITORY / "docs" / "install-kubernetes.md").read_text()
    blocks = re.findall(r"^( *)```yaml\n(.*?)^\1```", page, re.DOTALL | re.MULTILINE)
    examples = [yaml.safe_load(dedent(text)) for _, text in blocks]

    made = chart.objects(merged(*examples))

    assert len(examples) == 4
    assert_valid(made, NEWEST)
    settings = yaml.safe_load(made.settings("node"))
    assert settings["kubernetes"]["pod_labels"] == "team, app.kubernetes.io/name"
    assert settings["carbon"] == {"zone": "DE"}
    assert made.of_kind("Deployment")
    mounts = [each["name"] for each in made.container("node")["volumeMounts"]]
    assert "all-gpus" in mounts


def test_documents_speak_of_values_that_there_are() -> None:
    """A command that is copied from a page should not be refused."""
    documented = set(re.findall(r"^\| `([\w.]+)` \|", README.read_text(), re.MULTILINE))
    tops = {name.partition(".")[0] for name in documented}

    said = {
        name
        for page in DOCUMENTS
        for name in re.findall(
            r"(?:--set |`)([a-z]\w+(?:\.(?!(?:yml|md)\b)\w+)+)=?", page.read_text()
        )
        if name.partition(".")[0] in tops
    }

    def is_known(name: str) -> bool:
        parts = name.split(".")
        above = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
        below = any(each.startswith(f"{name}.") for each in documented)
        return bool(above & documented) or below

    assert len(said) > 10
    assert {name for name in said if not is_known(name)} == set()
