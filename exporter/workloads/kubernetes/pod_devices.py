"""What the kubelet tells of the devices of pods: the parts of it that matter here.

    ListPodResourcesResponse      1 pod
    PodResources                  1 name, 2 namespace, 3 container
    ContainerResources            2 devices, 5 claim
    ContainerDevices              1 resource, 2 device id
    DynamicResource               4 device of the claim
    ClaimResource                 2 driver, 3 pool, 4 device
    AllocatableResourcesResponse  1 ContainerDevices

Source: Kubernetes' podresources API, v1; in v1alpha1 these numbers are the same.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from exporter.workloads.kubernetes.wire import byte_fields, text


class ClaimedDevice(NamedTuple):
    """A device of a claim, as dynamic resource allocation names it."""

    driver: str
    pool: str
    device: str


class PodDevices(NamedTuple):
    """What a pod holds of the resources that are wanted.

    Attributes:
        namespace: of the pod.
        name: of the pod.
        devices: ids of devices, as their plugin calls them.
        claims: devices of claims.
        claimed: the ids of those, as far as they are known. Pods can share a claim.
    """

    namespace: str
    name: str
    devices: frozenset[str]
    claims: frozenset[ClaimedDevice] = frozenset()
    claimed: frozenset[str] = frozenset()


IsWanted = Callable[[str], bool]


def parse_pods(data: bytes, is_wanted: IsWanted) -> tuple[PodDevices, ...]:
    """Read the answer to List.

    Args:
        data: the message.
        is_wanted: tells of the name of a resource whether it is one of ours.

    Returns:
        Pods that hold something that is wanted, or have any claim.

    Raises:
        WireError: it is no such message.
    """
    pods = (
        _pod(value, is_wanted)
        for number, value in byte_fields(memoryview(data))
        if number == 1
    )
    return tuple(pod for pod in pods if pod.devices or pod.claims)


def parse_devices(data: bytes, is_wanted: IsWanted) -> tuple[str, ...]:
    """Read the answer to GetAllocatableResources: the ids of all wanted devices.

    Raises:
        WireError: it is no such message.
    """
    return tuple(
        device
        for number, value in byte_fields(memoryview(data))
        if number == 1
        for device in _devices(value, is_wanted)
    )


def _pod(data: memoryview, is_wanted: IsWanted) -> PodDevices:
    name = namespace = ""
    devices: set[str] = set()
    claims: set[ClaimedDevice] = set()
    for number, value in byte_fields(data):
        if number == 1:
            name = text(value)
        elif number == 2:  # noqa: PLR2004 - see the table above
            namespace = text(value)
        elif number == 3:  # noqa: PLR2004 - as above
            for inner, part in byte_fields(value):
                if inner == 2:  # noqa: PLR2004 - as above
                    devices.update(_devices(part, is_wanted))
                elif inner == 5:  # noqa: PLR2004 - as above
                    claims.update(_claims(part))
    return PodDevices(namespace, name, frozenset(devices), frozenset(claims))


def _devices(data: memoryview, is_wanted: IsWanted) -> Iterator[str]:
    resource, ids = "", []
    for number, value in byte_fields(data):
        if number == 1:
            resource = text(value)
        elif number == 2:  # noqa: PLR2004 - as above
            ids.append(value)
    return map(text, ids) if is_wanted(resource) else iter(())


def _claims(data: memoryview) -> Iterator[ClaimedDevice]:
    for number, value in byte_fields(data):
        if number == 4:  # noqa: PLR2004 - as above
            parts = {inner: text(part) for inner, part in byte_fields(value)}
            yield ClaimedDevice(parts.get(2, ""), parts.get(3, ""), parts.get(4, ""))
