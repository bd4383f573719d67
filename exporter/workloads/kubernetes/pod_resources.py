"""Asks the kubelet over its socket which pod holds which device.

Source: Kubernetes' podresources API, ``v1.PodResourcesLister``; ``v1alpha1`` before
1.20. gRPC's own calls by name, without generated code: see docs/decisions/0019.

A channel lives for one question. So a kubelet that was restarted is asked at its new
socket, and nothing of gRPC wakes up in between.
"""

import os
import threading
from pathlib import Path
from typing import Any

from exporter.core.units import Seconds
from exporter.workloads.kubernetes.pod_devices import (
    IsWanted,
    PodDevices,
    parse_devices,
    parse_pods,
)
from exporter.workloads.kubernetes.wire import WireError

_DEADLINE_S = Seconds(5.0)
# What a busy node tells is more than the 4 MiB that gRPC would take.
_MOST_BYTES = 64 * 2**20
_OPTIONS = (
    ("grpc.max_receive_message_length", _MOST_BYTES),
    # Else the path of the socket, in which some servers see a malformed host.
    ("grpc.default_authority", "localhost"),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_VERSIONS = ("v1", "v1alpha1")


class PodResourcesError(Exception):
    """The kubelet did not tell; the message says why, and what helps."""


class PodResources:
    """One kubelet; for one thread, but ``interrupt`` is for any.

    Args:
        socket: where it listens.
        is_wanted: tells of the name of a resource whether it is a GPU.
        deadline_s: how long one answer may take, s.
    """

    def __init__(
        self, socket: Path, is_wanted: IsWanted, deadline_s: Seconds = _DEADLINE_S
    ) -> None:
        self._deadline_s = deadline_s
        self._socket = socket
        self._is_wanted = is_wanted
        self._lock = threading.Lock()
        self._channel: Any = None
        self._is_interrupted = False

    def ask(self) -> tuple[tuple[PodDevices, ...], tuple[str, ...] | None]:
        """Ask once.

        Returns:
            Pods that hold GPUs or claims, and the ids of all GPUs that can be handed
            out; ``None`` if this kubelet does not tell those.

        Raises:
            PodResourcesError: it did not answer.
        """
        if not os.path.exists(self._socket):  # noqa: PTH110 - also if it may not be seen
            msg = f"no {self._socket}: mount the directory, or is the kubelet away?"
            raise PodResourcesError(msg)
        try:
            # It takes 19 MB, on nodes with pods and GPUs alone.
            import grpc  # noqa: PLC0415 - see above
        except ImportError:
            msg = f"to ask {self._socket} takes grpcio: install jouled[kubernetes]"
            raise PodResourcesError(msg) from None
        channel = grpc.insecure_channel(f"unix:{self._socket}", options=_OPTIONS)
        try:
            with self._lock:
                if self._is_interrupted:
                    msg = "told to stop"
                    raise PodResourcesError(msg)
                self._channel = channel
            return self._ask(grpc, channel)
        except grpc.RpcError as error:
            raise PodResourcesError(self._say(error)) from None
        except ValueError as error:
            # Not a message, or the channel was closed under us.
            what = str(error) if isinstance(error, WireError) else "closed"
            msg = f"{self._socket} answers nonsense: {what}"
            raise PodResourcesError(msg) from None
        finally:
            with self._lock:
                self._channel = None
            channel.close()

    def interrupt(self) -> None:
        """End what is being asked; nothing more is asked for."""
        with self._lock:
            self._is_interrupted = True
            if self._channel is not None:
                self._channel.close()

    def _ask(
        self,
        grpc: Any,  # noqa: ANN401 - the module, which is not typed
        channel: Any,  # noqa: ANN401 - as above
    ) -> tuple[tuple[PodDevices, ...], tuple[str, ...] | None]:
        unimplemented = grpc.StatusCode.UNIMPLEMENTED
        last: Exception | None = None
        for version in _VERSIONS:
            service = f"/{version}.PodResourcesLister"
            try:
                listed = self._call(channel, f"{service}/List")
            except grpc.RpcError as error:
                if error.code() != unimplemented:
                    raise
                last = error
                continue
            pods = parse_pods(listed, self._is_wanted)
            try:
                method = f"{service}/GetAllocatableResources"
                allocatable = self._call(channel, method)
            except grpc.RpcError:
                # Unknown before 1.21, and refused until 1.23 unless it is turned on.
                return pods, None
            return pods, parse_devices(allocatable, self._is_wanted)
        raise last or PodResourcesError(f"{self._socket} answers nothing")

    def _call(self, channel: Any, method: str) -> bytes:  # noqa: ANN401 - not typed
        call = channel.unary_unary(
            method,
            request_serializer=lambda message: message,
            response_deserializer=lambda message: message,
        )
        answer: bytes = call(b"", timeout=self._deadline_s)
        return answer

    def _say(self, error: Any) -> str:  # noqa: ANN401 - not typed
        code = error.code().name.lower().replace("_", " ")
        if code == "deadline exceeded":
            return f"{self._socket} does not answer within {self._deadline_s:g} s"
        if code == "unavailable":
            return f"cannot connect to {self._socket}: may this user use it?"
        details = str(error.details() or "")[:200]
        return f"{self._socket} answers {code}: {details}"
