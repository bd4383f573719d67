"""What ``jouled jobs`` prints: a table, JSON or CSV."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

from exporter.commands.jobs_table import sums_line, table
from exporter.commands.text import harmless
from exporter.core.archive import JobPage, JobSums

_CSV_COLUMNS = (
    *("scheduler", "job_id", "user", "account", "partition", "namespace", "pod"),
    *("name", "state", "start_unix_s", "end_unix_s", "last_seen_unix_s"),
    *("energy_j", "cpu_j", "dram_j", "gpu_j", "platform_j", "estimated_energy_j"),
    *("emissions_g", "fallback_emissions_g", "cpu_s", "peak_power_w"),
    *("gpu_held_s", "gpu_idle_s", "gpu_use_ratio"),
)


def as_table(path: Path, page: JobPage, sums: JobSums) -> str:
    """Write a page for a person, with what all jobs together used."""
    records = page.records
    if not records:
        return f"no such jobs in {path}\n"
    # 0 where nobody looks at a terminal: then nothing is cut.
    columns = shutil.get_terminal_size((0, 0)).columns or None
    text = f"{table(records, columns)}\n{sums_line(sums)}"
    if len(records) < sums.jobs:
        text += f"the first {len(records)} are listed; --limit lists more\n"
    return text


def as_json(path: Path, page: JobPage, sums: JobSums) -> str:
    """Write a page for a program; a job has the fields it has in the API."""
    use = sums.gpu_use
    content = {
        "archive": str(path),
        "sums": {
            "jobs": sums.jobs,
            "energy_j": sums.energy_j,
            "estimated_energy_j": sums.estimated_j,
            "emissions_g": sums.emissions_g,
            "fallback_emissions_g": sums.fallback_g,
            "cpu_s": sums.cpu_s,
            "gpu_held_s": None if use is None else use.held_s,
            "gpu_use_ratio": None if use is None else use.utilization,
        },
        "jobs": _answers(page),
    }
    return json.dumps(content, indent=2) + "\n"


def as_csv(page: JobPage) -> str:
    """Write a page for a spreadsheet: a line per job, whatever its name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for answer in _answers(page):
        parts = {f"{name}_j": value for name, value in answer["components_j"].items()}
        cells = {**answer, **parts, "name": answer["info"].get("name", "")}
        writer.writerow(_csv_cell(cells.get(name)) for name in _CSV_COLUMNS)
    return text.getvalue()


def _csv_cell(value: object) -> object:
    return harmless(value) if isinstance(value, str) else value


def _answers(page: JobPage) -> list[dict[str, Any]]:
    # The API's own description of a job; it brings pydantic along.
    from exporter.exposition.job_answers import record_answer  # noqa: PLC0415 - see above

    return [record_answer(record).model_dump(mode="json") for record in page.records]
