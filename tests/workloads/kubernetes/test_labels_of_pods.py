"""What pods are called, and when that is fixed."""

from pathlib import Path

import pytest

from exporter.core.workload import WorkloadLabels
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.log_names import LogNames
from exporter.workloads.kubernetes.worker import Worker
from tests.fakes.clock import Clock
from tests.fakes.pod_cgroups import uid_of
from tests.fakes.pod_node import PodNode, ToldNames, pod_node, usage_of
from tests.fakes.unprivileged import public_directory, unprivileged


def _labels(node: PodNode, number: int = 1) -> WorkloadLabels | None:
    return usage_of(node.tick(), number).labels


def test_a_pod_of_a_job_has_the_job_s_name(tmp_path: Path) -> None:
    """Two pods of one job are told apart by ``pod``."""
    told = ToldNames()
    for number in (1, 2):
        told.tell(
            PodFacts(
                uid_of(number),
                "team-a",
                f"train-{number}",
                workload_kind="Job",
                workload_name="train",
                queue="gpu",
                containers=2,
                labels={"label_app": "demo"},
            )
        )
    with pod_node(tmp_path, witnesses=(told,)) as node:
        node.pods.start_pod(1)
        node.pods.start_pod(2)
        node.look()

        labels = [_labels(node, number) for number in (1, 2)]

        assert labels == [
            WorkloadLabels(
                job_id="train",
                namespace="team-a",
                pod=f"train-{number}",
                info={
                    "name": f"train-{number}",
                    "workload_kind": "Job",
                    "workload_name": "train",
                    "queue": "gpu",
                    "containers": "2",
                    "label_app": "demo",
                },
            )
            for number in (1, 2)
        ]


def test_a_pod_by_itself_has_its_uid_for_a_job(tmp_path: Path) -> None:
    """It is what tells it from a later one of the same name."""
    told = ToldNames()
    told.tell(PodFacts(uid_of(1), "team-a", "alone"))
    with pod_node(tmp_path, witnesses=(told,)) as node:
        node.pods.start_pod(1)
        node.look()

        labels = _labels(node)

        assert labels is not None
        assert (labels.job_id, labels.pod) == (uid_of(1), "alone")


def test_labels_wait_for_names_but_not_for_long(tmp_path: Path) -> None:
    """The ledger does without after 5 s."""
    with pod_node(tmp_path, witnesses=(ToldNames(),)) as node:
        node.pods.start_pod(1)
        node.look()

        waited = [_labels(node) for _ in range(6)]

        assert [labels is not None for labels in waited] == [
            *[False] * 3,
            *[True] * 3,
        ]
        assert waited[-1] == WorkloadLabels(job_id=uid_of(1))


def test_a_name_that_arrives_late_changes_no_label_of_a_counter(tmp_path: Path) -> None:
    """It describes the job from then on."""
    told = ToldNames()
    with pod_node(tmp_path, witnesses=(told,)) as node:
        node.pods.start_pod(1)
        node.look()
        before = [_labels(node) for _ in range(5)][-1]
        told.tell(PodFacts(uid_of(1), "team-a", "late", workload_kind="Job", cpus=2.0))

        after = usage_of(node.tick(), 1)

        assert before == WorkloadLabels(job_id=uid_of(1))
        assert after.labels == WorkloadLabels(
            job_id=uid_of(1), info={"name": "late", "workload_kind": "Job"}
        )
        assert after.reserved_cpus == 2.0


def test_a_partial_name_is_used_when_nobody_tells_more(tmp_path: Path) -> None:
    """The directories of logs know the name, and nothing of its job."""
    partial, whole = ToldNames(knows_all=False), ToldNames()
    facts = PodFacts(uid_of(1), "team-a", "web-0", is_whole=False)
    partial.tell(facts)
    with pod_node(tmp_path, witnesses=(whole, partial)) as node:
        node.pods.start_pod(1)
        node.look()

        waited = [_labels(node) for _ in range(5)]
        whole.tell(PodFacts(uid_of(1), "team-a", "web-0", workload_name="web"))
        later = _labels(node)

        assert waited[0] is None
        assert waited[-1] == WorkloadLabels(
            job_id=uid_of(1), namespace="team-a", pod="web-0", info={"name": "web-0"}
        )
        assert later is not None
        assert later.job_id == uid_of(1)
        assert later.info["workload_name"] == "web"


def test_a_partial_name_is_used_at_once_if_nobody_could_tell_more(
    tmp_path: Path,
) -> None:
    """Waiting would be for nothing."""
    partial = ToldNames(knows_all=False)
    partial.tell(PodFacts(uid_of(1), "team-a", "web-0", is_whole=False))
    with pod_node(tmp_path, witnesses=(partial,)) as node:
        node.pods.start_pod(1)

        labels = usage_of(node.look(), 1).labels

        assert labels is not None
        assert labels.pod == "web-0"


def test_a_pod_that_is_known_is_reported_while_it_is_prepared(tmp_path: Path) -> None:
    """What it reserved, it has reserved."""
    told = ToldNames()
    told.tell(PodFacts(uid_of(1), "team-a", "slow", cpus=4.0))
    with pod_node(tmp_path, witnesses=(told,)) as node:
        node.pods.start_pod(1, busy_cpus=0.0, containers=0)

        usage = usage_of(node.look(), 1)

        assert (usage.cpu_s, usage.reserved_cpus) == (0.0, 4.0)


