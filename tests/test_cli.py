import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from exporter.config import SETTINGS
from tests.fakes.command_line import LONGEST_S, REPOSITORY, command, environment, jouled

ONE_ERROR_LINE = re.compile(r"jouled: error: [^\n]+\n")


def test_help_tells_what_there_is_and_shows_examples() -> None:
    """It is the first thing that is read."""
    done = jouled("--help")

    assert done.returncode == 0
    for word in ("run", "check", "sample", "metrics", "gpu", "examples:"):
        assert word in done.stdout
    assert done.stderr == ""


def test_help_of_a_sub_command_tells_every_setting() -> None:
    """The manual in the terminal is as complete as the one in docs."""
    done = jouled("run", "--help")

    assert done.returncode == 0
    assert all(setting.flag in done.stdout for setting in SETTINGS)


def test_help_loads_neither_sensors_nor_web_server() -> None:
    """Completion and help have to answer before one notices."""
    program = (
        "import sys; from exporter.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'fastapi', 'uvicorn', 'pynvml', 'psutil', 'yaml', 'asyncio'}\n"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))\n"
    )

    done = subprocess.run(
        [*command()[:1], "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=LONGEST_S,
        cwd=REPOSITORY,
    )

    assert done.stderr == ""


def test_version_is_one_line() -> None:
    """A bug report begins with it."""
    done = jouled("--version")

    assert done.returncode == 0
    assert re.fullmatch(r"jouled \S+\n", done.stdout)


def test_without_a_sub_command_there_is_help_and_exit_code_2() -> None:
    """A unit file that forgot ``run`` fails, and its log says what to do."""
    done = jouled()

    assert done.returncode == 2
    assert done.stdout == ""
    assert "sub-commands:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--carbon.zome", "DE"], "--carbon.zome; did you mean --carbon.zone"),
        (["run", "--carbon.zon=DE"], "--carbon.zon; did you mean --carbon.zone"),
        (["--pue", "1"], "--pue belongs behind a sub-command: jouled run"),
        (["rnu"], "invalid choice: 'rnu'"),
        (["run", "--pue"], "argument --pue: expected one argument"),
        (["run", "surplus"], "no such argument: surplus"),
        (["run", "--sampling.interval", "1"], "--sampling.interval: expected a dur"),
        (["check", "--pue", "0.5"], "--pue: expected a number from 1 to 10"),
        (["sample", "--seconds", "0"], "--seconds: expected a number"),
        (["sample", "--config.file", "/nonexistent"], "/nonexistent: cannot be read"),
        (["check", "--carbon.zone", "XX"], "carbon.zone: "),
        (["run", "--config.file", "a\nb"], "a b: cannot be read"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], message: str
) -> None:
    """The line names what is wrong; usage texts would bury it."""
    done = jouled(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert ONE_ERROR_LINE.fullmatch(done.stderr)


def test_an_unknown_key_in_the_file_is_one_line_with_its_line(tmp_path: Path) -> None:
    """File and line are what an editor needs."""
    file = tmp_path / "jouled.yml"
    file.write_text("pue: 1.2\ncarbon:\n  zome: DE\n")

    done = jouled("run", "--config.file", file)

    assert done.returncode == 2
    assert done.stderr == (
        f"jouled: error: {file}:3: carbon.zome: no such setting; "
        "did you mean carbon.zone?\n"
    )


def test_an_unknown_variable_is_one_line() -> None:
    """A typing error in a unit's Environment= is found at start."""
    done = jouled("check", env={"JOULED_CARBON__ZOME": "DE"})

    assert done.returncode == 2
    assert done.stderr == (
        "jouled: error: JOULED_CARBON__ZOME: no such setting; "
        "did you mean JOULED_CARBON__ZONE?\n"
    )


def test_a_reader_that_went_away_is_no_error() -> None:
    """``jouled sample | head -1`` shows one line and no traceback."""
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "wb") as pipe:
        done = jouled("--version", stdout=pipe)

    assert done.stderr == ""
    assert done.returncode == 141


def test_output_that_cannot_be_written_is_one_line() -> None:
    """A report in a file that a full disk cut short must not look like a whole one."""
    with Path("/dev/full").open("wb") as full:
        done = jouled("metrics", stdout=full)

    assert done.stderr == "jouled: error: cannot write: No space left on device\n"
    assert done.returncode == 1


def test_an_interrupt_is_exit_code_130() -> None:
    """Scripts tell it from a failure, and nobody wants a traceback for Ctrl-C."""
    # Whoever runs the tests in the background has them ignore interrupts.
    unmask = ["/usr/bin/env", "--default-signal=INT"]
    sample = command("sample", "--seconds=3600", "--no-power.nvml", "--log.level=debug")
    with subprocess.Popen(
        [*unmask, *sample],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        env=environment(),
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=LONGEST_S)

    assert b"source" in first
    assert process.returncode == 130
    assert output == b""
    assert b"Traceback" not in errors
