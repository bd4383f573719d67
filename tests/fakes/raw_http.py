"""A client that sends what it likes, over a bare socket."""

import socket

LONG_S = 60.0


def connect(port: int) -> socket.socket:
    """Connect to a port of 127.0.0.1, with a generous deadline on everything."""
    return socket.create_connection(("127.0.0.1", port), timeout=LONG_S)


def read_until(client: socket.socket, end: bytes) -> bytes:
    """Read until these bytes have come, or the other side ends, however it does."""
    data = b""
    while end not in data:
        part = _receive(client)
        if not part:
            break
        data += part
    return data


def read_all(client: socket.socket) -> bytes:
    """Read until the other side ends, however it does."""
    parts = []
    while part := _receive(client):
        parts.append(part)
    return b"".join(parts)


def is_refused(answer: bytes) -> bool:
    """Tell whether that is a refusal, which the kernel may have dropped."""
    return answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def _receive(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionResetError:
        return b""
