"""The zip that is deployed: what is in it, and what Lambda's own client makes of its answers."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from importlib.util import cache_from_source
from typing import Any

import pytest

from chalicelib.web.formats import MAX_BODY_BYTES
from local import emulator, sample
from local.writes import put
from scripts import setup
from tests.changes.test_records import stream_record
from tests.conftest import ROOT, copy_project

SECONDS = 10
LAMBDA_BYTES = 6_291_556
TABLE = "packaged"
KOREAN = "서울의 봄"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = copy_project(tmp_path_factory.mktemp("package"))
    for within in ("chalicelib", "chalicelib/query"):
        (folder / within / "__pycache__").mkdir(exist_ok=True)
        (folder / within / "__pycache__/gone.cpython-311.pyc").write_bytes(b"of a file that is no more")
    setup.bytecode(sys.executable, folder / "chalicelib")
    chalice = pathlib.Path(sys.executable).with_name("chalice")
    command = [str(chalice), "package", "--stage", "stack", "out"]
    environ = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return folder / "out/deployment.zip"


def test_the_zip_holds_the_app_and_what_it_needs(package: pathlib.Path) -> None:
    with zipfile.ZipFile(package) as zipped:
        files = {pathlib.PurePath(name) for name in zipped.namelist()}
    ours = {path.relative_to(ROOT) for path in (ROOT / "chalicelib").rglob("*") if path.is_file()}
    ours = {path for path in ours if path.suffix != ".pyc"}
    compiled = {pathlib.PurePath(cache_from_source(path)) for path in ours if path.suffix == ".py"}
    runtime = {pathlib.PurePath("chalice/__init__.py"), pathlib.PurePath("chalice/app.py")}
    required = {file for file in files if file.parts[0].startswith("orjson")}
    assert files - required == {pathlib.PurePath("app.py"), *ours, *compiled, *runtime}
    assert {file.parts[0].split("-")[0] for file in required} == {"orjson"}
    assert package.stat().st_size < 1_000_000


def test_what_is_in_the_zip_starts_without_being_compiled(package: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(tmp_path)  # All is of now then, as it is of another time in Lambda.
    command = [
        sys.executable,
        "-v",
        "-c",
        "import chalicelib.web.api, chalicelib.openapi.document, chalicelib.web.explorer.page",
    ]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stderr.splitlines()
    ours = [line for line in said if line.startswith("# code object from") and "/chalicelib/" in line]
    assert len(ours) > 20
    assert [line for line in ours if ".pyc" not in line] == []


class Runtime(http.server.ThreadingHTTPServer):
    """Lambda's runtime API: hands out the events that are put to it, and keeps what comes back."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Invocations)
        self.events: queue.Queue[bytes] = queue.Queue()
        self.answers: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def invoke(self, event: dict[str, Any]) -> tuple[str, bytes]:
        """`response` or `error`, and its bytes."""
        self.events.put(json.dumps(event).encode())
        return self.answers.get(timeout=SECONDS)


class Invocations(http.server.BaseHTTPRequestHandler):
    server: Runtime
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        event = self.server.events.get()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 29_000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if chunked else self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path.rsplit("/", 1)[-1], body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: Any) -> None:
        pass


def uncovered() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COV_")}


@contextlib.contextmanager
def started(unpacked: pathlib.Path, handler: str, **settings: str) -> Iterator[Runtime]:
    """Lambda's own client with `handler` of the zip, asking a runtime of ours for events."""
    runtime = Runtime()
    threading.Thread(target=runtime.serve_forever, daemon=True).start()
    lambdas = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server_port}",
        "LAMBDA_TASK_ROOT": str(unpacked),
        "PYTHONPATH": str(unpacked),
        "TABLE_NAME": TABLE,
    }
    command = [sys.executable, "-m", "awslambdaric", handler]
    try:
        with emulator.child_process(
            command, {**uncovered(), **lambdas, **settings}, cwd=unpacked, stdout=subprocess.DEVNULL
        ):
            yield runtime
    finally:
        runtime.shutdown()
        runtime.server_close()


@pytest.fixture(scope="module")
def unpacked(package: pathlib.Path) -> pathlib.Path:
    to = package.parent / "unpacked"
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(to)
    return to


@pytest.fixture(scope="module")
def items(dynamodb: Any) -> list[dict[str, Any]]:
    """A table of items that come to about 2.5 MB of JSON, whose bytes are mostly of letters of three bytes each."""
    dynamodb.create_table(**{**sample.TABLE, "TableName": TABLE})
    items = [
        {
            "idx": {"S": f"{KOREAN} {n:04d}"},
            "net": {"S": "us" if n % 2 else KOREAN},
            "time": {"N": str(n)},
            "text": {"S": KOREAN * 170},
        }
        for n in range(1000)
    ]
    assert put(dynamodb, TABLE, list(enumerate(items)), lambda _: None) == []
    return items


def event(path: str, headers: dict[str, str] | None = None, /, **query: str) -> dict[str, Any]:
    """What API Gateway hands to the function of a REST API."""
    partition = path.removeprefix("/items/") if path.startswith("/items/") else None
    resource = "/items/{partition}" if partition else path
    return {
        "resource": resource,
        "path": path,
        "httpMethod": "GET",
        "headers": headers or {},
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": {"partition": partition} if partition else None,
        "stageVariables": None,
        "requestContext": {"resourcePath": resource, "httpMethod": "GET", "path": f"/api{path}", "stage": "api"},
        "body": None,
        "isBase64Encoded": False,
    }


