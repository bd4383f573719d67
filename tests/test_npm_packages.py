import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command_line import LONGEST_S, REPOSITORY
from tests.fakes.npm import npm_package

PINS = REPOSITORY / "tests" / "npm"
SCRIPT = REPOSITORY / "scripts" / "npm-packages.sh"

# The first of them to run installs, on a machine that has none yet.
pytestmark = pytest.mark.timeout(620)


def read(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def copy(root: Path) -> Path:
    """Copy the script and what it installs, and return the copy of the script."""
    shutil.copytree(PINS, root / "tests" / "npm")
    (root / "scripts").mkdir()
    return Path(shutil.copy(SCRIPT, root / "scripts"))


def run(script: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run the script with its own search path for programs."""
    return subprocess.run(
        [script],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
        env={**os.environ, "PATH": path},
    )


def programs(folder: Path, *names: str) -> str:
    """Make a search path on which only these programs are found."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def test_every_package_is_known_by_its_hash_and_by_no_address() -> None:
    """A lock that names a server works only where that server can be reached."""
    lock = read(PINS / "package-lock.json")
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    text = (PINS / "package-lock.json").read_text(encoding="utf-8")
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert not re.search(r"https?:|registry", text)


def test_every_version_is_exact() -> None:
    """What the tests mean by a valid dashboard must not change by itself."""
    wanted = read(PINS / "package.json")["devDependencies"]

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


@pytest.mark.parametrize("name", read(PINS / "package.json")["devDependencies"])
def test_the_pinned_package_is_installed(name: str) -> None:
    """Checks that use it must not run with another one, or without it."""
    wanted = read(PINS / "package.json")["devDependencies"][name]

    found = read(npm_package(name) / "package.json")["version"]

    assert found == wanted


def test_what_is_there_is_not_installed_again(tmp_path: Path) -> None:
    """Each run of the tests asks for it, also where no server can be reached."""
    script = copy(tmp_path)
    place = tmp_path / "build" / "npm"
    place.mkdir(parents=True)
    npm_package("typescript")
    shutil.copy(REPOSITORY / "build" / "npm" / ".installed", place)
    without_npm = programs(
        tmp_path / "bin", "bash", "env", "dirname", "mkdir", "flock", "cat", "sha256sum"
    )

    done = run(script, without_npm)

    assert (done.returncode, done.stdout) == (0, "")


def test_without_npm_one_line_says_how_to_get_it(tmp_path: Path) -> None:
    """Whoever runs the tests for the first time learns what is missing."""
    script = copy(tmp_path)
    without_npm = programs(
        tmp_path / "bin", "bash", "env", "dirname", "mkdir", "flock", "cat", "sha256sum"
    )

    done = run(script, without_npm)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "npm is missing; install it with: scripts/system-packages.sh nodejs npm"
    ]


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    """The hash is all that says what a package is."""
    script = copy(tmp_path)
    lock = tmp_path / "tests" / "npm" / "package-lock.json"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(r"sha512-\w{8}", "sha512-AAAAAAAA", text), encoding="utf-8")

    done = run(script, os.environ["PATH"])

    assert done.returncode == 1
    assert "EINTEGRITY" in done.stderr
    assert not (tmp_path / "build" / "npm" / ".installed").exists()
