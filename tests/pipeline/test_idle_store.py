import json
from pathlib import Path

import pytest

from exporter.core.idle import EnvelopeBin, IdleLearner
from exporter.core.units import Ratio, Watts
from exporter.pipeline.idle_store import IdleStore

LEARNED = {
    "cpu": IdleLearner({0: EnvelopeBin(Ratio(0.01), Watts(80.5))}),
    "gpu/GPU-0": IdleLearner(
        {3: EnvelopeBin(Ratio(0.17), Watts(60)), 19: EnvelopeBin(Ratio(1), Watts(300))}
    ),
}


def test_what_was_learned_survives_a_restart(tmp_path: Path) -> None:
    """A machine that is always busy would else never learn it again."""
    IdleStore(tmp_path).save(LEARNED)

    assert IdleStore(tmp_path).load() == LEARNED


def test_without_a_file_nothing_was_learned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As on the first day."""
    assert IdleStore(tmp_path).load() == {}
    assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 1, "learned": []}',
        '{"version": 1, "learned": {"cpu": []}}',
        '{"version": 1, "learned": {"cpu": {"0": [1]}}}',
        '{"version": 1, "learned": {"cpu": {"x": [0.5, 80]}}}',
        '{"version": 1, "learned": {"cpu": {"20": [0.5, 80]}}}',
        '{"version": 1, "learned": {"cpu": {"-1": [0.5, 80]}}}',
        '{"version": 1, "learned": {"cpu": {"0": [1.5, 80]}}}',
        '{"version": 1, "learned": {"cpu": {"0": [0.5, -1]}}}',
        '{"version": 1, "learned": {"cpu": {"0": [0.5, NaN]}}}',
        '{"version": 1, "learned": {"cpu": {"0": [0.5, Infinity]}}}',
        '{"version": 1, "learned": {"cpu": {"0": [null, 80]}}}',
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_file_that_cannot_be_used_is_learned_anew(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and stops nothing."""
    (tmp_path / "idle-power.json").write_text(content, encoding="ascii")

    assert IdleStore(tmp_path).load() == {}
    assert "learning anew" in caplog.text


def test_a_file_of_another_version_is_not_read(tmp_path: Path) -> None:
    """Its numbers may mean something else."""
    content = json.dumps({"version": 2, "learned": {}})
    (tmp_path / "idle-power.json").write_text(content, encoding="ascii")

    assert IdleStore(tmp_path).load() == {}


def test_a_failure_to_write_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And once more if it fails again after it had worked."""
    state_dir = tmp_path / "state"
    store = IdleStore(state_dir)

    store.save(LEARNED)
    store.save(LEARNED)
    told = caplog.text.count("cannot keep learned idle power")
    state_dir.mkdir()
    store.save(LEARNED)

    assert told == 1
    assert store.load() == LEARNED
