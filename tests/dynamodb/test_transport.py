"""Both ways to DynamoDB, held to the same: our own, and botocore's."""

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
GOOD = (200, faults.BODY)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made between attempts."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """No variable of AWS's but these, and no file."""
    for name in (*BOTOCORE_VARIABLES, *(name for name in os.environ if name.startswith("AWS_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["ours", "botocore's"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> Any:
    """Makes a transport to a URL."""

    def to(url: str) -> Transport:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        if request.param == "ours":
            place = endpoint_in(os.environ)
            assert place
            return SignedTransport(place, sleep=slept.append)
        return BotocoreTransport()

    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(transport, "READ_SECONDS", 0.3)
    return to


def test_a_call_is_a_signed_post_of_json(way: Any) -> None:
    request = {
        "TableName": "a",
        "ExclusiveStartKey": {"k": {"B": base64.b64encode(b"\x00\xff").decode()}},
        "ExpressionAttributeValues": {":n": {"N": "1.50"}, ":s": {"S": "서울"}},
    }
    with faults.scripted_server(GOOD) as (url, had):
        assert way(url).send("Query", request) == GOOD[1]
    ((headers, body),) = had
    assert json.loads(body) == request
    assert headers["x-amz-target"] == "DynamoDB_20120810.Query"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["x-amz-security-token"] == "token"
    assert "/eu-west-1/dynamodb/aws4_request, SignedHeaders=" in headers["authorization"]


@pytest.mark.parametrize("answer", ["chunked", "announced", "old", "until closed", "continued", "more", "twice"])
def test_what_else_http_allows_is_an_answer_too(way: Any, slept: list[float], answer: str) -> None:
    with faults.scripted_server(answer, GOOD) as (url, had):
        here = way(url)
        assert [here.send("Query", {"TableName": "a"}) for _ in range(3)] == [GOOD[1]] * 3
    first, second, third = (headers["port"] for headers, _ in had)
    assert slept == []
    if isinstance(here, SignedTransport):
        assert first != second == third


def test_binary_of_an_item_goes_as_base64(way: Any) -> None:
    put = {"Put": {"TableName": "a", "Item": {"k": {"S": "x"}, "v": {"B": b"\x00\xff"}}}}
    with faults.scripted_server(GOOD) as (url, had):
        way(url).send("TransactWriteItems", {"TransactItems": [put], "ClientRequestToken": "t"})
    sent = json.loads(had[0][1])
    assert sent["TransactItems"][0]["Put"]["Item"]["v"] == {"B": "AP8="}


@pytest.mark.parametrize(
    "wrong",
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
def test_what_may_pass_is_tried_again(way: Any, slept: list[float], wrong: faults.Response) -> None:
    with faults.scripted_server(wrong, wrong, GOOD) as (url, had):
        assert way(url).send("Query", {"TableName": "a"}) == GOOD[1]
    assert len(had) == 3
    assert len(slept) == 2
    assert 0 <= slept[0] <= 1
    assert 0 <= slept[1] <= 2


@pytest.mark.parametrize(
    ("wrong", "code", "status", "attempts"),
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
def test_what_does_not_pass_is_an_error_with_its_code(
    way: Any, slept: list[float], wrong: faults.Response, code: str, status: int, attempts: int
) -> None:
    with faults.scripted_server(wrong) as (url, had), pytest.raises(DynamoDBError) as failed:
        way(url).send("Query", {"TableName": "a"})
    assert (failed.value.code, failed.value.status) == (code, status)
    assert len(had) == attempts
    assert len(slept) == attempts - 1


def test_a_cancelled_transaction_tells_the_reasons(way: Any) -> None:
    cancelled = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "cancelled",
        "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no"}],
    }
    with (
        faults.scripted_server((400, json.dumps(cancelled).encode())) as (url, _),
        pytest.raises(DynamoDBError) as failed,
    ):
        way(url).send("TransactWriteItems", {"TransactItems": []})
    assert failed.value.reasons == ("None", "ConditionalCheckFailed")
    assert failed.value.message == "cancelled"


def test_nobody_there_is_unreachable(way: Any) -> None:
    with pytest.raises(DynamoDBError) as failed:
        way("http://127.0.0.1:1").send("Query", {"TableName": "a"})
    assert failed.value.code == UNREACHABLE


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ("checksum", 0, "checksum"),
        ("half a head", 0, "the connection ended within the response"),
        ("endless head", 0, "the head of the response is too long"),
        ((400, b'{"__type": null}'), 400, "not an error of DynamoDB's"),
        ((400, b"[]"), 400, "not an error of DynamoDB's"),
    ],
)
def test_where_botocore_is_no_measure_it_is_an_error(
    slept: list[float], wrong: faults.Response, status: int, words: str
) -> None:
    with faults.scripted_server(wrong) as (url, had):
        place = endpoint_in({**ENVIRON, "AWS_ENDPOINT_URL": url})
        assert place
        with pytest.raises(DynamoDBError, match=words) as failed:
            SignedTransport(place, sleep=slept.append).send("Query", {})
    assert failed.value.status == status
    assert len(had) == (1 if status else 3)


