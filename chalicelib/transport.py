"""A call's way to DynamoDB and back: signed, over a connection that is kept, tried again where that may help.

Where the environment has all that it takes, as it has in Lambda, this is done here. Where a profile, a configuration
file, a proxy or the like may have a say, botocore does it (`boto.py`): it knows them all, and takes its time to start.
"""

from __future__ import annotations

import os
import random
import select
import socket
import ssl
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

from chalicelib import sign
from chalicelib.sign import Credentials

# Three attempts of a second to connect and two and a half to answer, and at most three seconds of waiting between them:
# two calls, both at their worst, fit into a function's 29 seconds.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS, BACKOFF_SECONDS = 1, 2.5, 3, 3
CALL_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + BACKOFF_SECONDS

# What may pass by itself, beside a status of 500 and above (botocore/retries/standard.py).
THROTTLED = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}

# Where botocore has to be asked, since these may lead elsewhere.
BEYOND = {
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "https_proxy",
    "http_proxy",
}

# Of AWS's other partitions: how their regions begin -> how the names of their hosts end (botocore's endpoints.json).
DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}


class DynamoDBError(Exception):
    """A call that came to nothing. `code`: DynamoDB's, or one of NO_CREDENTIALS, NO_REGION and UNREACHABLE. `status`:
    of the answer, 0 where there was none. `reasons`: of a cancelled transaction, a code for each of its items."""

    def __init__(self, code: str, message: str, status: int = 0, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.reasons = code, message, status, reasons


NO_CREDENTIALS, NO_REGION, UNREACHABLE = "NoCredentials", "NoRegion", "Unreachable"


class Transport(Protocol):
    def send(self, operation: str, request: Mapping[str, Any]) -> bytes:
        """The body of DynamoDB's answer to `operation` with the parameters `request`, where binary is base64 text or
        bytes. DynamoDBError: there is none."""


@dataclass(frozen=True)
class Place:
    """Where DynamoDB is, and who asks. `host`: with its port, where that is not the usual one."""

    url: str
    region: str
    credentials: Credentials

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


def connect(environ: Mapping[str, str]) -> Transport:
    place = place_in(environ)
    if place:
        return Signed(place)
    from chalicelib.boto import Botocore

    return Botocore()


def place_in(environ: Mapping[str, str]) -> Place | None:
    """What `environ` says in full; None where botocore has to be asked."""
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    region = environ.get("AWS_DEFAULT_REGION")
    if not (access_key and secret_key and region) or BEYOND & environ.keys():
        return None
    if os.path.exists(os.path.expanduser("~/.aws/config")):
        return None
    url = environ.get("AWS_ENDPOINT_URL_DYNAMODB") or environ.get("AWS_ENDPOINT_URL") or default_url(region)
    if urlsplit(url).path not in ("", "/"):
        return None
    return Place(url, region, Credentials(access_key, secret_key, environ.get("AWS_SESSION_TOKEN")))


def default_url(region: str) -> str:
    domain = next((domain for begin, domain in DOMAINS.items() if region.startswith(begin)), "amazonaws.com")
    return f"https://dynamodb.{region}.{domain}"


class Signed:
    """`clock`: seconds since 1970."""

    def __init__(
        self, place: Place, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._place = place
        self._clock = clock
        self._sleep = sleep
        self._idle: list[_Connection] = []
        parts = urlsplit(place.url)
        self._address = (str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80))
        # Made here, while a function starts: it takes longer than a call.
        self._context = ssl.create_default_context() if parts.scheme == "https" else None

    def __del__(self) -> None:
        for connection in self._idle:
            connection.close()

    def send(self, operation: str, request: Mapping[str, Any]) -> bytes:
        body = orjson.dumps(request, default=_base64)
        failure: DynamoDBError
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(random.random() * 2 ** (attempt - 1))
            try:
                status, checksum, answer = self._exchange(f"DynamoDB_20120810.{operation}", body)
            except (OSError, ValueError) as error:
                failure = DynamoDBError(UNREACHABLE, f"{type(error).__name__}: {error}")
                continue
            if checksum and int(checksum) != zlib.crc32(answer):
                failure = DynamoDBError(UNREACHABLE, "the answer is not of its checksum")
                continue
            if status == 200:
                return answer
            failure = _error(status, answer)
            if status < 500 and failure.code not in THROTTLED:
                break
        raise failure

    def _exchange(self, target: str, body: bytes) -> tuple[int, bytes | None, bytes]:
        """The status, checksum and body of one answer. OSError, ValueError: there is none, or no whole one."""
        place = self._place
        signed = sign.headers(body, target, place.host, place.region, place.credentials, self._clock())
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\nuser-agent: tablecast\r\n\r\n"
        connection = self._connection()
        try:
            # Head and body at once: what comes in two writes may wait for a delayed ACK.
            connection.sock.sendall(head.encode() + body)
            status, fields, answer = connection.answer()
        except BaseException:
            connection.close()
            raise
        if fields.get(b"connection", b"").lower() == b"close":
            connection.close()
        else:
            self._idle.append(connection)
        return status, fields.get(b"x-amz-crc32"), answer

    def _connection(self) -> _Connection:
        """One that is idle and still there, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            # Nothing is owed to us: what can be read is the other side hanging up.
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        sock = socket.create_connection(self._address, CONNECT_SECONDS)
        if self._context:
            sock = self._context.wrap_socket(sock, server_hostname=self._address[0])
        return _Connection(sock)


class _Connection:
    """HTTP/1.1 as far as DynamoDB's answers take it: with the standard library's, which is for everybody's and brings a
    parser of mail, a lookup takes an eighth more and a cold start 4 ms."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(READ_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._file = sock.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """The status, header fields and body of the next one."""
        first = self._line()
        # An older one closes unless it says otherwise (RFC 9112, 9.3).
        fields = {} if first.startswith(b"HTTP/1.1") else {b"connection": b"close"}
        status = int(first[9:12])
        while line := self._line():
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            return status, fields, b"".join(iter(self._chunk, b""))
        return status, fields, self._read(int(fields.get(b"content-length", b"")))

    def _chunk(self) -> bytes:
        chunk = self._read(int(self._line().partition(b";")[0], 16))
        while self._line():
            pass  # Behind the last one there may be fields.
        return chunk

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("half an answer")
        return line.rstrip()

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionError("half an answer")
        return data


def _base64(value: Any) -> str:
    return b64encode(value).decode()


def _error(status: int, answer: bytes) -> DynamoDBError:
    try:
        said = orjson.loads(answer)
        code = said["__type"].rpartition("#")[2]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return DynamoDBError(str(status), "an answer that is no error of DynamoDB's", status)
    reasons = tuple(str(reason.get("Code")) for reason in said.get("CancellationReasons", ()))
    return DynamoDBError(code, said.get("message") or said.get("Message") or "", status, reasons)