def test_what_nobody_knows_of_is_asked_for(tmp_path: Path) -> None:
    """And no more when all of it is known."""
    told = ToldNames()
    with pod_node(tmp_path, witnesses=(told,)) as node:
        for number in (1, 2):
            node.pods.start_pod(number)
        node.look()
        wanted = [told.wanted]
        told.tell(PodFacts(uid_of(1), "team-a", "one"))
        node.tick()
        wanted.append(told.wanted)

        assert wanted == [{uid_of(1), uid_of(2)}, {uid_of(2)}]


def test_a_pod_that_ended_before_its_name_came_says_farewell(tmp_path: Path) -> None:
    """Its joules belong to a tenant, so the labels come after it; nothing else."""
    told = ToldNames()
    with pod_node(tmp_path, witnesses=(told,)) as node:
        pod = node.pods.start_pod(1, milli_cpus=2000)
        node.look()
        node.pods.end_pod(pod)
        first = node.read_until(lambda each: usage_of(each, 1).cpu_s is None)
        told.tell(PodFacts(uid_of(1), "team-a", "short"))

        second = node.tick()

        assert usage_of(first, 1).labels is None
        assert len(first.groups[0].members) == 1
        usage = usage_of(second, 1)
        assert usage.labels is not None
        assert usage.labels.pod == "short"
        assert usage.reserved_cpus == 0.0
        assert second.groups[0].members == ()
        assert node.tick().usages == ()


def test_a_witness_who_is_in_trouble_is_told_of_once(tmp_path: Path) -> None:
    """In the source's message as long as it lasts, and counted."""
    told = ToldNames()
    with pod_node(tmp_path, witnesses=(told,)) as node:
        node.pods.start_pod(1)
        told.trouble = "may not list pods: see docs/kubernetes.md"
        node.look()
        node.tick()
        during = (node.source.doubt, node.source.doubts)
        told.trouble = ""
        node.tick()

        assert during == ("may not list pods: see docs/kubernetes.md", (("names", 1),))
        assert node.source.doubt == ""


# --- by the directories of their logs -------------------------------------------------


def test_directories_of_logs_name_pods(tmp_path: Path) -> None:
    """No API server, no rights but to look."""
    logs = tmp_path / "pods"
    for name in (
        f"team-a_web-0_{uid_of(1)}",
        f"kube-system_etcd.node-1_{'5' * 32}",
        f"team-b_other_{uid_of(2)}",
        "lost+found",
        "a_b",
    ):
        (logs / name).mkdir(parents=True)
    names = LogNames(logs, Clock())
    names.want(frozenset({uid_of(1), "5" * 32, uid_of(3)}))

    names.step()

    told = [names.store.find(uid) for uid in (uid_of(1), "5" * 32, uid_of(3))]
    assert told == [
        PodFacts(uid_of(1), "team-a", "web-0", is_whole=False),
        PodFacts("5" * 32, "kube-system", "etcd.node-1", is_whole=False),
        None,
    ]
    assert set(names.store.take_news()) == {uid_of(1), "5" * 32}
    assert names.store.take_news() == ()


def test_directories_are_looked_at_ever_more_rarely(tmp_path: Path) -> None:
    """A pod may wait for its first image for a long time."""
    clock = Clock()
    names = LogNames(tmp_path, clock)
    assert names.step() > 600.0
    names.want(frozenset({uid_of(1)}))

    pauses = []
    for _ in range(10):
        pauses.append(names.step())
        clock.pass_s(pauses[-1])

    assert pauses[0] < 0.5
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    names.want(frozenset({uid_of(1), uid_of(2)}))
    assert names.step() < 0.5


def test_to_be_woken_too_early_looks_at_nothing(tmp_path: Path) -> None:
    """The pause is kept, whoever asks."""
    clock = Clock()
    names = LogNames(tmp_path, clock)
    names.want(frozenset({uid_of(1)}))
    pause_s = names.step()
    (tmp_path / f"a_b_{uid_of(1)}").mkdir()

    rest_s = names.step()

    assert rest_s == pytest.approx(pause_s)
    assert names.store.find(uid_of(1)) is None


def test_logs_that_are_not_mounted_are_told_of(tmp_path: Path) -> None:
    """With what helps."""
    names = LogNames(tmp_path / "gone", Clock())
    names.want(frozenset({uid_of(1)}))

    names.step()

    assert "kubernetes.log_dir" in names.trouble


def test_logs_that_may_not_be_read_are_told_of() -> None:
    """They are root's on most machines."""
    with public_directory() as root:
        root.chmod(0)
        names = LogNames(root, Clock())
        names.want(frozenset({uid_of(1)}))

        with unprivileged():
            names.step()

        assert "may not read" in names.trouble
        root.chmod(0o755)


def test_the_thread_finds_a_name_by_itself(tmp_path: Path) -> None:
    """From the cgroup to the labels."""
    logs = tmp_path / "pods"
    logs.mkdir()
    with pod_node(tmp_path, witnesses=(LogNames(logs),), worker=Worker) as node:
        pod = node.pods.start_pod(1, busy_cpus=0.0)
        node.look()
        (logs / f"team-a_web-0_{pod.uid}").mkdir()
        node.pods.spend(pod, 0.5)

        reading = node.read_until(
            lambda each: any(usage.labels is not None for usage in each.usages)
        )

        labels = usage_of(reading, 1).labels
        assert labels is not None
        assert (labels.namespace, labels.pod) == ("team-a", "web-0")
