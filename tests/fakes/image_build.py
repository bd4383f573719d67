"""Plays a Dockerfile without a container engine, below a directory of its own.

Every absolute path of the image becomes one below that directory, in the text of RUN
too, and ``python`` is that of the tests. What only an engine can do (layers, users,
platforms) is left out.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_LONGEST_S = 280.0
# Instructions that say something about the image and do nothing while it is built.
_REMARKS = {"LABEL", "EXPOSE", "USER", "ENTRYPOINT", "CMD", "ARG", "ENV"}


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Yield each instruction and what follows it, on one line."""
    lines = [
        line
        for line in dockerfile.read_text().splitlines()
        if not line.lstrip().startswith("#")
    ]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word, re.sub(r"\s+", " ", rest.strip())


class ImageBuild:
    """A build of all stages.

    Args:
        dockerfile: what to do.
        context: directory that COPY takes from; what .dockerignore leaves out is not
            in it, unless it is told to be by ``!``.
        root: gets a directory for each stage.
        wheels: directory that pip takes packages from, and from nowhere else.

    Raises:
        RuntimeError: a step failed; the message is what it said.
        ValueError: an instruction that is not known here.
    """

    def __init__(
        self, dockerfile: Path, context: Path, root: Path, wheels: Path
    ) -> None:
        self._context = context
        self._pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
        self._root = root
        self._stages: list[str] = []
        self._workdir = "/"
        self.user = "0"
        self.entrypoint: list[str] = []
        root.mkdir(parents=True, exist_ok=True)
        self._python()
        for word, rest in instructions(dockerfile):
            if word == "FROM":
                name = rest.partition(" AS ")[2] or str(len(self._stages))
                self._stages.append(name)
                self._workdir = "/"
                self._path("/").mkdir()
            elif word == "WORKDIR":
                self._workdir = rest
                self._path(rest).mkdir(parents=True)
            elif word == "COPY":
                self._copy(rest)
            elif word == "RUN":
                self._run(rest)
            elif word == "USER":
                self.user = rest
            elif word == "ENTRYPOINT":
                self.entrypoint = shlex.split(rest.strip("[]").replace(",", " "))
            elif word not in _REMARKS:
                raise ValueError(word)

    def stage(self, name: str) -> Path:
        """Return the root of a stage."""
        return self._root / name

    @property
    def image(self) -> Path:
        """The root of the last stage."""
        return self.stage(self._stages[-1])

    def _path(self, path: str, stage: str | None = None) -> Path:
        root = self.stage(stage or self._stages[-1])
        return root / str(Path(self._workdir) / path).lstrip("/")

    def _python(self) -> None:
        # Not a link: it would forget which environment it belongs to.
        program = self._root / "bin" / "python"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        program.chmod(0o755)

    def _copy(self, rest: str) -> None:
        words = shlex.split(rest)
        if words[0].startswith("--from="):
            stage = words.pop(0).removeprefix("--from=")
            sources, ignore = [self._path(words[0], stage)], None
        else:
            sources = [self._context / word for word in words[:-1]]
            ignore = shutil.ignore_patterns("__pycache__")
            self._assert_in_context(words[:-1])
        target = self._path(words[-1])
        into = words[-1].endswith("/") or len(sources) > 1
        for source in sources:
            end = target / source.name if into else target
            end.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, end, symlinks=True, ignore=ignore)
            else:
                shutil.copy2(source, end)

    def _assert_in_context(self, names: list[str]) -> None:
        lines = (self._context / ".dockerignore").read_text().splitlines()
        kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
        for name in names:
            if "*" not in lines or name not in kept:
                msg = f".dockerignore leaves out {name}"
                raise RuntimeError(msg)

    def _run(self, script: str) -> None:
        here = self.stage(self._stages[-1])
        own = {k: v for k, v in os.environ.items() if not k.startswith("JOULED_")}
        done = subprocess.run(
            ["/bin/sh", "-ec", script.replace("/opt/", f"{here}/opt/")],
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
            cwd=self._path(self._workdir),
            env=own
            | self._pip
            | {"PATH": f"{self._root / 'bin'}:{os.environ['PATH']}"},
        )
        if done.returncode != 0:
            msg = f"RUN {script}\n{done.stdout}{done.stderr}"
            raise RuntimeError(msg)
