import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.embodied import EmbodiedCarbon
from exporter.core.model import Sample
from exporter.core.units import Grams, GramsPerKwh, Seconds
from exporter.core.windows import Hold, HoldWindow
from exporter.pipeline.checkpoint import Checkpoint, read_boot_id
from exporter.pipeline.decoding import decode
from exporter.pipeline.encoding import encode
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings, EngineState
from tests.fakes.life import Life, LivingJob, PlayedDevice
from tests.fakes.node import cpu, gpu, hold, job_id, labels, node_meter
from tests.fakes.saves import BOOT, NAMES, contents, number_of, numbered, save, spoil


def lived(*, silent: frozenset[int] = frozenset(), ticks: int = 8) -> Life:
    """Return a node after some ticks in which much was remembered.

    Args:
        silent: ticks in which nothing but the node could be read.
        ticks: how many there were.
    """
    devices = [PlayedDevice(cpu(), 100.0), PlayedDevice(gpu(), 300.0)]
    life = Life(
        [*devices, PlayedDevice(node_meter(), 700.0)],
        EngineSettings(
            market_intensity=GramsPerKwh(60.0),
            embodied=EmbodiedCarbon(Grams(1e6), Seconds(1e8)),
        ),
        reports_ended=True,
    )
    life.tick()
    life.state.source_errors["rapl"] = {"faulty": 3, "timeout": 1}
    life.state.carbon_fetches = {("hub", "ok"): 12, ("hub", "denied"): 0}
    life.state.missed_ticks = 7
    for tick in range(ticks):
        if tick % 4 == 0:
            life.start(str(tick), 1.0, hold(share=0.5, activity=0.25))
        if tick % 4 == 1:
            life.jobs[f"unnamed {tick}"] = LivingJob(0.5)
        if tick % 4 == 3:
            life.end(str(tick - 3))
        for played in devices:
            played.readable = tick not in silent
        life.jobs_readable = tick not in silent
        life.tick()
    return life


def stored(state: EngineState) -> Any:  # noqa: ANN401 - JSON
    """Return what a checkpoint of a state holds."""
    return json.loads(json.dumps(encode(state)))


# --- there and back ---------------------------------------------------------


@given(silent=st.frozensets(st.integers(0, 20)), ticks=st.integers(0, 20))
def test_a_state_survives_the_way_through_json(
    silent: frozenset[int], ticks: int
) -> None:
    """Encoded, written, read, decoded and encoded again, it is the same."""
    state = lived(silent=silent, ticks=ticks).state

    again = decode(stored(state))

    assert stored(again) == stored(state)
    assert again.meters == state.meters
    assert again.usage.node == state.usage.node
    assert again.usage.schedulers.keys() == state.usage.schedulers.keys()
    assert again.windows == state.windows
    assert again.holds == state.holds
    assert again.source_errors == state.source_errors
    assert again.carbon_fetches == state.carbon_fetches
    assert again.missed_ticks == state.missed_ticks
    assert again.ledger.devices == state.ledger.devices
    assert again.ledger.tenants == state.ledger.tenants


@pytest.mark.parametrize("name", ["\udc80", 'a"b\\c\n\x00', "\u2028é😀"])
def test_a_name_of_any_text_is_written_and_read_again(
    tmp_path: Path, name: str
) -> None:
    """Users name jobs; half a surrogate pair, for one, cannot be written as UTF-8."""
    state = EngineState()
    state.source_errors[name] = {name: 1}

    save(tmp_path, state)

    again = Checkpoint(tmp_path, BOOT).load()
    assert again is not None
    assert again.source_errors == {name: {name: 1}}


def test_a_checkpoint_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    """In the same boot."""
    state = lived().state
    save(tmp_path, state)

    loaded = Checkpoint(tmp_path, BOOT).load()

    assert loaded is not None
    assert stored(loaded) == stored(state)


def test_a_hold_that_waits_keeps_what_all_of_its_gpu_did() -> None:
    """Also what was done by nobody who holds a part of it."""
    state = EngineState()
    held = {job_id("a"): Hold(1.0, 0.5), job_id("b"): Hold(0.5, None)}
    state.holds["GPU-0"] = HoldWindow(2.0, 1.5, held, 0.75)

    assert decode(stored(state)).holds == state.holds


