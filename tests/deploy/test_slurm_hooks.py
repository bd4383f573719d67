import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.fakes.command_line import REPOSITORY
from tests.fakes.unprivileged import public_directory

HOOKS = REPOSITORY / "deploy" / "slurm"
LONG_S = 30.0
HOOK_NAMES = ("prolog", "epilog")
# What slurmd 22.05 gives to the Prolog of a job with a GPU.
ENVIRONMENT = {
    "SLURM_JOB_ID": "4242",
    "SLURM_JOB_UID": "1000",
    "SLURM_JOB_USER": "ada",
    "SLURM_JOB_PARTITION": "batch",
    "SLURM_JOB_GPUS": "0",
    "CUDA_VISIBLE_DEVICES": "0",
    "GPU_DEVICE_ORDINAL": "0",
    "ROCR_VISIBLE_DEVICES": "0",
    "ZE_AFFINITY_MASK": "0",
}
NOT_ROOT = "only root can mount a full file system, or play another user"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=NOT_ROOT)
# A node's own, in place of the machine's.
V1_CGROUPS = (
    "mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup && "
    "mkdir -p cpuacct/slurm_n1/uid_7/job_42 cpuacct/slurm_n1/system && "
    "cd cpuacct/slurm_n1 && echo 900 >cpuacct.usage && "
    "echo 100 >system/cpuacct.usage && echo 500 >uid_7/cpuacct.usage && "
    "echo 300 >uid_7/job_42/cpuacct.usage && cd /"
)

pytestmark = pytest.mark.skipif(
    shutil.which("dash") is None, reason="no dash: run scripts/system-packages.sh"
)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """Return the run directory of a daemon; with a short name, for its sockets."""
    with public_directory() as directory:
        yield directory


@contextlib.contextmanager
def daemon(run_dir: Path) -> Iterator[socket.socket]:
    """Listen as a daemon does that lives, and leave the socket as if killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(run_dir / "hooks.sock"))
        inbox.settimeout(LONG_S)
        yield inbox


def run(
    name: str,
    run_dir: Path,
    environment: Mapping[str, str] = ENVIRONMENT,
    *,
    before: str = "",
    after: str = "true",
) -> subprocess.CompletedProcess[bytes]:
    """Run a hook as slurmd does: by its own first line, with few variables.

    Args:
        name: ``prolog`` or ``epilog``.
        run_dir: run directory of the daemon.
        environment: all variables but the one that names ``run_dir``.
        before: shell commands that come first, in mounts of their own.
        after: shell commands that come after it, if there are any before.
    """
    script = HOOKS / f"{name}.d" / "50-jouled.sh"
    command = [str(script)]
    if before:
        shell = f"{before} && {{ '{script}'; code=$?; {after}; exit $code; }}"
        command = ["unshare", "--mount", "sh", "-c", shell]
    return subprocess.run(
        command,
        env={**environment, "JOULED_STATE__RUN_DIR": str(run_dir)},
        capture_output=True,
        check=False,
        timeout=LONG_S,
        cwd="/",
    )


def entries(path: Path) -> dict[bytes, bytes]:
    """Return the variables in a drop file."""
    data = path.read_bytes()
    assert data.endswith(b"\0")
    pairs = [entry.partition(b"=") for entry in data[:-1].split(b"\0")]
    return {name: value for name, _, value in pairs}


def drop(run_dir: Path) -> Path:
    """Return the drop file of the job."""
    return run_dir / "slurm" / "jobs" / "4242"


def test_the_prolog_leaves_the_variables_of_the_job_and_no_others(
    run_dir: Path,
) -> None:
    """The daemon learns whose job it is; a secret of slurmd's is not its business."""
    more = {"PATH": "/usr/bin", "SECRET": "x", "XSLURM_JOB_ID": "1", "SLURM": "1"}

    done = run("prolog", run_dir, ENVIRONMENT | more)

    assert done.returncode == 0
    assert done.stderr == b""
    expected = {name.encode(): value.encode() for name, value in ENVIRONMENT.items()}
    assert entries(drop(run_dir)) == expected
    assert list(drop(run_dir).parent.iterdir()) == [drop(run_dir)]


@pytest.mark.parametrize(
    "value",
    [
        'quote\'s "and" `backticks` $(reboot) $HOME \\ ; | & > <',
        "two\nlines\nSLURM_JOB_ID=1",
        "ünïcødé ☃ \u202e \ufeff",
        "",
        " = == ",
        "x" * 50_000,
        os.fsdecode(b"\xff\xfe not utf-8 \x01\x7f"),
    ],
    ids=["shell", "newlines", "unicode", "empty", "equals", "long", "bytes"],
)
def test_no_value_breaks_the_file(run_dir: Path, value: str) -> None:
    """Users choose names, comments and directories freely."""
    done = run("prolog", run_dir, ENVIRONMENT | {"SLURM_JOB_COMMENT": value})

    found = entries(drop(run_dir))
    assert done.returncode == 0
    assert found[b"SLURM_JOB_COMMENT"] == os.fsencode(value)
    assert found[b"SLURM_JOB_ID"] == b"4242"
    assert len(found) == len(ENVIRONMENT) + 1


