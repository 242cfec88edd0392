"""DynamoDB calls over connections of our own: signed, kept alive, retried. It knows nothing but the environment's
settings; `botocore_transport` does the rest."""

from __future__ import annotations

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
from chalicelib.dynamodb.http11 import read_response
from chalicelib.dynamodb.signature_v4 import Credentials

# Three attempts of one second to connect and 2.5 to answer, with at most three seconds of pauses: two calls fit into
# a function's 29 seconds. (Each part of an answer may take 2.5 seconds, as with botocore.)
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS, BACKOFF_SECONDS = 1, 2.5, 3, 3
CALL_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + BACKOFF_SECONDS


class Endpoint(NamedTuple):
    """Where DynamoDB is, and who calls it."""

    url: str
    region: str
    credentials: Credentials


class SignedTransport:
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
        # Made while the function starts: it takes longer than a call.
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None

    def __del__(self) -> None:
        self._close_idle()

    def _close_idle(self) -> None:
        while sock := self._pop_idle():
            sock.close()

    def _pop_idle(self) -> socket.socket | None:
        # Not `if self._idle`: `chalice local` calls from several threads.
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
        """Return the status and body of one response. Raise OSError or ValueError if none arrives, or only a part."""
        region, credentials = self._endpoint.region, self._endpoint.credentials
        signed = signature_v4.headers(body, target, self._host, region, credentials, self._clock())
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\nuser-agent: tablecast\r\n\r\n"
        sock = self._connection()
        try:
            # Head and body in one write: a second write may wait for a delayed ACK.
            sock.sendall(head.encode() + body)
            response = read_response(sock)
        except BaseException:
            sock.close()
            # The other connections may have failed with this one: the next attempt makes a new one.
            self._close_idle()
            raise
        if response.last:
            sock.close()
        else:
            self._idle.append(sock)
        if response.checksum and int(response.checksum) != zlib.crc32(response.body):
            raise ValueError("the response does not match its checksum")
        return response.status, response.body

    def _connection(self) -> socket.socket:
        """Return an idle connection that is still open, or a new one."""
        while idle := self._pop_idle():
            poll = select.poll()
            poll.register(idle, select.POLLIN)
            # No response is pending, so a readable socket means that the server closed it.
            if not poll.poll(0):
                return idle
            idle.close()
        sock = socket.create_connection(self._address, CONNECT_SECONDS)
        if self._tls:
            sock = self._tls.wrap_socket(sock, server_hostname=self._address[0])
        sock.settimeout(READ_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def _base64(value: Any) -> str:
    return b64encode(value).decode()


def _error(status: int, answer: bytes) -> DynamoDBError:
    try:
        error = orjson.loads(answer)
        code = error["__type"].rpartition("#")[2]
        message = error.get("message") or error.get("Message") or ""
        return DynamoDBError(code, message, status, cancellation_codes(error))
    except (ValueError, KeyError, TypeError, AttributeError):
        return DynamoDBError(str(status), "the answer is not an error of DynamoDB's", status)