def answered(runtime: Runtime, asked: dict[str, Any]) -> dict[str, Any]:
    """The answer that API Gateway is given, which is text, and small enough for Lambda."""
    kind, sent = runtime.invoke(asked)
    assert kind == "response", sent
    assert len(sent) <= LAMBDA_BYTES
    answer: dict[str, Any] = json.loads(sent)
    assert isinstance(answer["body"], str)
    assert not answer.get("isBase64Encoded")
    return answer


def headers_of(answer: dict[str, Any]) -> dict[str, str]:
    lists: dict[str, list[str]] = answer["multiValueHeaders"]
    single: dict[str, str] = answer["headers"]
    return {name: values[0] for name, values in lists.items()} | single


def test_pages_of_the_largest_arrive_whole(unpacked: pathlib.Path, items: list[dict[str, Any]]) -> None:
    wanted = {item["idx"]["S"]: item["text"]["S"] for item in items}
    with started(unpacked, "app.app") as runtime:
        page = json.loads(answered(runtime, event("/items", _limit="400"))["body"])
        assert page["count"] == 400
        largest, query = 0, {"_limit": "1000"}
        got: dict[str, str] = {}
        while query:
            body = answered(runtime, event("/items", None, **query))["body"]
            largest = max(largest, len(body.encode()))
            page = json.loads(body)
            got |= {item["idx"]: item["text"] for item in page["items"]}
            query = {"_limit": "1000", "_cursor": page["next"].split("_cursor=")[1]} if page["next"] else {}
        assert got == wanted
        assert 900_000 < largest <= MAX_BODY_BYTES


def test_korean_text_is_asked_for_and_answered_as_it_is(unpacked: pathlib.Path, items: list[dict[str, Any]]) -> None:
    with started(unpacked, "app.app") as runtime:
        answer = answered(runtime, event("/items", net=KOREAN, _limit="3", _sort="time", _fields="net"))
        assert json.loads(answer["body"])["items"] == [{"net": KOREAN}] * 3
        assert headers_of(answer)["X-Plan"] == "Query index=by_net"
        encoded = "".join(f"%{byte:02X}" for byte in f"{KOREAN} 0007".encode())
        one = answered(runtime, event(f"/items/{encoded}", _fields="idx,time"))
        assert json.loads(one["body"]) == {"idx": f"{KOREAN} 0007", "time": "7"}


def test_a_304_and_errors_are_answers(unpacked: pathlib.Path, items: list[dict[str, Any]], dynamodb: Any) -> None:
    feed = f"{TABLE}-feed"
    dynamodb.create_table(**sample.feed_table(feed))
    with started(unpacked, "app.app", FEED_TABLE=feed) as runtime:
        first = answered(runtime, event("/items", _limit="1"))
        tag = headers_of(first)["ETag"]
        same = answered(runtime, event("/items", {"If-None-Match": tag}, _limit="1"))
        assert (same["statusCode"], same["body"], headers_of(same)["ETag"]) == (304, "", tag)

        for asked, status in {"1 or 2": 400, "nobody": 404}.items():
            answer = answered(
                runtime,
                event("/items", _limit=asked) if status == 400 else event(f"/items/{asked}"),
            )
            problem, headers = json.loads(answer["body"]), headers_of(answer)
            assert (answer["statusCode"], problem["status"]) == (status, status)
            assert (headers["Content-Type"], headers["Access-Control-Allow-Origin"]) == (
                "application/problem+json",
                "*",
            )
    with started(unpacked, "app.app", TABLE_NAME="absent") as runtime:
        answer = answered(runtime, event("/items"))
        assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (503, 503)


def test_the_handler_files_a_batch_or_fails_for_lambda_to_send_it_again(
    unpacked: pathlib.Path, items: list[dict[str, Any]], dynamodb: Any
) -> None:
    feed = f"{TABLE}-handled"
    settings = {"FEED_TABLE": feed, "STREAM_ARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}/stream/now"}
    batch = {"Records": [stream_record(KOREAN, TABLE, time.time(), new={"text": {"S": KOREAN}})]}
    with started(unpacked, "app.on_change", **settings) as runtime:
        kind, sent = runtime.invoke(batch)
        assert (kind, json.loads(sent)["errorType"]) == ("error", "DynamoDBError")
        assert json.loads(sent)["errorMessage"].startswith("ResourceNotFoundException: ")
        dynamodb.create_table(**sample.feed_table(feed))
        assert [runtime.invoke(batch)[0] for _ in range(2)] == ["response", "response"]
    with started(unpacked, "app.app", **settings) as runtime:
        told = json.loads(answered(runtime, event("/changes", _since="0"))["body"])
        assert [change["new"] for change in told["changes"]] == [{"idx": KOREAN, "text": KOREAN}]


def test_it_is_the_zip_that_runs(unpacked: pathlib.Path) -> None:
    where = "import app, chalice, orjson; print(*(one.__file__ for one in (app, app.settings, chalice, orjson)))"
    environ = {**uncovered(), "PYTHONPATH": str(unpacked), "TABLE_NAME": TABLE}
    said = subprocess.run(
        [sys.executable, "-c", where], cwd=unpacked, env=environ, capture_output=True, text=True, check=True
    )
    assert all(file.startswith(f"{unpacked}/") for file in said.stdout.split())
