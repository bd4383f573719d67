import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from exporter.commands import gpu
from exporter.core.errors import ConfigError, SourceError
from exporter.power.nvml import NvmlDriver
from exporter.power.nvml.release import ReleaseFiles
from tests.fakes import nvml
from tests.fakes.clock import Clock


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return the run directory of a daemon."""
    directory = tmp_path / "run"
    directory.mkdir()
    return directory


@contextmanager
def _daemon(
    run_dir: Path, unix_time: Callable[[], float] = time.time
) -> Iterator[NvmlDriver]:
    """Read a driver over and over, as the daemon does."""
    stop = threading.Event()
    with (
        nvml.in_process(run_dir.with_name("hardware"), gpus=2),
        closing(NvmlDriver(run_dir / "nvml-release", unix_time=unix_time)) as driver,
    ):
        driver.read()

        def tick() -> None:
            while not stop.wait(0.01):
                with suppress(SourceError):
                    driver.read()

        thread = threading.Thread(target=tick)
        thread.start()
        try:
            yield driver
        finally:
            stop.set()
            thread.join()


def _gpu(run_dir: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    gpu.add_parser(parser.add_subparsers())
    flags = ["--state.run-dir", str(run_dir)]
    args = parser.parse_args(["gpu", *arguments, *flags])
    code: int = args.run(args)
    return code


def test_release_waits_until_the_driver_is_free(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next command of the script changes the MIG mode."""
    with _daemon(run_dir) as driver:
        code = _gpu(run_dir, "release", "--timeout", "60s")

        assert driver.members() == ()
    assert code == 0
    assert capsys.readouterr().out == (
        "released until 'jouled gpu resume': jouled holds nothing of the NVIDIA "
        "driver\n"
    )


def test_resume_waits_until_the_driver_is_taken_up(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The GPUs are measured again when it returns, or soon after."""
    with _daemon(run_dir) as driver:
        _gpu(run_dir, "release", "--timeout", "60s")
        capsys.readouterr()

        code = _gpu(run_dir, "resume", "--timeout", "60s")

        end_s = time.monotonic() + 60
        while not driver.members():
            assert time.monotonic() < end_s
            time.sleep(0.005)
    assert code == 0
    assert capsys.readouterr().out.startswith("resumed:")


def test_a_release_for_a_time_ends_by_itself(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to remember."""
    daemons_clock = Clock(time.time())
    with _daemon(run_dir, daemons_clock) as driver:
        code = _gpu(run_dir, "release", "--for", "1h", "--timeout", "60s")
        is_released = driver.members() == ()
        daemons_clock.pass_s(7200)
        end_s = time.monotonic() + 60
        while not driver.members():
            assert time.monotonic() < end_s
            time.sleep(0.005)

    assert code == 0
    assert is_released
    released = capsys.readouterr().out
    assert released.startswith("released until 2")
    assert released.endswith("UTC: jouled holds nothing of the NVIDIA driver\n")


def test_a_time_that_is_over_unanswered_is_not_waited_for(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody obeys the request any more; a script must not go on."""
    code = _gpu(run_dir, "release", "--for", "1ms", "--timeout", "1h")

    assert code == 1
    assert "the time asked for (1ms) is over" in capsys.readouterr().err
    assert _gpu(run_dir, "status") == 0
    assert capsys.readouterr().out == "in use: no release is asked for\n"


def test_without_a_daemon_release_fails_and_the_request_stays(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon that starts later obeys it; a script must not go on."""
    code = _gpu(run_dir, "release", "--timeout", "50ms")

    assert code == 1
    error = capsys.readouterr().err
    assert "no answer in 0.05 s" in error
    assert "The request stays" in error
    assert ReleaseFiles(run_dir / "nvml-release").requested() is not None


def test_an_answer_to_an_earlier_request_is_not_taken_for_one(run_dir: Path) -> None:
    """A daemon that was killed while released left it behind."""
    files = ReleaseFiles(run_dir / "nvml-release")
    files.acknowledge(files.ask(None, "earlier"))

    assert _gpu(run_dir, "release", "--timeout", "50ms") == 1


def test_a_run_directory_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most likely it is another than the daemon's."""
    code = _gpu(tmp_path / "nowhere", "release")

    assert code == 1
    assert f"cannot write {tmp_path}/nowhere/nvml-release" in capsys.readouterr().err


def test_a_request_that_was_never_obeyed_is_withdrawn(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing has to be waited for."""
    _gpu(run_dir, "release", "--timeout", "50ms")
    capsys.readouterr()

    code = _gpu(run_dir, "resume")

    assert code == 0
    assert capsys.readouterr().out == "withdrawn: the request had not been obeyed\n"
    assert list(run_dir.iterdir()) == []


def test_resume_without_a_release_does_nothing(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clean-up script may run it in any case."""
    code = _gpu(run_dir, "resume")

    assert code == 0
    assert capsys.readouterr().out == "nothing to resume: no release was asked for\n"


def test_resume_fails_if_nobody_takes_the_driver_up(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon died while released: its GPUs are not measured."""
    files = ReleaseFiles(run_dir / "nvml-release")
    files.acknowledge(files.ask(None, "one"))

    code = _gpu(run_dir, "resume", "--timeout", "50ms")

    assert code == 1
    assert "no answer in 0.05 s" in capsys.readouterr().err


def test_resume_names_a_request_that_it_cannot_remove(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The release goes on, and the operator has to know."""
    (run_dir / "nvml-release").mkdir()

    code = _gpu(run_dir, "resume")

    assert code == 1
    assert f"cannot remove {run_dir}/nvml-release" in capsys.readouterr().err


def test_status_tells_what_is_asked_and_what_is_done(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the four states has its own line, and 1 means: not yet."""
    files = ReleaseFiles(run_dir / "nvml-release")
    codes = [_gpu(run_dir, "status")]
    request = files.ask(None, "one")
    codes.append(_gpu(run_dir, "status"))
    files.acknowledge(request)
    codes.append(_gpu(run_dir, "status"))
    files.withdraw()
    codes.append(_gpu(run_dir, "status"))

    assert codes == [0, 1, 0, 1]
    assert capsys.readouterr().out.splitlines() == [
        "in use: no release is asked for",
        "release asked for until 'jouled gpu resume': the daemon has yet to let go",
        "released until 'jouled gpu resume'",
        "released, but not asked for any more: the daemon has yet to resume",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["release", "--for", "soon"], "--for: .*not a duration"),
        (["release", "--for", "0s"], "--for: 0s is no time at all"),
        (["resume", "--timeout", "x1s"], "--timeout: .*not a duration"),
    ],
)
def test_a_duration_that_is_none_is_refused(
    run_dir: Path, arguments: list[str], said: str
) -> None:
    """A request without the end that was meant would be worse than none."""
    with pytest.raises(ConfigError, match=said):
        _gpu(run_dir, *arguments)

    assert list(run_dir.iterdir()) == []
