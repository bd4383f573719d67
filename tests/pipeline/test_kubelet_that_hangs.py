from pathlib import Path

from exporter.workloads.kubernetes.facts import PodFacts
from tests.fakes.inventory import FakeInventory, gpu
from tests.fakes.kubelet import played_kubelet
from tests.fakes.pod_cgroups import uid_of
from tests.fakes.pod_node import ToldNames, pod_node, usage_of
from tests.fakes.waiting import wait_until

_LONGEST_S = 60.0


def test_a_kubelet_that_hangs_is_believed_for_a_minute_and_no_longer(
    tmp_path: Path,
) -> None:
    """Its socket is there, and nobody answers; until it is started again."""
    told = ToldNames()
    told.tell(PodFacts(uid_of(1), "team-a", "train-1"))
    card = gpu(0)
    with (
        played_kubelet(
            tmp_path / "kubelet", allocatable={"nvidia.com/gpu": [card.uuid]}
        ) as kubelet,
        pod_node(
            tmp_path / "node",
            witnesses=(told,),
            kubelet=kubelet,
            kubelet_deadline_s=0.3,
            inventory=FakeInventory((card,)),
        ) as played,
    ):
        kubelet.give("team-a", "train-1", "nvidia.com/gpu", card.uuid)
        played.pods.start_pod(1)
        played.look()

        def is_held(seconds: float) -> bool:
            played.ask_kubelet()
            reading = played.tick(seconds)
            return bool(usage_of(reading, 1).gpus) and not reading.unknown_gpus

        wait_until(lambda: is_held(1.0), "it holds its GPU", _LONGEST_S)
        kubelet.silence = True
        during = [is_held(10.0) for _ in range(8)]
        kubelet.stop()
        kubelet.silence = False
        kubelet.start()

        assert during == [True] * 5 + [False] * 3
        assert "does not answer within 0.3 s" in played.source.doubt
        wait_until(lambda: is_held(1.0), "it holds it again", _LONGEST_S)
