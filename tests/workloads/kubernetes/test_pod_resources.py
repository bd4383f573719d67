"""The kubelet is asked over its socket, whatever it does."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from exporter.core.units import Seconds
from exporter.workloads.kubernetes.allocations import wanted_resources
from exporter.workloads.kubernetes.pod_devices import PodDevices
from exporter.workloads.kubernetes.pod_resources import PodResources, PodResourcesError
from tests.fakes.kubelet import PlayedKubelet, played_kubelet
from tests.fakes.unprivileged import public_directory, unprivileged

_GPU = "GPU-00000000-1111-2222-3333-444444444444"
_LONGEST_S = 60.0


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[PlayedKubelet]:
    """Play a kubelet."""
    with played_kubelet(tmp_path / "kubelet") as kubelet:
        yield kubelet


def _client(kubelet: PlayedKubelet) -> PodResources:
    is_wanted = wanted_resources(("nvidia.com/gpu",))
    return PodResources(kubelet.socket, is_wanted, Seconds(_LONGEST_S))


def test_pods_are_told_with_what_they_hold(kubelet: PlayedKubelet) -> None:
    """And how many of them there are to be had."""
    kubelet.give("team-a", "train-0", "nvidia.com/gpu", f"{_GPU}::0")
    kubelet.give("team-a", "train-0", "rdma/hca", "mlx5_0")
    kubelet.give("team-b", "net", "rdma/hca", "mlx5_1")
    kubelet.allocatable = {"nvidia.com/gpu": [f"{_GPU}::0", f"{_GPU}::1"]}

    told = _client(kubelet).ask()

    assert told == (
        (PodDevices("team-a", "train-0", frozenset({f"{_GPU}::0"})),),
        (f"{_GPU}::0", f"{_GPU}::1"),
    )
    assert kubelet.asks == ["List", "GetAllocatableResources"]


def test_a_kubelet_that_does_not_tell_what_there_is_still_tells_who_holds_what(
    kubelet: PlayedKubelet,
) -> None:
    """As before 1.23."""
    kubelet.give("team-a", "train-0", "nvidia.com/gpu", _GPU)
    kubelet.allocatable = None

    pods, allocatable = _client(kubelet).ask()

    assert [pod.name for pod in pods] == ["train-0"]
    assert allocatable is None


def test_an_old_kubelet_is_asked_by_the_old_name(tmp_path: Path) -> None:
    """Before 1.20 there was only v1alpha1."""
    with played_kubelet(tmp_path, version="v1alpha1") as kubelet:
        kubelet.give("team-a", "train-0", "nvidia.com/gpu", _GPU)

        pods, _ = _client(kubelet).ask()

    assert [pod.name for pod in pods] == ["train-0"]


def test_an_answer_of_many_megabytes_is_taken(kubelet: PlayedKubelet) -> None:
    """Busy nodes have passed gRPC's 4 MiB."""
    ids = [f"{_GPU}::{number}" for number in range(1000)]
    for number in range(120):
        kubelet.give("team-a", f"pod-{number}", "nvidia.com/gpu", *ids)

    pods, _ = _client(kubelet).ask()

    assert len(pods) == 120
    assert all(len(pod.devices) == 1000 for pod in pods)


def test_without_a_socket_nothing_is_loaded_or_asked(tmp_path: Path) -> None:
    """What helps is said."""
    client = PodResources(tmp_path / "kubelet.sock", lambda _: True)

    with pytest.raises(PodResourcesError, match="mount the directory"):
        client.ask()


def test_a_socket_that_nobody_listens_at_is_told_of(kubelet: PlayedKubelet) -> None:
    """The kubelet was killed, and left it."""
    kubelet.stop()
    kubelet.socket.touch()

    with pytest.raises(PodResourcesError, match="cannot connect"):
        _client(kubelet).ask()

    kubelet.socket.unlink()


def test_a_socket_that_may_not_be_used_is_told_of() -> None:
    """It is root's."""
    with public_directory() as root, played_kubelet(root / "kubelet") as kubelet:
        kubelet.socket.chmod(0o600)
        client = _client(kubelet)

        with unprivileged(), pytest.raises(PodResourcesError, match="may this user"):
            client.ask()


def test_a_kubelet_that_comes_back_is_asked_at_its_new_socket(
    kubelet: PlayedKubelet,
) -> None:
    """Nothing of the old connection is left."""
    kubelet.give("team-a", "train-0", "nvidia.com/gpu", _GPU)
    client = _client(kubelet)
    client.ask()
    kubelet.stop()
    with pytest.raises(PodResourcesError):
        client.ask()
    kubelet.start()

    pods, _ = client.ask()

    assert len(pods) == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "permission denied"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "resource exhausted"),
        (grpc.StatusCode.UNIMPLEMENTED, "unimplemented"),
    ],
)
def test_a_kubelet_that_fails_is_told_of_in_its_words(
    kubelet: PlayedKubelet, code: grpc.StatusCode, said: str
) -> None:
    """It limits how often it may be asked, for one."""
    kubelet.code = code

    with pytest.raises(PodResourcesError, match=said):
        _client(kubelet).ask()


def test_an_answer_that_is_nonsense_is_told_of(kubelet: PlayedKubelet) -> None:
    """And nothing of it believed."""
    kubelet.garbage = b"\x0a\xff"

    with pytest.raises(PodResourcesError, match="nonsense"):
        _client(kubelet).ask()


def test_a_kubelet_that_hangs_is_given_up(kubelet: PlayedKubelet) -> None:
    """After some seconds, in a thread that nobody waits for."""
    kubelet.silence = True
    client = PodResources(kubelet.socket, lambda _: True, Seconds(0.2))

    with pytest.raises(PodResourcesError, match="does not answer"):
        client.ask()


def test_a_question_ends_when_told_to(kubelet: PlayedKubelet) -> None:
    """A daemon that stops does not wait for a kubelet."""
    kubelet.silence = True
    client = _client(kubelet)
    errors: list[str] = []

    def ask() -> None:
        try:
            client.ask()
        except PodResourcesError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    end_s = time.monotonic() + _LONGEST_S
    while not kubelet.asks:
        assert time.monotonic() < end_s
        time.sleep(0.002)

    client.interrupt()
    thread.join(_LONGEST_S)

    assert len(errors) == 1
    with pytest.raises(PodResourcesError, match="told to stop"):
        client.ask()


def test_without_grpc_it_is_said_what_to_install(
    kubelet: PlayedKubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra: most nodes have no use for it."""
    monkeypatch.setitem(sys.modules, "grpc", None)

    with pytest.raises(PodResourcesError, match=r"jouled\[kubernetes\]"):
        _client(kubelet).ask()
