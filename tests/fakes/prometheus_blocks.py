"""Puts samples of any time into the data directory of a real Prometheus."""

import subprocess
from pathlib import Path

from exporter.hub.prometheus.series import labels_of
from tests.fakes.series_store import SeriesStore

_TAKES_AT_MOST_S = 120


def write_blocks(store: SeriesStore, folder: Path) -> None:
    """Write all samples of a store as blocks.

    Args:
        store: holds them.
        folder: the data directory; Prometheus does not run yet.
    """
    text = folder.with_suffix(".openmetrics")
    with text.open("w", encoding="utf-8") as file:
        for metric, series in store.series.items():
            for key, samples in series.items():
                labels = ",".join(f'{n}="{v}"' for n, v in labels_of(key).items())
                file.writelines(
                    f"{metric}{{{labels}}} {value!r} {time_s!r}\n"
                    for time_s, value in samples
                )
        file.write("# EOF\n")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, folder],
        check=True,
        capture_output=True,
        timeout=_TAKES_AT_MOST_S,
    )
