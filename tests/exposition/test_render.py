"""The renderer against prometheus_client, which is the reference for its bytes."""

from collections.abc import Callable, Iterator
from math import inf, nan
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Metric as ClientMetric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.core.snapshot import JobTotals, Snapshot
from exporter.core.units import Grams, Joules, Seconds, Watts
from exporter.core.workload import WorkloadId, WorkloadLabels
from exporter.exposition.families import Build, families
from exporter.exposition.family import Family, Sample, single
from exporter.exposition.job_metrics import JOB_LABELS, job_info_with
from exporter.exposition.metric import counter
from exporter.exposition.process_metrics import MOST_FILES
from exporter.exposition.render import OPENMETRICS_END, Format, Renderer, format_value
from tests.fakes.snapshots import (
    bare_snapshot,
    changed,
    crowded_snapshot,
    later,
    rich_snapshot,
)

BUILD = Build("1.2.3", "3.11.7")
FORMATS: tuple[Format, ...] = ("text", "openmetrics")

both_formats = pytest.mark.parametrize("form", FORMATS)


class Shown(Collector):
    """Shows families to prometheus_client."""

    def __init__(self, found: list[Family], form: Format) -> None:
        self._found = found
        self._form = form

    def collect(self) -> Iterator[ClientMetric]:
        """Yield one metric per family that has samples."""
        for metric, samples in self._found:
            if samples:
                yield self._metric(Family(metric, samples))

    def _metric(self, family: Family) -> ClientMetric:
        metric, samples = family
        shown = ClientMetric(metric.family, metric.help, metric.type, metric.unit)
        for labels, value, created in samples:
            named = dict(zip(metric.labels, labels, strict=True))
            shown.add_sample(metric.name, named, value)
            if created is not None and self._form == "openmetrics":
                shown.add_sample(f"{metric.family}_created", named, created)
        return shown


def reference(found: list[Family], form: Format) -> str:
    """Return what prometheus_client writes, without the end of OpenMetrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Shown(found, form))
    if form == "text":
        return generate_latest(registry).decode()
    generate = openmetrics_exposition.generate_latest
    body = cast("bytes", generate(registry))  # type: ignore[no-untyped-call]  # the library types only its text format
    return body.decode().removesuffix(OPENMETRICS_END)


def assert_same(renderer: Renderer, snapshot: Snapshot, form: Format) -> None:
    """Compare the renderer with the reference on a whole snapshot."""
    found = families(snapshot, BUILD, "job")
    assert renderer.render(found, form) == reference(found, form)


def with_labels(labels: WorkloadLabels, scheduler: str = "slurm") -> Snapshot:
    """Return a node with one job of these labels."""
    job = JobTotals(
        WorkloadId(scheduler, "1"),
        labels,
        created_unix_s=Seconds(1_774_008_000.25),
        energy_j=(("cpu", Joules(5.0)),),
        power_w=(("cpu", Watts(2.0)),),
        emissions_g=Grams(0.5),
        cpu_s=Seconds(3.0),
    )
    return changed(bare_snapshot(), jobs=(job,))


texts = st.text(st.characters(codec="utf-8"), max_size=20)
# A label with much of what needs care in it.
odd_texts = texts | st.text('\\\n"{}=, é漢\r\t\x00#', max_size=12)
label_sets = st.builds(
    WorkloadLabels,
    job_id=odd_texts,
    user=odd_texts,
    account=odd_texts,
    partition=odd_texts,
    namespace=odd_texts,
    pod=odd_texts,
    info=st.fixed_dictionaries({"name": odd_texts}),
)
numbers = st.floats(min_value=0, allow_nan=False, allow_infinity=False)


@both_formats
@pytest.mark.parametrize("snapshot", [rich_snapshot(), bare_snapshot()])
def test_a_snapshot_is_written_as_prometheus_client_would(
    snapshot: Snapshot, form: Format
) -> None:
    """The library is what Prometheus' parsers are tested with."""
    assert_same(Renderer(), snapshot, form)


@both_formats
def test_the_second_scrape_is_as_right_as_the_first(form: Format) -> None:
    """It is written from kept text, with other numbers and other jobs."""
    renderer = Renderer()
    first = rich_snapshot()
    for snapshot in (first, later(first, 17), crowded_snapshot(30), first):
        assert_same(renderer, snapshot, form)


@given(
    scrapes=st.lists(
        st.tuples(
            st.sampled_from(FORMATS),
            st.lists(
                st.tuples(
                    st.sampled_from("abc"),
                    st.sampled_from([0.0, 1.0, 2.5e6]),
                    st.sampled_from([None, 1_774_008_000.25, 1_774_009_000.0]),
                ),
                max_size=3,
                unique_by=lambda one: one[0],
            ),
        ),
        max_size=8,
    )
)
def test_no_scrape_tells_what_only_an_earlier_one_was_true_of(
    scrapes: list[tuple[Format, list[tuple[str, float, float | None]]]],
) -> None:
    """Text is kept of what stays the same: labels, values, begins, and their order."""
    renderer = Renderer()
    counts = counter("jouled_things_total", ("thing",), "Things.")

    for form, things in scrapes:
        samples: list[Sample] = [((name,), value, at) for name, value, at in things]
        found = [Family(counts, samples), single(MOST_FILES, 7.0)]

        assert renderer.render(found, form) == reference(found, form)


@both_formats
@given(labels=label_sets)
def test_any_label_is_escaped_as_prometheus_client_does(
    labels: WorkloadLabels, form: Format
) -> None:
    """Users choose the names of their jobs."""
    assert_same(Renderer(), with_labels(labels), form)