def test_a_call_is_tried_again_on_a_connection_of_its_own(way: Any, slept: list[float]) -> None:
    """Where one that was kept no longer answers, another one may not either."""
    together, ended = threading.Barrier(3), threading.Event()

    class Once(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if hasattr(self, "answered"):
                ended.wait(5)
                self.close_connection = True
                return
            self.answered = True
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(5)
            self.wfile.write(faults.RESPONSE)

        def log_message(self, *_: object) -> None:
            pass

    with faults.serving(Once) as port:
        here = way(f"http://127.0.0.1:{port}")
        threads = [threading.Thread(target=here.send, args=("Query", {"TableName": "a"})) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        together.abort()
        assert here.send("Query", {"TableName": "a"}) == GOOD[1]
        ended.set()
    assert len(slept) == 1


def test_a_connection_is_kept_as_long_as_it_is_there(way: Any, slept: list[float]) -> None:
    for closing in (False, True):
        with faults.scripted_server(GOOD, closing=closing) as (url, had):
            here = way(url)
            for _ in range(5):
                here.send("Query", {"TableName": "a"})
                until = time.monotonic() + 0.05
                while time.monotonic() < until:
                    pass  # The other side hangs up meanwhile.
        assert len(had) == 5
        assert len({headers["port"] for headers, _ in had}) == (5 if closing else 1)
    assert slept == []


def test_what_says_no_more_than_all_that_it_takes_needs_no_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
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
    "more",
    [
        {},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000"},
    ],
)
def test_place_and_credentials_are_those_of_botocore(monkeypatch: pytest.MonkeyPatch, more: Mapping[str, str]) -> None:
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.get_session()
    client, keys = session.create_client("dynamodb"), session.get_credentials()
    place = endpoint_in(os.environ)
    assert place
    assert (place.url, place.region) == (client.meta.endpoint_url, client.meta.region_name)
    assert place.credentials == Credentials(keys.access_key, keys.secret_key, keys.token)


def test_the_hosts_of_all_regions_are_those_of_botocore() -> None:
    session = botocore.session.get_session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition)
    ]
    assert len(regions) > 30
    for region in regions:
        assert endpoint.default_url(region) == session.create_client("dynamodb", region).meta.endpoint_url


@pytest.mark.parametrize("known", [True, False])
def test_over_tls_the_other_side_is_who_it_says(
    monkeypatch: pytest.MonkeyPatch, slept: list[float], tmp_path: pathlib.Path, known: bool
) -> None:
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    if known:
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with faults.scripted_server(GOOD, tls=server) as (url, had):
        place = endpoint_in({**ENVIRON, "AWS_ENDPOINT_URL": url})
        assert place
        here = SignedTransport(place, sleep=slept.append)
        if known:
            assert [here.send("Query", {}) for _ in range(3)] == [GOOD[1]] * 3
        else:
            with pytest.raises(DynamoDBError, match="CERTIFICATE_VERIFY_FAILED"):
                here.send("Query", {})
    # One connection for all: messages of TLS itself do not end it.
    assert len({headers["port"] for headers, _ in had}) == known
