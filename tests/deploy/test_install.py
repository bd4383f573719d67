import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command_line import REPOSITORY, jouled
from tests.fakes.kubelet import played_kubelet
from tests.fakes.wheels import pinned_wheels

INSTALL = REPOSITORY / "deploy" / "systemd" / "install.sh"
UNIT = "etc/systemd/system/jouled.service"
HUB_UNIT = "etc/systemd/system/jouled-hub.service"
LONG_S = 280.0

pytestmark = pytest.mark.timeout(300)


def install(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script with the Python of the tests, which may be anywhere."""
    return subprocess.run(
        [INSTALL, "--python", sys.executable, *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )


def files(root: Path) -> dict[str, str]:
    """Return all files outside of the program, and the first 100 bytes of each."""
    return {
        str(path.relative_to(root)): path.read_bytes()[:100].decode()
        for path in root.rglob("*")
        if path.is_file() and "opt" not in path.relative_to(root).parts
    }


def names(directory: Path) -> list[str]:
    """Return the names of all that is in a directory."""
    return [path.name for path in directory.iterdir()]


def make_archive(root: Path) -> Path:
    """Let the daemon of a node have kept something."""
    archive = root / "var/lib/jouled/archive.db"
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_text("jobs")
    return archive


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with every pinned package, as one carries to a node."""
    return pinned_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def installed(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a node where jouled was installed and nothing else."""
    root = tmp_path_factory.mktemp("root")
    done = install("--root", root, "--wheels", wheels)
    assert done.returncode == 0, done.stderr
    return root


def test_what_was_installed_runs(installed: Path) -> None:
    """It needs nothing of the checkout any more."""
    python = installed / "opt/jouled/bin/python"

    done = subprocess.run(
        [python, "-I", "-m", "exporter", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=LONG_S,
        cwd="/",
    )

    assert done.stdout.startswith("jouled ")


def test_grpc_is_installed_on_request_and_kept(installed: Path, tmp_path: Path) -> None:
    """Who upgrades need not remember it; on other nodes it is megabytes for nothing."""
    root = tmp_path / "root"
    packages = root / "opt/jouled/lib/python3.11/site-packages"
    asked = install("--kubernetes", "--root", root, "--dry-run")
    plain = install("--root", root, "--dry-run")
    packages.mkdir(parents=True)
    others = install("--root", root, "--dry-run")
    (packages / "grpc").mkdir()
    upgraded = install("--root", root, "--dry-run")

    pins = [
        re.findall(r"requirements/(\w+)\.txt", done.stdout)
        for done in (asked, plain, others, upgraded)
    ]

    assert pins == [["kubernetes"], ["run"], ["run"], ["kubernetes"]]
    assert not list(installed.glob("opt/jouled/lib/*/site-packages/grpc"))


def test_a_kubelet_can_be_asked_by_what_was_installed_for_it(
    wheels: Path, tmp_path: Path
) -> None:
    """With the packages that were pinned, and none of those of the machine."""
    done = install("--kubernetes", "--root", tmp_path, "--wheels", wheels)
    assert done.returncode == 0, done.stderr
    script = (
        "from pathlib import Path\n"
        "from exporter.workloads.kubernetes.pod_resources import PodResources\n"
        "asked = PodResources(Path('kubelet.sock'), bool)\n"
        "print(asked.ask())\n"
    )

    with played_kubelet(tmp_path, allocatable={"nvidia.com/gpu": ["GPU-1"]}):
        told = subprocess.run(
            [tmp_path / "opt/jouled/bin/python", "-I", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONG_S,
            cwd=tmp_path,
        )

    assert told.stderr == ""
    assert told.stdout == "((), ('GPU-1',))\n"


def test_scripts_name_the_python_of_the_node_not_of_the_image(installed: Path) -> None:
    """The image is booted from another place than it was made in."""
    programs = [
        path.read_text()
        for path in (installed / "opt/jouled/bin").iterdir()
        if path.is_file() and not path.is_symlink()
    ]

    script = (installed / "opt/jouled/bin/jouled").read_text()
    assert script.startswith("#!/opt/jouled/bin/python")
    assert not [text for text in programs if str(installed) in text]


def test_the_service_starts_at_boot_with_settings_and_user(installed: Path) -> None:
    """An image has nobody who would do the rest by hand."""
    link = installed / "etc/systemd/system/multi-user.target.wants/jouled.service"

    found = files(installed)

    assert set(found) >= {UNIT, "etc/jouled/jouled.yml", "etc/sysusers.d/jouled.conf"}
    assert link.is_symlink()
    assert str(link.readlink()) == "/etc/systemd/system/jouled.service"
    command = installed / "usr/local/bin/jouled"
    assert str(command.readlink()) == "/opt/jouled/bin/jouled"


def test_the_settings_that_come_with_it_are_accepted(installed: Path) -> None:
    """Also with every example in them switched on."""
    config = installed / "etc/jouled/jouled.yml"
    examples = [
        line.removeprefix("#")
        for line in config.read_text().splitlines()
        if line.startswith("#") and not line.startswith("# ")
    ]
    tried = config.with_name("tried.yml")
    tried.write_text("\n".join(examples) + "\n")

    for file in (config, tried):
        done = subprocess.run(
            [sys.executable, "-m", "exporter", "check", "--config.file", file],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONG_S,
            cwd=REPOSITORY,
        )
        assert done.returncode != 2, done.stderr
    tried.unlink()


def test_an_upgrade_keeps_settings_and_state(installed: Path, wheels: Path) -> None:
    """It is the same command again."""
    config = installed / "etc/jouled/jouled.yml"
    config.write_text("pue: 1.5\n")
    archive = make_archive(installed)
    left = installed / "opt/jouled/left-over"
    left.write_text("of the old version")

    done = install("--root", installed, "--wheels", wheels)

    assert done.returncode == 0, done.stderr
    assert config.read_text() == "pue: 1.5\n"
    assert archive.read_text() == "jobs"
    assert not left.exists()
    assert names(installed / "opt") == ["jouled"]


def test_an_upgrade_that_fails_leaves_the_old_version(
    installed: Path, tmp_path: Path
) -> None:
    """A node without network must not lose its daemon to an attempt."""
    before = (installed / "opt/jouled/bin/jouled").stat().st_mtime_ns

    done = install("--root", installed, "--wheels", tmp_path)

    assert done.returncode != 0
    assert (installed / "opt/jouled/bin/jouled").stat().st_mtime_ns == before
    assert names(installed / "opt") == ["jouled"]


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """It needs no rights either."""
    done = install("--root", tmp_path, "--dry-run")

    assert done.returncode == 0
    assert "pip install" in done.stdout
    assert "/etc/systemd/system/jouled.service" in done.stdout
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--prefix", "/x"], "--prefix: no such option; see --help"),
        (["--root"], "--root wants a value"),
        (["--purge"], "--purge goes with --uninstall"),
    ],
)
def test_a_mistake_in_the_arguments_is_told(args: list[str], message: str) -> None:
    """Before anything is touched."""
    done = install(*args)

    assert done.returncode == 1
    assert done.stderr == f"install.sh: {message}\n"


def test_the_hub_comes_beside_the_node_and_waits_for_its_zones(
    installed: Path, wheels: Path
) -> None:
    """Which zone a site is in is never guessed."""
    done = install("--hub", "--root", installed, "--wheels", wheels)

    assert done.returncode == 0, done.stderr
    assert "name the grid zones of the site in" in done.stdout
    assert HUB_UNIT in files(installed)
    assert UNIT in files(installed)
    tokens = installed / "etc/jouled/hub"
    assert tokens.is_dir()
    assert tokens.stat().st_mode & 0o777 == 0o700
    link = installed / "etc/systemd/system/multi-user.target.wants/jouled-hub.service"
    assert not link.is_symlink()

    (installed / "etc/jouled/hub.yml").write_text("zones: {DE: }\n")
    (tokens / "entsoe").write_text("token")
    again = install("--hub", "--root", installed, "--wheels", wheels)

    assert again.returncode == 0, again.stderr
    assert link.is_symlink()
    assert (tokens / "entsoe").read_text() == "token"


def test_the_settings_of_the_hub_that_come_with_it_are_accepted(
    tmp_path: Path,
) -> None:
    """With every example in them switched on, but for secrets that are not there."""
    shipped = INSTALL.with_name("hub.yml").read_text()
    tried = tmp_path / "hub.yml"
    # What is told has one space behind the mark; examples have none, or two.
    text = re.sub(r"^#(?=\S|  )", "", shipped, flags=re.MULTILINE)
    (tmp_path / "token").write_text("x")
    text, secrets = re.subn(
        r"/run/credentials/jouled-hub\.service/hub_\S+", str(tmp_path / "token"), text
    )
    web = "  config_file: /etc/jouled/web.yml"
    assert web in text
    assert secrets > 1
    tried.write_text(text.replace(web, ""))

    done = jouled("hub", "--config.file", tried, "--check")
    tried.write_text(shipped)
    untouched = jouled("hub", "--config.file", tried, "--check")

    assert (done.returncode, done.stderr) == (0, "")
    assert "electricity-maps, rte-eco2mix" in done.stdout
    assert "1 budget; jouled budgets check" in done.stdout
    assert untouched.returncode == 2
    assert "needs 1 to 500 grid zones" in untouched.stderr


def test_each_of_the_two_can_be_removed_alone(installed: Path) -> None:
    """The program stays as long as one of them needs it."""
    kept = installed / "var/lib/private/jouled-hub/carbon-intensity.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")

    removed = install("--uninstall", "--hub", "--root", installed)

    assert removed.returncode == 0, removed.stderr
    assert HUB_UNIT not in files(installed)
    assert UNIT in files(installed)
    assert (installed / "opt/jouled/bin/jouled").exists()
    assert kept.exists()

    purged = install("--uninstall", "--purge", "--hub", "--root", installed)

    assert purged.returncode == 0, purged.stderr
    assert not [name for name in files(installed) if "hub" in name]
    assert not (installed / "etc/jouled/hub").exists()
    assert "etc/jouled/jouled.yml" in files(installed)


def test_removal_keeps_what_cannot_be_had_again(installed: Path) -> None:
    """Settings and past jobs stay, unless told otherwise."""
    (installed / "run/jouled").mkdir(parents=True)
    make_archive(installed)

    done = install("--uninstall", "--root", installed)

    assert done.returncode == 0, done.stderr
    assert set(files(installed)) == {
        "etc/jouled/jouled.yml",
        "etc/sysusers.d/jouled.conf",
        "var/lib/jouled/archive.db",
    }
    assert not (installed / "opt/jouled").exists()
    assert not (installed / "run/jouled").exists()


def test_a_purge_leaves_nothing(installed: Path) -> None:
    """Whoever tries it out gets back the machine he had; twice does no harm."""
    done = [install("--uninstall", "--purge", "--root", installed) for _ in range(2)]

    left = [path for path in installed.rglob("*") if not path.is_dir()]
    assert [one.returncode for one in done] == [0, 0], done
    assert left == []
    assert not list(installed.rglob("*jouled*"))
