"""Lives through a full disk with an archive, on a small disk of its own.

python -m tests.fakes.archive_on_full_disk DIRECTORY

Prints what it saw, a line each.
"""

import contextlib
import logging
import sys
from pathlib import Path

from exporter.pipeline.archive import Archive, Patience
from tests.fakes.records import record, rows
from tests.fakes.waiting import wait_until

_LONG_S = 60.0
_BLOCK = b"x" * 4096


def main() -> None:
    """Fill the disk, and make room again."""
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    directory = Path(sys.argv[1])
    patience = Patience(retry_s=0.02, longest_retry_s=0.02)
    archive = Archive(directory / "archive.db", retention_s=1e12, patience=patience)
    archive.put([record("before")])
    wait_until(lambda: "before" in rows(directory / "archive.db"), "a row", _LONG_S)

    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(_BLOCK):
            pass
    archive.put(record(f"full-{number}") for number in range(500))
    wait_until(lambda: not archive.status.up, "no more rows", _LONG_S)
    archive.put([record("late")])

    filler.unlink()
    wait_until(lambda: archive.status.up, "the disk to have room again", _LONG_S)
    archive.close(_LONG_S)
    found = rows(directory / "archive.db")
    sys.stdout.write(f"rows: {len(found)}, late: {'late' in found}\n")


if __name__ == "__main__":
    main()
