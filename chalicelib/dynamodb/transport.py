"""A call's way to DynamoDB and back: signed, over a connection that is kept, tried again where that may help.

Where the environment has all that it takes, as it has in Lambda, this is done here. Where a profile, a configuration
file, a proxy or the like may have a say, botocore does it (`boto.py`): it knows them all, and takes its time to start.
"""

from __future__ import annotations

import io
import random
import select
import socket
import ssl
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from chalicelib.dynamodb import signature_v4
from chalicelib.dynamodb.errors import UNREACHABLE, DynamoDBError, cancellation_codes, is_retried
from chalicelib.dynamodb.signature_v4 import Credentials

# Three attempts of a second to connect and two and a half to answer, and at most three seconds of waiting between them:
# two calls fit into a function's 29 seconds. (An answer may take so long for each of its parts, as with botocore.)
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS, BACKOFF_SECONDS = 1, 2.5, 3, 3
CALL_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + BACKOFF_SECONDS

MOST_OF_A_HEAD = 65_536
# Of all answers but those that come before the one (RFC 9110, 15.2).
ANSWERS = tuple(b"HTTP/1.1 %d" % first for first in (2, 3, 4, 5))


class Endpoint(NamedTuple):
    """Where DynamoDB is, and who calls it."""

    url: str
    region: str
    credentials: Credentials


class Signed:
    """`clock`: seconds since 1970."""

    def __init__(
        self, endpoint: Endpoint, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._sleep = sleep
        self._idle: list[socket.socket] = []
        parts = urlsplit(endpoint.url)
        self._host = parts.netloc
        self._address = (str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80))
        # Made here, while a function starts: it takes longer than a call.
        self._context = ssl.create_default_context() if parts.scheme == "https" else None

    def __del__(self) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        while sock := self._idle_one():
            sock.close()

    def _idle_one(self) -> socket.socket | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def send(self, operation: str, request: Mapping[str, Any]) -> bytes:
        body = orjson.dumps(request, default=_base64)
        failure: DynamoDBError
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(random.random() * 2 ** (attempt - 1))
            try:
                status, answer = self._exchange(f"DynamoDB_20120810.{operation}", body)
            except (OSError, ValueError) as error:
                failure = DynamoDBError(UNREACHABLE, f"{type(error).__name__}: {error}")
                continue
            if status == 200:
                return answer
            failure = _error(status, answer)
            if not is_retried(failure):
                break
        raise failure

    def _exchange(self, target: str, body: bytes) -> tuple[int, bytes]:
        """The status and body of one answer. OSError, ValueError: there is none, or no whole one."""
        endpoint = self._endpoint
        signed = signature_v4.headers(body, target, self._host, endpoint.region, endpoint.credentials, self._clock())
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\nuser-agent: tablecast\r\n\r\n"
        sock = self._connection()
        try:
            # Head and body at once: what comes in two writes may wait for a delayed ACK.
            sock.sendall(head.encode() + body)
            answer = _answer(sock)
        except BaseException:
            sock.close()
            # What has become of this one may have become of all: the next attempt makes its own.
            self._hang_up()
            raise
        if answer.last:
            sock.close()
        else:
            self._idle.append(sock)
        if answer.checksum and int(answer.checksum) != zlib.crc32(answer.body):
            raise ValueError("the answer is not of its checksum")
        return answer.status, answer.body

    def _connection(self) -> socket.socket:
        """One that is idle and still there, or a new one."""
        while idle := self._idle_one():
            poll = select.poll()
            poll.register(idle, select.POLLIN)
            # Nothing is owed to us: what can be read is the other side hanging up.
            if not poll.poll(0):
                return idle
            idle.close()
        sock = socket.create_connection(self._address, CONNECT_SECONDS)
        if self._context:
            sock = self._context.wrap_socket(sock, server_hostname=self._address[0])
        sock.settimeout(READ_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


class _Answer(NamedTuple):
    """`last`: whether nothing more is to come on its connection."""

    status: int
    checksum: bytes | None
    body: bytes
    last: bool


def _answer(sock: socket.socket) -> _Answer:
    """The answer that comes on `sock`. OSError, ValueError: there is none, or no whole one.

    This reads what DynamoDB sends, HTTP/1.1 with a length; what else there may be the standard library reads. With that
    for all, a lookup takes an eighth more, and a cold start 4 ms.
    """
    data = _received(sock)
    while b"\r\n\r\n" not in data:
        data += _received(sock)
        if len(data) > MOST_OF_A_HEAD:
            raise ValueError("an answer without an end to its head")
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    length = fields.get(b"content-length", b"")
    if not first.startswith(ANSWERS) or not length.isdigit() or b"transfer-encoding" in fields:
        return _odd_answer(sock, data)
    parts, missing = [body], int(length) - len(body)
    while missing > 0:
        parts.append(_received(sock))
        missing -= len(parts[-1])
    # What comes behind it is nothing that was asked for: with it the connection is of no more use.
    last = missing < 0 or fields.get(b"connection", b"").lower() == b"close"
    return _Answer(int(first[9:12]), fields.get(b"x-amz-crc32"), b"".join(parts)[: int(length)], last)


def _received(sock: socket.socket) -> bytes:
    data = sock.recv(MOST_OF_A_HEAD)
    if not data:
        raise ConnectionError("half an answer")
    return data


def _odd_answer(sock: socket.socket, begun: bytes) -> _Answer:
    from http.client import HTTPException, HTTPResponse

    class Rest(io.RawIOBase):
        """`begun`, and what comes on `sock`."""

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            nonlocal begun
            if not begun:
                return sock.recv_into(buffer)
            size = min(len(buffer), len(begun))
            buffer[:size], begun = begun[:size], begun[size:]
            return size

        def makefile(self, mode: str) -> io.BufferedReader:
            return io.BufferedReader(self)

    # Of a socket it takes makefile alone.
    with HTTPResponse(Rest(), method="POST") as response:  # type: ignore[arg-type]
        try:
            response.begin()
            body = response.read()
        except (HTTPException, MemoryError, OverflowError) as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        return _Answer(response.status, response.headers.get("x-amz-crc32", "").encode(), body, True)


def _base64(value: Any) -> str:
    return b64encode(value).decode()


def _error(status: int, answer: bytes) -> DynamoDBError:
    try:
        said = orjson.loads(answer)
        code = said["__type"].rpartition("#")[2]
        return DynamoDBError(code, said.get("message") or said.get("Message") or "", status, cancellation_codes(said))
    except (ValueError, KeyError, TypeError, AttributeError):
        return DynamoDBError(str(status), "an answer that is no error of DynamoDB's", status)
