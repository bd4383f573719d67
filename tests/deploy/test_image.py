import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import Program, free_port
from tests.e2e.waiting import until
from tests.fakes import plain_http
from tests.fakes.command_line import REPOSITORY, environment
from tests.fakes.image_build import ImageBuild, instructions
from tests.fakes.wheels import pinned_wheels

DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
LONG_S = 280.0

pytestmark = pytest.mark.timeout(300)


def said(word: str) -> list[str]:
    """Return what follows an instruction, each time it is there."""
    return [rest for name, rest in instructions(DOCKERFILE) if name == word]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> ImageBuild:
    """Return the image, built step by step."""
    directory = pinned_wheels(tmp_path_factory.mktemp("wheels"))
    root = tmp_path_factory.mktemp("image") / "root"
    return ImageBuild(DOCKERFILE, REPOSITORY, root, directory)


def run_in(build: ImageBuild, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the image, which has nothing of this checkout."""
    return subprocess.run(
        [build.stage("build") / "opt/jouled/bin" / args[0], *args[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
        cwd="/",
        env=environment({"PYTHONPATH": ""}),
    )


def test_the_steps_of_the_image_make_a_program_that_runs(build: ImageBuild) -> None:
    """It is the one thing that no linter can tell."""
    about = run_in(build, "jouled", "--version")
    where = run_in(
        build, "python", "-Ic", "import exporter, sys; print(exporter.__file__)"
    )

    assert about.stdout.startswith("jouled "), about.stderr
    assert where.stdout.startswith(str(build.stage("build"))), where.stderr


def test_the_image_serves_metrics(build: ImageBuild, tmp_path: Path) -> None:
    """With what it was started with: page and tables are files of the package."""
    port = free_port()
    program = build.stage("build") / "opt/jouled/bin/jouled"
    daemon = Program(
        [
            *(str(program), "run", "--web.listen-address", f"127.0.0.1:{port}"),
            *("--state.run-dir", str(tmp_path / "run")),
            *("--state.dir", str(tmp_path / "lib"), "--no-power.nvml"),
        ],
        tmp_path / "log",
    )

    def ask(path: str) -> httpx.Response:
        return plain_http.get(f"http://127.0.0.1:{port}{path}", timeout=60)

    def is_ready() -> bool:
        daemon.assert_alive()
        try:
            return ask("/readyz").is_success
        except httpx.HTTPError:
            return False

    try:
        daemon.launch()
        until(is_ready, "the first tick")

        assert "jouled_build_info" in ask("/metrics").text
        assert "<title>" in ask("/").text
    finally:
        daemon.close()


def test_the_image_has_what_it_starts_and_no_installer(build: ImageBuild) -> None:
    """Whoever gets in should not find the tools to bring more along."""
    programs = {path.name for path in (build.image / "opt/jouled/bin").iterdir()}

    [program] = build.entrypoint
    assert program == "/opt/jouled/bin/jouled"
    assert (build.image / program.lstrip("/")).is_file()
    assert not {name for name in programs if name.startswith("pip")}
    assert list((build.image / "opt/jouled").rglob("__pycache__")), "starts faster"
    assert (build.image / "usr/share/doc/jouled/NOTICE").is_file()


def test_the_image_is_nobody_unless_told_otherwise() -> None:
    """A hub that is started by hand has no reason to be root."""
    assert said("USER") == ["65532:65532"]


def test_nothing_is_installed_that_was_not_looked_at() -> None:
    """Every package has a hash; the base has a version, and a place for its digest."""
    [base] = [rest for rest in said("ARG") if rest.startswith("BASE=")]
    installs = [script for script in said("RUN") if " install " in script]

    assert re.fullmatch(r"BASE=python:3\.\d+-slim-\w+", base)
    assert {rest.partition(" AS ")[0] for rest in said("FROM")} == {"${BASE}"}
    assert installs
    for script in installs:
        assert "--require-hashes" in script or "--no-index" in script
    assert "://" not in DOCKERFILE.read_text()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_package_is_there_for_both_architectures(
    tmp_path: Path, machine: str
) -> None:
    """With a hash among those that are pinned, so that nothing has to be compiled."""
    [base] = [rest for rest in said("ARG") if rest.startswith("BASE=")]
    python = re.findall(r"python:3\.(\d+)", base)[0]

    pinned_wheels(
        tmp_path,
        *("--only-binary=:all:", "--python-version", f"3{python}"),
        *("--implementation=cp", f"--abi=cp3{python}", "--abi=abi3", "--abi=none"),
        # What bookworm's C library can run.
        *("--platform", f"manylinux_2_28_{machine}"),
        *("--platform", f"manylinux2014_{machine}"),
    )

    assert list(tmp_path.glob("*.whl"))


def test_the_image_says_what_it_is() -> None:
    """Registries and scanners read these."""
    labels = " ".join(said("LABEL"))

    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


@pytest.mark.skipif(
    shutil.which("hadolint") is None,
    reason="no hadolint on PATH: make test puts it there",
)
def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    """It knows what goes wrong in images of others."""
    done = subprocess.run(
        ["hadolint", "--no-color", DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
        env={"PATH": os.environ["PATH"]},
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_a_file_that_is_not_in_the_context_fails_the_build(tmp_path: Path) -> None:
    """Else the play would pass where an engine does not."""
    (tmp_path / ".dockerignore").write_text("*\n!known\n")
    (tmp_path / "Dockerfile").write_text("FROM x\nCOPY unknown there\n")
    (tmp_path / "unknown").write_text("")

    with pytest.raises(RuntimeError, match="leaves out unknown"):
        ImageBuild(tmp_path / "Dockerfile", tmp_path, tmp_path / "root", tmp_path)