@pytest.mark.parametrize("name", HOOK_NAMES)
@pytest.mark.parametrize(
    "job_id",
    [
        "",
        "12x",
        "../4242",
        "1 2",
        "1\n2",
        "-1",
        "\uff14\uff12",
        "12345678901",
        "*",
        "$(id)",
    ],
)
def test_what_is_no_job_id_is_never_used_as_a_file_name(
    run_dir: Path, name: str, job_id: str
) -> None:
    """Root must not be talked into writing or removing elsewhere."""
    kept = run_dir / "slurm" / "jobs" / "7"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"")

    done = run(name, run_dir, ENVIRONMENT | {"SLURM_JOB_ID": job_id})

    assert done.returncode == 0
    assert b"is no job id" in done.stderr
    assert [path.name for path in kept.parent.iterdir()] == ["7"]


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_a_hook_without_a_job_id_says_so_and_succeeds(run_dir: Path, name: str) -> None:
    """As when somebody runs it by hand."""
    done = run(name, run_dir, {})

    assert done.returncode == 0
    assert b"is no job id" in done.stderr


def test_the_epilog_tells_the_daemon_by_its_socket(run_dir: Path) -> None:
    """So that a summary need not wait for long."""
    with daemon(run_dir) as inbox:
        done = run("epilog", run_dir)

        assert inbox.recv(4096).endswith(b"slurm: job-end 4242")
    assert done.stderr == b""
    assert not (run_dir / "slurm").exists()


def test_the_epilog_removes_the_file(run_dir: Path) -> None:
    """A file that stayed would name the job of the next one with its id."""
    run("prolog", run_dir)

    with daemon(run_dir):
        done = run("epilog", run_dir)

    assert done.returncode == 0
    assert done.stderr == b""
    assert list(drop(run_dir).parent.iterdir()) == []


@pytest.mark.parametrize("left_socket", [True, False])
@needs_root
def test_the_epilog_writes_down_what_a_dead_daemon_cannot_read(
    run_dir: Path, *, left_socket: bool
) -> None:
    """Killed or stopped: what the job used is told by the cgroups above it."""
    run("prolog", run_dir)
    if left_socket:
        with daemon(run_dir):
            pass

    done = run("epilog", run_dir, before=V1_CGROUPS)

    assert done.returncode == 0
    assert done.stderr == b""
    (record,) = (run_dir / "slurm" / "ended").iterdir()
    assert record.name.startswith("4242.")
    assert record.read_text().splitlines() == [
        "slurm_n1/cpuacct.usage:900",
        "slurm_n1/system/cpuacct.usage:100",
        "slurm_n1/uid_7/cpuacct.usage:500",
        "slurm_n1/uid_7/job_42/cpuacct.usage:300",
        "slurm_n1/cpuacct.usage:900",
    ]
    # The daemon that comes next reads whose job it was.
    assert entries(drop(run_dir))[b"SLURM_JOB_USER"] == b"ada"


