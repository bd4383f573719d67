"""A run directory with checkpoints, in a few words."""

from contextlib import closing
from pathlib import Path

from exporter.pipeline.checkpoint import Checkpoint
from exporter.pipeline.slot import Saved, Slot
from exporter.pipeline.state import EngineState

BOOT = "4b0c7f5e-boot"
NAMES = ("checkpoint.0", "checkpoint.1")


def save(run_dir: Path, *states: EngineState, boot_id: str = BOOT) -> None:
    """Save one state after the other, in one life of a daemon."""
    with closing(Checkpoint(run_dir, boot_id)) as checkpoint:
        checkpoint.load()
        for state in states:
            checkpoint.save(state)
            assert checkpoint.error == ""


def numbered(number: int, length: int = 0) -> EngineState:
    """Return a state that can be told from others.

    Args:
        number: what tells it.
        length: how many bytes longer it is than the shortest.
    """
    state = EngineState(missed_ticks=number)
    state.source_errors["x" * length] = {"faulty": 1}
    return state


def number_of(run_dir: Path) -> int | None:
    """Return the number of the state that would be gone on from."""
    state = Checkpoint(run_dir, BOOT).load()
    return None if state is None else state.missed_ticks


def contents(run_dir: Path) -> dict[str, bytes]:
    """Return the files of a directory."""
    return {path.name: path.read_bytes() for path in run_dir.iterdir()}


def spoil(path: Path, content: bytes, serial: int = 1) -> None:
    """Write a whole file whose content may be anything."""
    with closing(Slot(path)) as slot:
        slot.write(Saved(serial, content))