def test_names_in_any_script_survive(tmp_path: Path) -> None:
    """Also what is no valid text at all, as a file name may be."""
    life = lived()
    life.jobs["名\udcff"] = LivingJob(1.0, labels=labels("名\udcff", user="Zoë\n"))
    life.tick()
    save(tmp_path, life.state)

    loaded = Checkpoint(tmp_path, BOOT).load()

    assert loaded is not None
    account = loaded.ledger.jobs[job_id("名\udcff")]
    assert account.labels == labels("名\udcff", user="Zoë\n")


def test_only_root_may_read_a_checkpoint(tmp_path: Path) -> None:
    """It tells who runs what."""
    save(tmp_path, numbered(1), numbered(2))

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(NAMES, 0o600)


# --- of another boot, or without sense ---------------------------------------


def test_a_checkpoint_of_another_boot_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule 7: hardware counters have restarted, and so do ours."""
    caplog.set_level("INFO")
    save(tmp_path, lived().state, lived().state, boot_id="an earlier boot")
    before = contents(tmp_path)

    assert Checkpoint(tmp_path, BOOT).load() is None
    assert contents(tmp_path) == before
    assert caplog.text.count("of another boot") == 1


def test_a_file_of_another_boot_is_not_gone_back_to(tmp_path: Path) -> None:
    """The first save of a boot has it beside itself."""
    save(tmp_path, numbered(1), numbered(2), boot_id="an earlier boot")
    save(tmp_path, numbered(3))

    loaded = number_of(tmp_path)
    (tmp_path / NAMES[0]).write_bytes(b"")

    assert loaded == 3
    assert number_of(tmp_path) is None


def test_a_file_that_lacks_a_part_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of this boot and this version, and yet not what was written."""
    whole = {"boot_id": BOOT, **stored(lived().state)}
    del whole["tenants"]
    spoil(tmp_path / NAMES[0], json.dumps(whole).encode())

    assert Checkpoint(tmp_path, BOOT).load() is None
    assert (tmp_path / "checkpoint.0.unusable").exists()
    assert "KeyError: 'tenants'" in caplog.text


def all_places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Return the path to each value inside a JSON value."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [here, *(p for key, one in inside for p in all_places(one, (*here, key)))]


def put(value: Any, place: tuple[Any, ...], other: object) -> None:  # noqa: ANN401 - JSON
    """Replace the value at a place inside a JSON value."""
    *way, last = place
    for key in way:
        value = value[key]
    value[last] = other


def two_samples(life: Life) -> list[Sample]:
    """Return what is read in the next two ticks."""
    samples = []
    for _ in range(2):
        life.pass_s(1.0)
        samples.append(life.sample())
    return samples


SILENT = lived(silent=frozenset({5, 6, 7}))
SILENT_TEXT = json.dumps(encode(SILENT.state))
PLACES = all_places(json.loads(SILENT_TEXT))[1:]
NEXT = two_samples(SILENT)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    place=st.sampled_from(PLACES),
    other=JSON_VALUES | st.sampled_from([-1, 0, 10**400, 1e308, "cpu"]),
)
def test_a_spoilt_state_is_refused_or_can_be_gone_on_from(
    place: tuple[Any, ...], other: object
) -> None:
    """Never a daemon that fails in its first tick, at each start anew."""
    data = json.loads(SILENT_TEXT)
    put(data, place, other)

    try:
        state = decode(data)
    except (KeyError, TypeError, ValueError):
        return

    engine = Engine(EngineSettings(), state)
    for one in NEXT:
        engine.fold(one)
    stored(engine.state)


def test_parts_that_contradict_each_other_are_refused() -> None:
    """A meter without an account, a usage without one."""
    without_device = stored(lived().state)
    without_device["devices"].pop()
    without_job = stored(lived().state)
    without_job["jobs"] = []
    without_component = stored(lived().state)
    without_component["unmeasured"] = []

    with pytest.raises(ValueError, match="has a meter and no account"):
        decode(without_device)
    with pytest.raises(ValueError, match="has an account and its component none"):
        decode(without_component)
    with pytest.raises(ValueError, match="has a usage and no account"):
        decode(without_job)


def test_the_boot_id_is_the_kernels(tmp_path: Path) -> None:
    """It tells a restart of the daemon from one of the machine."""
    boot_id = tmp_path / "sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text(f"{BOOT}\n", encoding="ascii")

    assert read_boot_id(tmp_path) == BOOT