@needs_root
@pytest.mark.parametrize("tree", ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"])
def test_the_epilog_finds_cgroups_of_version_2(run_dir: Path, tree: str) -> None:
    """Alone, or beside version 1."""
    before = (
        "mount -t tmpfs none /sys/fs/cgroup && "
        f"mkdir -p {tree} && cd {tree} && mkdir -p system.slice/slurmstepd.scope && "
        "cd system.slice/slurmstepd.scope && mkdir job_42 system && "
        "printf 'usage_usec 900\\nuser_usec 1\\n' >cpu.stat && "
        "cp cpu.stat job_42 && cp cpu.stat system && cd /"
    )

    run("epilog", run_dir, before=before)

    (record,) = (run_dir / "slurm" / "ended").iterdir()
    scope = "system.slice/slurmstepd.scope"
    assert record.read_text().splitlines() == [
        f"{scope}/cpu.stat:usage_usec 900",
        f"{scope}/job_42/cpu.stat:usage_usec 900",
        f"{scope}/system/cpu.stat:usage_usec 900",
        f"{scope}/cpu.stat:usage_usec 900",
    ]


def test_a_daemon_that_never_comes_back_costs_no_more_than_so_many_files(
    run_dir: Path,
) -> None:
    """The run directory is memory."""
    ended = run_dir / "slurm" / "ended"
    ended.mkdir(parents=True)
    for number in range(1000):
        (ended / f"1.{number}").touch()
    run("prolog", run_dir)

    done = run("epilog", run_dir)

    assert done.returncode == 0
    assert len(list(ended.iterdir())) == 1000
    assert not drop(run_dir).exists()


def test_the_daemon_hangs(run_dir: Path) -> None:
    """Its inbox is full: the Epilog must not wait for ever."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        inbox.bind(str(run_dir / "hooks.sock"))
        sender.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.sendto(b"x", str(run_dir / "hooks.sock"))

        done = run("epilog", run_dir)

    assert done.returncode == 0


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_the_run_directory_is_missing(run_dir: Path, name: str) -> None:
    """As on a node where jouled was never started."""
    done = run(name, run_dir / "missing")

    assert done.returncode == 0
    assert b"is jouled running?" in done.stderr
    assert not (run_dir / "missing").exists()


@needs_root
@pytest.mark.parametrize(("name", "place"), [("prolog", "jobs"), ("epilog", "ended")])
def test_the_disk_is_full(run_dir: Path, name: str, place: str) -> None:
    """A job that needs no file of ours must still start, and end."""
    full = run_dir / "slurm" / place
    full.mkdir(parents=True)
    fill = f"mount -t tmpfs -o size=4k none '{full}' && echo full >'{full}/1'"

    done = run(name, run_dir, before=f"{V1_CGROUPS} && {fill}", after=f"ls -A '{full}'")

    assert done.returncode == 0
    assert b"cannot write" in done.stderr
    assert done.stdout == b"1\n"


@needs_root
@pytest.mark.parametrize("name", HOOK_NAMES)
@pytest.mark.parametrize("has_directory", [False, True])
def test_the_run_directory_is_read_only(
    run_dir: Path, name: str, *, has_directory: bool
) -> None:
    """A broken disk is remounted like that by the kernel."""
    if has_directory:
        drop(run_dir).parent.mkdir(parents=True)
        drop(run_dir).write_bytes(b"")
    read_only = f"mount --bind '{run_dir}' '{run_dir}' && mount -o remount,bind,ro"

    done = run(name, run_dir, before=f"{read_only} '{run_dir}'")

    assert done.returncode == 0
    assert b"cannot" in done.stderr


@needs_root
def test_the_file_can_be_read_by_the_daemon_and_not_by_others(run_dir: Path) -> None:
    """The daemon is not root, and work directories are nobody else's business."""
    os.chown(run_dir, 65534, 65534)

    run("prolog", run_dir)

    def readable(uid: int) -> bool:
        done = subprocess.run(
            ["cat", str(drop(run_dir))],
            capture_output=True,
            check=False,
            user=uid,
            group=uid,
            extra_groups=[],
        )
        return done.returncode == 0

    assert readable(65534)
    assert not readable(1)


@needs_root
@pytest.mark.parametrize("name", HOOK_NAMES)
@pytest.mark.parametrize("link", ["slurm", "slurm/jobs", "slurm/ended"])
def test_a_link_in_place_of_a_directory_is_not_followed(
    run_dir: Path, tmp_path: Path, name: str, link: str
) -> None:
    """Whoever takes over the daemon must not make root write where he likes."""
    (tmp_path / "jobs").mkdir()
    precious = [tmp_path / "4242", tmp_path / "jobs" / "4242"]
    for file in precious:
        file.write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    (run_dir / link).parent.mkdir(exist_ok=True)
    (run_dir / link).symlink_to(tmp_path)

    done = run(name, run_dir)

    assert done.returncode == 0
    assert [file.read_text() for file in precious] == ["precious", "precious"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_place_of_the_new_file_is_not_followed(
    run_dir: Path, tmp_path: Path
) -> None:
    """The drop file replaces whatever has its name."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    drop(run_dir).parent.mkdir(parents=True)
    drop(run_dir).symlink_to(precious)

    run("prolog", run_dir)

    assert precious.read_text() == "precious"
    assert not drop(run_dir).is_symlink()
    assert entries(drop(run_dir))[b"SLURM_JOB_ID"] == b"4242"


def test_a_link_to_a_directory_in_place_of_the_new_file_is_not_followed(
    run_dir: Path, tmp_path: Path
) -> None:
    """A user's words must not get into, say, /etc/cron.d."""
    drop(run_dir).parent.mkdir(parents=True)
    drop(run_dir).symlink_to(tmp_path)

    done = run("prolog", run_dir)

    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


@needs_root
@pytest.mark.parametrize(
    "line",
    ["JOULED_STATE__RUN_DIR={}", 'JOULED_STATE__RUN_DIR="{}"', "$(exit 3)\nif then\n"],
)
def test_the_run_directory_is_read_from_the_settings_of_the_service(
    run_dir: Path, tmp_path: Path, line: str
) -> None:
    """One file tells daemon and hooks; what is wrong in it stops no job."""
    settings = tmp_path / "jouled"
    settings.write_text("# a comment\n" + line.format(run_dir))
    # Without a setting it is that of the daemon of this machine, which is let alone.
    mount = (
        f"mount --bind '{tmp_path}' /etc/default && mount -t tmpfs none /run && "
        "unset JOULED_STATE__RUN_DIR"
    )

    done = run("prolog", run_dir, before=mount)

    assert done.returncode == 0
    assert drop(run_dir).exists() == ("RUN_DIR" in line)
