"""The same tests for both transports to DynamoDB: the signed one and that of botocore."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import pathlib
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
import trustme

from chalicelib.dynamodb import endpoint, transport
from chalicelib.dynamodb.botocore_transport import BotocoreTransport
from chalicelib.dynamodb.endpoint import BOTOCORE_VARIABLES, Transport, connect, endpoint_in
from chalicelib.dynamodb.errors import UNREACHABLE, DynamoDBError
from chalicelib.dynamodb.signature_v4 import Credentials
from chalicelib.dynamodb.transport import SignedTransport
from tests import faults

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
OK = (200, faults.BODY)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses between attempts, in seconds, instead of sleeping. Return their list."""
    recorded: list[float] = []
    monkeypatch.setattr(time, "sleep", recorded.append)
    return recorded


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Remove all variables and files of AWS except ENVIRON."""
    for name in (*BOTOCORE_VARIABLES, *(name for name in os.environ if name.startswith("AWS_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["ours", "botocore's"])
def make_transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> Any:
    """Return a function that makes a transport to a URL."""

    def make(url: str) -> Transport:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        if request.param == "ours":
            parsed_endpoint = endpoint_in(os.environ)
            assert parsed_endpoint
            return SignedTransport(parsed_endpoint, sleep=pauses.append)
        return BotocoreTransport()

    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(transport, "READ_SECONDS", 0.3)
    return make


def test_call_is_a_signed_post_of_json(make_transport: Any) -> None:
    request = {
        "TableName": "a",
        "ExclusiveStartKey": {"k": {"B": base64.b64encode(b"\x00\xff").decode()}},
        "ExpressionAttributeValues": {":n": {"N": "1.50"}, ":s": {"S": "서울"}},
    }
    with faults.scripted_server(OK) as (url, requests):
        assert make_transport(url).send("Query", request) == OK[1]
    ((headers, body),) = requests
    assert json.loads(body) == request
    assert headers["x-amz-target"] == "DynamoDB_20120810.Query"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["x-amz-security-token"] == "token"
    assert "/eu-west-1/dynamodb/aws4_request, SignedHeaders=" in headers["authorization"]


@pytest.mark.parametrize("response", ["chunked", "announced", "old", "until closed", "continued", "more", "twice"])
def test_unusual_http_response_is_accepted(make_transport: Any, pauses: list[float], response: str) -> None:
    with faults.scripted_server(response, OK) as (url, requests):
        dynamodb = make_transport(url)
        assert [dynamodb.send("Query", {"TableName": "a"}) for _ in range(3)] == [OK[1]] * 3
    first, second, third = (headers["port"] for headers, _ in requests)
    assert pauses == []
    if isinstance(dynamodb, SignedTransport):
        assert first != second == third


def test_bytes_of_an_item_are_sent_as_base64(make_transport: Any) -> None:
    put = {"Put": {"TableName": "a", "Item": {"k": {"S": "x"}, "v": {"B": b"\x00\xff"}}}}
    with faults.scripted_server(OK) as (url, requests):
        make_transport(url).send("TransactWriteItems", {"TransactItems": [put], "ClientRequestToken": "t"})
    sent = json.loads(requests[0][1])
    assert sent["TransactItems"][0]["Put"]["Item"]["v"] == {"B": "AP8="}


@pytest.mark.parametrize(
    "fault",
    [
        (400, faults.error("ProvisionedThroughputExceededException", "slow down")),
        (400, faults.error("ThrottlingException", "slow down")),
        (400, faults.error("RequestLimitExceeded", "slow down")),
        (400, faults.error("TransactionInProgressException", "wait")),
        (500, faults.error("InternalServerError", "oh")),
        (503, b"<html>"),
        "reset",
        "nonsense",
        "endless head",
        "half",
        "half chunks",
        "huge chunk",
        "checksum",
        "slow",
    ],
)
def test_transient_failure_is_retried(make_transport: Any, pauses: list[float], fault: faults.Response) -> None:
    with faults.scripted_server(fault, fault, OK) as (url, requests):
        assert make_transport(url).send("Query", {"TableName": "a"}) == OK[1]
    assert len(requests) == 3
    assert len(pauses) == 2
    assert 0 <= pauses[0] <= 1
    assert 0 <= pauses[1] <= 2


@pytest.mark.parametrize(
    ("fault", "code", "status", "attempts"),
    [
        ((400, faults.error("ThrottlingException", "slow down")), "ThrottlingException", 400, 3),
        ((500, faults.error("InternalServerError", "oh")), "InternalServerError", 500, 3),
        ((503, b"<html>"), "503", 503, 3),
        ((501, b"<html>"), "501", 501, 1),
        ("reset", UNREACHABLE, 0, 3),
        ("nonsense", UNREACHABLE, 0, 3),
        ("half", UNREACHABLE, 0, 3),
        ("half chunks", UNREACHABLE, 0, 3),
        ("endless head", UNREACHABLE, 0, 3),
        ("slow", UNREACHABLE, 0, 3),
        ((400, faults.error("ValidationException", "no such")), "ValidationException", 400, 1),
        ((400, faults.error("ExpiredTokenException", "expired")), "ExpiredTokenException", 400, 1),
        ((400, faults.error("UnrecognizedClientException", "who")), "UnrecognizedClientException", 400, 1),
        ((400, faults.error("AccessDeniedException", "may not")), "AccessDeniedException", 400, 1),
        ((400, faults.error("ResourceNotFoundException", "none")), "ResourceNotFoundException", 400, 1),
    ],
)
def test_lasting_failure_is_an_error_with_its_code(
    make_transport: Any, pauses: list[float], fault: faults.Response, code: str, status: int, attempts: int
) -> None:
    with faults.scripted_server(fault) as (url, requests), pytest.raises(DynamoDBError) as error:
        make_transport(url).send("Query", {"TableName": "a"})
    assert (error.value.code, error.value.status) == (code, status)
    assert len(requests) == attempts
    assert len(pauses) == attempts - 1


def test_cancelled_transaction_has_its_reasons(make_transport: Any) -> None:
    cancelled = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "cancelled",
        "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no"}],
    }
    with (
        faults.scripted_server((400, json.dumps(cancelled).encode())) as (url, _),
        pytest.raises(DynamoDBError) as error,
    ):
        make_transport(url).send("TransactWriteItems", {"TransactItems": []})
    assert error.value.reasons == ("None", "ConditionalCheckFailed")
    assert error.value.message == "cancelled"


def test_refused_connection_is_unreachable(make_transport: Any) -> None:
    with pytest.raises(DynamoDBError) as error:
        make_transport("http://127.0.0.1:1").send("Query", {"TableName": "a"})
    assert error.value.code == UNREACHABLE


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("checksum", 0, "checksum"),
        ("half a head", 0, "the connection ended within the response"),
        ("endless head", 0, "the head of the response is too long"),
        ((400, b'{"__type": null}'), 400, "not an error of DynamoDB's"),
        ((400, b"[]"), 400, "not an error of DynamoDB's"),
    ],
)
def test_malformed_response_is_an_error_of_the_signed_transport(
    pauses: list[float], fault: faults.Response, status: int, message: str
) -> None:
    with faults.scripted_server(fault) as (url, requests):
        parsed_endpoint = endpoint_in({**ENVIRON, "AWS_ENDPOINT_URL": url})
        assert parsed_endpoint
        with pytest.raises(DynamoDBError, match=message) as error:
            SignedTransport(parsed_endpoint, sleep=pauses.append).send("Query", {})
    assert error.value.status == status
    assert len(requests) == (1 if status else 3)


def test_retry_uses_a_new_connection(make_transport: Any, pauses: list[float]) -> None:
    # If one kept connection no longer answers, the other kept ones may not answer either.
    barrier, finished = threading.Barrier(3), threading.Event()

    class OneResponse(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if hasattr(self, "answered"):
                finished.wait(5)
                self.close_connection = True
                return
            self.answered = True
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(5)
            self.wfile.write(faults.RESPONSE)

        def log_message(self, *_: object) -> None:
            pass

    with faults.serving(OneResponse) as port:
        dynamodb = make_transport(f"http://127.0.0.1:{port}")
        threads = [threading.Thread(target=dynamodb.send, args=("Query", {"TableName": "a"})) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        barrier.abort()
        assert dynamodb.send("Query", {"TableName": "a"}) == OK[1]
        finished.set()
    assert len(pauses) == 1


def test_connection_is_reused_until_the_server_closes_it(make_transport: Any, pauses: list[float]) -> None:
    for closing in (False, True):
        with faults.scripted_server(OK, closing=closing) as (url, requests):
            dynamodb = make_transport(url)
            for _ in range(5):
                dynamodb.send("Query", {"TableName": "a"})
                deadline = time.monotonic() + 0.05
                while time.monotonic() < deadline:
                    pass  # Meanwhile the server closes the connection.
        assert len(requests) == 5
        assert len({headers["port"] for headers, _ in requests}) == (5 if closing else 1)
    assert pauses == []


def test_botocore_is_used_only_if_the_environment_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(connect(os.environ), SignedTransport)
    for name in BOTOCORE_VARIABLES:
        assert isinstance(connect({**os.environ, name: "x"}), BotocoreTransport)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        assert isinstance(connect({**os.environ, name: ""}), BotocoreTransport)
    assert isinstance(connect({**os.environ, "AWS_ENDPOINT_URL": "http://a/path"}), BotocoreTransport)
    pathlib.Path("~/.aws").expanduser().mkdir()
    for name in ("config", "credentials"):
        file = pathlib.Path("~/.aws").expanduser() / name
        file.write_text("[default]\n")
        assert isinstance(connect(os.environ), BotocoreTransport)
        file.unlink()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000"},
    ],
)
def test_endpoint_and_credentials_equal_those_of_botocore(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.get_session()
    client, credentials = session.create_client("dynamodb"), session.get_credentials()
    parsed_endpoint = endpoint_in(os.environ)
    assert parsed_endpoint
    assert (parsed_endpoint.url, parsed_endpoint.region) == (client.meta.endpoint_url, client.meta.region_name)
    assert parsed_endpoint.credentials == Credentials(credentials.access_key, credentials.secret_key, credentials.token)


def test_default_url_of_each_region_equals_that_of_botocore() -> None:
    session = botocore.session.get_session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition)
    ]
    assert len(regions) > 30
    for region in regions:
        assert endpoint.default_url(region) == session.create_client("dynamodb", region).meta.endpoint_url


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_certificate_is_verified(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], tmp_path: pathlib.Path, trusted: bool
) -> None:
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    if trusted:
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with faults.scripted_server(OK, tls=server) as (url, requests):
        parsed_endpoint = endpoint_in({**ENVIRON, "AWS_ENDPOINT_URL": url})
        assert parsed_endpoint
        dynamodb = SignedTransport(parsed_endpoint, sleep=pauses.append)
        if trusted:
            assert [dynamodb.send("Query", {}) for _ in range(3)] == [OK[1]] * 3
        else:
            with pytest.raises(DynamoDBError, match="CERTIFICATE_VERIFY_FAILED"):
                dynamodb.send("Query", {})
    # All calls share one connection: messages of TLS itself do not count as a close by the server.
    assert len({headers["port"] for headers, _ in requests}) == trusted
