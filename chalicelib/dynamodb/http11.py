"""One HTTP/1.1 response, read from a socket.

DynamoDB sends HTTP/1.1 with a Content-Length, and this reads that. The standard library reads everything else: reading
all responses with it makes a lookup an eighth slower, and adds 4 ms to a cold start.
"""

from __future__ import annotations

import io
import socket
from typing import Any, NamedTuple

MAX_HEAD_BYTES = 65_536

# Final responses; 1xx ones come before them (RFC 9110, 15.2).
_FINAL = tuple(b"HTTP/1.1 %d" % first_digit for first_digit in (2, 3, 4, 5))


class Response(NamedTuple):
    """`checksum`: the CRC-32 of the body as DynamoDB sends it. `last`: whether the connection ends with it."""

    status: int
    checksum: bytes | None
    body: bytes
    last: bool


def read_response(sock: socket.socket) -> Response:
    """Return the response that arrives on `sock`. Raise OSError or ValueError if none arrives, or only a part."""
    data = _received(sock)
    while b"\r\n\r\n" not in data:
        data += _received(sock)
        if len(data) > MAX_HEAD_BYTES:
            raise ValueError("the head of the response is too long")
    head, _, body = data.partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    length = fields.get(b"content-length", b"")
    if not status_line.startswith(_FINAL) or not length.isdigit() or b"transfer-encoding" in fields:
        return _other_response(sock, data)
    parts, missing = [body], int(length) - len(body)
    while missing > 0:
        parts.append(_received(sock))
        missing -= len(parts[-1])
    # Bytes behind the body answer no request of ours: the connection is of no more use.
    last = missing < 0 or fields.get(b"connection", b"").lower() == b"close"
    return Response(int(status_line[9:12]), fields.get(b"x-amz-crc32"), b"".join(parts)[: int(length)], last)


def _received(sock: socket.socket) -> bytes:
    data = sock.recv(MAX_HEAD_BYTES)
    if not data:
        raise ConnectionError("the connection ended within the response")
    return data


def _other_response(sock: socket.socket, received: bytes) -> Response:
    from http.client import HTTPException, HTTPResponse

    class Stream(io.RawIOBase):
        """The bytes `received`, then those that arrive on `sock`."""

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            nonlocal received
            if not received:
                return sock.recv_into(buffer)
            size = min(len(buffer), len(received))
            buffer[:size], received = received[:size], received[size:]
            return size

        def makefile(self, mode: str) -> io.BufferedReader:
            return io.BufferedReader(self)

    # HTTPResponse calls only makefile of its socket.
    with HTTPResponse(Stream(), method="POST") as response:  # type: ignore[arg-type]
        try:
            response.begin()
            body = response.read()
        except (HTTPException, MemoryError, OverflowError) as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        return Response(response.status, response.headers.get("x-amz-crc32", "").encode(), body, True)
