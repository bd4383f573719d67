"""A pod of the chart as a real container, made by runc without any cluster.

What the kubelet and its runtime make of a pod is repeated here for the fields that the
chart uses. The root of the container is this machine's, with a layer over it that is
gone afterwards, because there is no image; the network is this machine's too.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.chart import Manifest, variables
from tests.fakes.command_line import REPOSITORY

_LONGEST_S = 60.0
_TMPFS = {"type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]}
# As Kubernetes asks for, beside others: the energy counters are hidden.
_MASKED = [
    "/proc/kcore",
    "/proc/keys",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
]
# Debian has it where only root looks for programs.
_PATH = f"{os.environ['PATH']}:/usr/sbin"
_OVERLAY = """\
set -e
mount -t tmpfs layer "$1/layer"
mkdir "$1/layer/upper" "$1/layer/work"
mount -t overlay -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" \
    overlay "$1/rootfs"
exec runc --root "$1/state" run --bundle "$1" "$2"
"""


class Bundle:
    """A directory that runc can start a container from.

    Args:
        directory: where it is made; not below the layer of another one.
        pod: specification of the pod.
        places: what stands in for directories of the node and for volumes, by
            path of the node or name of the volume.
        env: variables that replace those of the pod.
        program: what is started, in place of the image's entry point.
    """

    def __init__(
        self,
        directory: Path,
        pod: Manifest,
        places: Mapping[str, Path],
        env: Mapping[str, str],
        program: Sequence[str] = (sys.executable, "-m", "exporter"),
    ) -> None:
        self._directory = directory
        self._name = f"jouled-{uuid.uuid4().hex}"
        [container] = pod["containers"]
        for name in ("layer", "rootfs", "state"):
            (directory / name).mkdir(parents=True)
        context = container["securityContext"]
        added = [f"CAP_{name}" for name in context["capabilities"].get("add", ())]
        sets = ("bounding", "effective", "permitted")
        texts = {
            name: text
            for name, text in variables(container).items()
            if isinstance(text, str)
        }
        process = {
            "terminal": False,
            "user": {
                "uid": pod["securityContext"]["runAsUser"],
                "gid": pod["securityContext"]["runAsGroup"],
            },
            "args": [*program, *container["args"]],
            "cwd": str(REPOSITORY),
            "env": [
                f"{name}={text}"
                for name, text in {"PATH": os.environ["PATH"], **texts, **env}.items()
            ],
            "capabilities": dict.fromkeys(sets, added),
            "noNewPrivileges": not context["allowPrivilegeEscalation"],
        }
        config = {
            "ociVersion": "1.0.2",
            "process": process,
            "root": {"path": "rootfs", "readonly": context["readOnlyRootFilesystem"]},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", **_TMPFS, "options": ["nosuid"]},
                _bind(Path("/sys"), "/sys", read_only=True),
                *_mounts(pod, container, places),
                *_what_the_program_needs(),
            ],
            "linux": {
                "namespaces": [
                    {"type": name} for name in ("pid", "ipc", "uts", "mount")
                ],
                "maskedPaths": _MASKED,
            },
        }
        (directory / "config.json").write_text(json.dumps(config))

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Start the container, and end it whatever happens."""
        log = self._directory / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *("unshare", "--mount", "sh", "-c", _OVERLAY, "sh"),
                    *(str(self._directory), self._name),
                ],
                env={"PATH": _PATH},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_LONGEST_S)
            finally:
                state = self._directory / "state"
                subprocess.run(
                    ["runc", "--root", state, "delete", "--force", self._name],
                    capture_output=True,
                    check=False,
                    timeout=_LONGEST_S,
                    env={"PATH": _PATH},
                )
                process.kill()
                process.wait()

    def said(self) -> str:
        """Return what runc and the program have said."""
        return (self._directory / "log").read_text()

    def run(self) -> int:
        """Run a program that ends by itself; return its exit code."""
        with self.running() as process:
            return process.wait(_LONGEST_S)


def _bind(source: Path, destination: str, *, read_only: bool) -> Manifest:
    how = "ro" if read_only else "rw"
    return {
        "destination": destination,
        "type": "bind",
        "source": str(source),
        "options": ["rbind", "rprivate", how],
    }


def _mounts(
    pod: Manifest, container: Manifest, places: Mapping[str, Path]
) -> Iterator[Manifest]:
    volumes = {each["name"]: each for each in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "emptyDir" in volume:
            yield {"destination": mount["mountPath"], **_TMPFS}
        else:
            node = volume.get("hostPath", {}).get("path", mount["name"])
            read_only = mount.get("readOnly", False)
            yield _bind(places[node], mount["mountPath"], read_only=read_only)


def _what_the_program_needs() -> Iterator[Manifest]:
    # The pod's own /tmp hides what lies there on this machine.
    needed = {REPOSITORY, Path(sys.prefix), *map(Path, sys.path)}
    for path in sorted(needed):
        if path.is_dir() and path.is_relative_to("/tmp"):  # noqa: S108 - as mounted
            yield _bind(path, str(path), read_only=True)


def why_no_container(directory: Path, pod: Manifest, places: Mapping[str, Path]) -> str:
    """Tell why this machine can make no such container; "" if it can."""
    if os.geteuid() != 0:
        return "only root can make a container"
    if shutil.which("runc", path=_PATH) is None:
        return "no runc: run scripts/system-packages.sh"
    bundle = Bundle(directory, pod, places, {}, ("/bin/true",))
    return "" if bundle.run() == 0 else f"runc: {bundle.said()[-300:]}"
