from pathlib import Path

from exporter.config.settings import State
from exporter.config.state_dirs import usable_state

NOWHERE = State(Path("/nonexistent/run"), Path("/nonexistent/lib"))


def test_root_keeps_the_system_directories() -> None:
    """Root makes them when they are missing."""
    environ = {"HOME": "/root", "XDG_RUNTIME_DIR": "/run/user/0"}

    assert usable_state(NOWHERE, (), environ, is_root=True) == NOWHERE


def test_a_user_gets_the_xdg_directories() -> None:
    """A first look at the daemon needs no root and leaves no trace elsewhere."""
    environ = {
        "HOME": "/home/a",
        "XDG_RUNTIME_DIR": "/run/user/7",
        "XDG_STATE_HOME": "/home/a/state",
    }

    state = usable_state(NOWHERE, (), environ, is_root=False)

    assert state == State(Path("/run/user/7/jouled"), Path("/home/a/state/jouled"))


def test_a_user_without_xdg_variables_gets_directories_below_home() -> None:
    """Over ssh or in cron there is no XDG_RUNTIME_DIR, and /tmp is everybody's."""
    in_home = usable_state(NOWHERE, (), {"HOME": "/home/a"}, is_root=False)
    in_cache = usable_state(
        NOWHERE, (), {"HOME": "/home/a", "XDG_CACHE_HOME": "/fast"}, is_root=False
    )

    assert in_home == State(
        Path("/home/a/.cache/jouled/run"), Path("/home/a/.local/state/jouled")
    )
    assert in_cache.run_dir == Path("/fast/jouled/run")


def test_a_relative_xdg_path_is_ignored() -> None:
    """The XDG specification calls it invalid."""
    environ = {"HOME": "/home/a", "XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "."}

    state = usable_state(NOWHERE, (), environ, is_root=False)

    assert state.run_dir == Path("/home/a/.cache/jouled/run")
    assert state.dir == Path("/home/a/.local/state/jouled")


def test_without_home_in_the_environment_the_user_database_knows() -> None:
    """A unit file or a cron job may start with an empty environment."""
    state = usable_state(NOWHERE, (), {}, is_root=False)

    assert state.dir.match("*/.local/state/jouled")


def test_system_directories_that_exist_and_are_writable_are_used(
    tmp_path: Path,
) -> None:
    """A unit with User= and RuntimeDirectory= makes them for the daemon."""
    prepared = State(tmp_path, tmp_path)

    assert usable_state(prepared, (), {"HOME": "/home/a"}, is_root=False) == prepared


def test_a_configured_directory_is_never_replaced() -> None:
    """Where the operator said, or an error that says so; nothing in between."""
    given = ("state.run_dir", "state.dir")

    state = usable_state(NOWHERE, given, {"HOME": "/home/a"}, is_root=False)

    assert state == NOWHERE