@both_formats
def test_labels_that_a_site_adds_are_written_as_prometheus_client_does(
    form: Format,
) -> None:
    """They are there from the first scrape to the last, on jobs without them too."""
    renderer = Renderer()
    job_info = job_info_with(("label_team", "label_app"))
    labelled = with_labels(WorkloadLabels("1", info={"label_team": 'a"\n'}))

    for snapshot in (labelled, rich_snapshot(), labelled):
        found = families(snapshot, BUILD, "job", job_info)
        text = renderer.render(found, form)

        assert text == reference(found, form)
        assert 'label_team="' in text
        assert 'label_app=""' in text


def test_a_pod_cannot_forge_a_series_by_its_name() -> None:
    """What a name holds is text, and stays within its quotes."""
    name = '"} 1\njouled_fake 2'
    labels = WorkloadLabels("1", pod=name, namespace=name, info={"name": name})

    text = Renderer().render(families(with_labels(labels), BUILD, "job"), "text")

    assert not [line for line in text.splitlines() if line.startswith("jouled_fake")]
    (info,) = (each for each in parse_text(text) if each.name == "jouled_job_info")
    (sample,) = info.samples
    assert (sample.labels["pod"], sample.labels["name"]) == (name, name)
    assert not [each for each in parse_text(text) if "fake" in each.name]


@both_formats
@given(value=numbers)
def test_any_number_is_written_as_prometheus_client_does(
    value: float, form: Format
) -> None:
    """Python's digits, Go's exponents."""
    assert_same(Renderer(), changed(bare_snapshot(), node_energy_j=Joules(value)), form)


def test_a_metric_that_gets_other_labels_is_written_anew() -> None:
    """What was remembered of it has the old ones."""
    renderer = Renderer()
    small, large = job_info_with(()), job_info_with(("label_team",))
    renderer.render(families(rich_snapshot(), BUILD, "job", small), "text")

    found = families(rich_snapshot(), BUILD, "job", large)

    assert renderer.render(found, "text") == reference(found, "text")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (5, "5.0"),
        (True, "1.0"),
        (999999.5, "999999.5"),
        (1000000.0, "1e+06"),
        (123456789.125, "1.23456789125e+08"),
        (1e16, "1e+16"),
        (1e-7, "1e-07"),
        (-12345678.5, "-12345678.5"),
        (1_774_008_000.25, "1.77400800025e+09"),
        (2**53 + 1, "9.007199254740992e+15"),
        (inf, "+Inf"),
        (-inf, "-Inf"),
        (nan, "NaN"),
    ],
)
def test_odd_numbers_have_one_spelling(value: float, text: str) -> None:
    """Large counters are where Go and Python part ways; no limit is infinite."""
    rendered = Renderer().render([single(MOST_FILES, value)], "text")

    assert format_value(value) == text
    assert rendered.splitlines()[-1] == f"process_max_fds {text}"


@given(labels=label_sets)
def test_a_label_survives_the_way_through_prometheus_parsers(
    labels: WorkloadLabels,
) -> None:
    """No name of a job can break the exposition or become another name."""
    found = families(with_labels(labels), BUILD, "job")
    expected = {
        "job_id": labels.job_id,
        "user": labels.user,
        "account": labels.account,
        "partition": labels.partition,
        "namespace": labels.namespace,
        "pod": labels.pod,
        "scheduler": "slurm",
    }

    text = Renderer().render(found, "text")
    openmetrics = Renderer().render(found, "openmetrics") + OPENMETRICS_END

    strict = cast("Callable[[str], Iterator[ClientMetric]]", parse_openmetrics)
    for parsed in (parse_text(text), strict(openmetrics)):
        samples = [
            sample
            for family in parsed
            for sample in family.samples
            if sample.name == "jouled_job_emissions_grams_total"
        ]
        assert [sample.labels for sample in samples] == [expected]


def test_created_timestamps_are_in_openmetrics_only() -> None:
    """The text format would need a gauge of its own for each."""
    found = families(rich_snapshot(), BUILD, "job")

    assert "_created" not in Renderer().render(found, "text")
    assert "jouled_job_energy_joules_created{" in Renderer().render(
        found, "openmetrics"
    )


def test_a_new_run_with_old_labels_tells_its_own_beginning() -> None:
    """The text that is kept of the old run must not be shown again."""
    renderer = Renderer()
    first = with_labels(WorkloadLabels("7"))
    (job,) = first.jobs
    second = changed(first, jobs=(changed(job, created_unix_s=Seconds(1.9e9)),))
    renderer.render(families(first, BUILD, "job"), "openmetrics")

    text = renderer.render(families(second, BUILD, "job"), "openmetrics")

    assert text == reference(families(second, BUILD, "job"), "openmetrics")


@both_formats
def test_ended_jobs_leave_nothing_behind(form: Format) -> None:
    """A node runs for years and sees millions of jobs."""
    renderer = Renderer()
    bare = families(rich_snapshot(), BUILD, "node")
    renderer.render(families(bare_snapshot(), BUILD, "job"), form)
    before = renderer.remembered_series()

    for count in (50, 3, 200):
        renderer.render(families(crowded_snapshot(count), BUILD, "job"), form)
    renderer.render(families(bare_snapshot(), BUILD, "job"), form)

    assert renderer.remembered_series() == before
    assert renderer.remembered_series() < sum(len(found) for _, found in bare)


def test_the_labels_of_a_job_are_all_there_are() -> None:
    """The strategy above makes one of each."""
    assert set(JOB_LABELS) == {
        "scheduler",
        *(set(WorkloadLabels.__dataclass_fields__) - {"info"}),
    }
