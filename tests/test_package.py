"""The deployed zip: its files, and its responses through the runtime client of Lambda."""

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
    for subfolder in ("chalicelib", "chalicelib/query"):
        (folder / subfolder / "__pycache__").mkdir(exist_ok=True)
        (folder / subfolder / "__pycache__/gone.cpython-311.pyc").write_bytes(b"of a file that is no more")
    setup.bytecode(sys.executable, folder / "chalicelib")
    chalice = pathlib.Path(sys.executable).with_name("chalice")
    command = [str(chalice), "package", "--stage", "stack", "out"]
    environ = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return folder / "out/deployment.zip"


def test_zip_has_only_the_app_and_its_requirements(package: pathlib.Path) -> None:
    with zipfile.ZipFile(package) as zipped:
        files = {pathlib.PurePath(name) for name in zipped.namelist()}
    app_files = {path.relative_to(ROOT) for path in (ROOT / "chalicelib").rglob("*") if path.is_file()}
    app_files = {path for path in app_files if path.suffix != ".pyc"}
    compiled = {pathlib.PurePath(cache_from_source(path)) for path in app_files if path.suffix == ".py"}
    runtime = {pathlib.PurePath("chalice/__init__.py"), pathlib.PurePath("chalice/app.py")}
    required = {file for file in files if file.parts[0].startswith("orjson")}
    assert files - required == {pathlib.PurePath("app.py"), *app_files, *compiled, *runtime}
    assert {file.parts[0].split("-")[0] for file in required} == {"orjson"}
    assert package.stat().st_size < 1_000_000


def test_modules_in_the_zip_are_loaded_from_bytecode(package: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(tmp_path)  # Extraction changes the times of the files, as Lambda does.
    command = [
        sys.executable,
        "-v",
        "-c",
        "import chalicelib.web.api, chalicelib.openapi.document, chalicelib.web.explorer.page",
    ]
    lines = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stderr.splitlines()
    loaded = [line for line in lines if line.startswith("# code object from") and "/chalicelib/" in line]
    assert len(loaded) > 20
    assert [line for line in loaded if ".pyc" not in line] == []


class Runtime(http.server.ThreadingHTTPServer):
    """The runtime API of Lambda: it hands out queued events and collects the responses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeHandler)
        self.events: queue.Queue[bytes] = queue.Queue()
        self.responses: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def invoke(self, event: dict[str, Any]) -> tuple[str, bytes]:
        """Send `event` to the function. Return `response` or `error`, and its bytes."""
        self.events.put(json.dumps(event).encode())
        return self.responses.get(timeout=SECONDS)


class RuntimeHandler(http.server.BaseHTTPRequestHandler):
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
        self.server.responses.put((self.path.rsplit("/", 1)[-1], body))
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


def environ_without_coverage() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COV_")}


@contextlib.contextmanager
def running_function(unpacked: pathlib.Path, handler: str, **settings: str) -> Iterator[Runtime]:
    """Run the runtime client of Lambda with `handler` of the zip. Yield the runtime API that it asks for events."""
    runtime = Runtime()
    threading.Thread(target=runtime.serve_forever, daemon=True).start()
    lambda_environ = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server_port}",
        "LAMBDA_TASK_ROOT": str(unpacked),
        "PYTHONPATH": str(unpacked),
        "TABLE_NAME": TABLE,
    }
    command = [sys.executable, "-m", "awslambdaric", handler]
    try:
        with emulator.child_process(
            command,
            {**environ_without_coverage(), **lambda_environ, **settings},
            cwd=unpacked,
            stdout=subprocess.DEVNULL,
        ):
            yield runtime
    finally:
        runtime.shutdown()
        runtime.server_close()


@pytest.fixture(scope="module")
def unpacked(package: pathlib.Path) -> pathlib.Path:
    folder = package.parent / "unpacked"
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def items(dynamodb: Any) -> list[dict[str, Any]]:
    """Create a table with about 2.5 MB of JSON, mostly letters of three bytes each. Return its items."""
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


def api_event(path: str, headers: dict[str, str] | None = None, /, **query: str) -> dict[str, Any]:
    """Return the event that API Gateway sends to the function of a REST API."""
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


def response_to(runtime: Runtime, event: dict[str, Any]) -> dict[str, Any]:
    """Return the response to `event`. It must be text, and small enough for Lambda."""
    kind, payload = runtime.invoke(event)
    assert kind == "response", payload
    assert len(payload) <= LAMBDA_BYTES
    response: dict[str, Any] = json.loads(payload)
    assert isinstance(response["body"], str)
    assert not response.get("isBase64Encoded")
    return response


def headers_of(response: dict[str, Any]) -> dict[str, str]:
    lists: dict[str, list[str]] = response["multiValueHeaders"]
    single: dict[str, str] = response["headers"]
    return {name: values[0] for name, values in lists.items()} | single


def test_largest_pages_arrive_complete(unpacked: pathlib.Path, items: list[dict[str, Any]]) -> None:
    expected = {item["idx"]["S"]: item["text"]["S"] for item in items}
    with running_function(unpacked, "app.app") as runtime:
        page = json.loads(response_to(runtime, api_event("/items", _limit="400"))["body"])
        assert page["count"] == 400
        largest, query = 0, {"_limit": "1000"}
        received: dict[str, str] = {}
        while query:
            body = response_to(runtime, api_event("/items", None, **query))["body"]
            largest = max(largest, len(body.encode()))
            page = json.loads(body)
            received |= {item["idx"]: item["text"] for item in page["items"]}
            query = {"_limit": "1000", "_cursor": page["next"].split("_cursor=")[1]} if page["next"] else {}
        assert received == expected
        assert 900_000 < largest <= MAX_BODY_BYTES


def test_korean_text_is_unchanged_in_requests_and_responses(
    unpacked: pathlib.Path, items: list[dict[str, Any]]
) -> None:
    with running_function(unpacked, "app.app") as runtime:
        response = response_to(runtime, api_event("/items", net=KOREAN, _limit="3", _sort="time", _fields="net"))
        assert json.loads(response["body"])["items"] == [{"net": KOREAN}] * 3
        assert headers_of(response)["X-Plan"] == "Query index=by_net"
        encoded = "".join(f"%{byte:02X}" for byte in f"{KOREAN} 0007".encode())
        item_response = response_to(runtime, api_event(f"/items/{encoded}", _fields="idx,time"))
        assert json.loads(item_response["body"]) == {"idx": f"{KOREAN} 0007", "time": "7"}


def test_304_and_errors_are_valid_responses(unpacked: pathlib.Path, items: list[dict[str, Any]], dynamodb: Any) -> None:
    feed = f"{TABLE}-feed"
    dynamodb.create_table(**sample.feed_table(feed))
    with running_function(unpacked, "app.app", FEED_TABLE=feed) as runtime:
        first = response_to(runtime, api_event("/items", _limit="1"))
        tag = headers_of(first)["ETag"]
        unchanged = response_to(runtime, api_event("/items", {"If-None-Match": tag}, _limit="1"))
        assert (unchanged["statusCode"], unchanged["body"], headers_of(unchanged)["ETag"]) == (304, "", tag)

        for value, status in {"1 or 2": 400, "nobody": 404}.items():
            response = response_to(
                runtime,
                api_event("/items", _limit=value) if status == 400 else api_event(f"/items/{value}"),
            )
            problem, headers = json.loads(response["body"]), headers_of(response)
            assert (response["statusCode"], problem["status"]) == (status, status)
            assert (headers["Content-Type"], headers["Access-Control-Allow-Origin"]) == (
                "application/problem+json",
                "*",
            )
    with running_function(unpacked, "app.app", TABLE_NAME="absent") as runtime:
        response = response_to(runtime, api_event("/items"))
        assert (response["statusCode"], json.loads(response["body"])["status"]) == (503, 503)


def test_handler_records_a_batch_or_fails_so_that_lambda_repeats_it(
    unpacked: pathlib.Path, items: list[dict[str, Any]], dynamodb: Any
) -> None:
    feed = f"{TABLE}-handled"
    settings = {"FEED_TABLE": feed, "STREAM_ARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}/stream/now"}
    batch = {"Records": [stream_record(KOREAN, TABLE, time.time(), new={"text": {"S": KOREAN}})]}
    with running_function(unpacked, "app.on_change", **settings) as runtime:
        kind, payload = runtime.invoke(batch)
        assert (kind, json.loads(payload)["errorType"]) == ("error", "DynamoDBError")
        assert json.loads(payload)["errorMessage"].startswith("ResourceNotFoundException: ")
        dynamodb.create_table(**sample.feed_table(feed))
        assert [runtime.invoke(batch)[0] for _ in range(2)] == ["response", "response"]
    with running_function(unpacked, "app.app", **settings) as runtime:
        body = json.loads(response_to(runtime, api_event("/changes", _since="0"))["body"])
        assert [change["new"] for change in body["changes"]] == [{"idx": KOREAN, "text": KOREAN}]


def test_modules_are_imported_from_the_zip(unpacked: pathlib.Path) -> None:
    script = "import app, chalice, orjson; print(*(one.__file__ for one in (app, app.settings, chalice, orjson)))"
    environ = {**environ_without_coverage(), "PYTHONPATH": str(unpacked), "TABLE_NAME": TABLE}
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=unpacked, env=environ, capture_output=True, text=True, check=True
    )
    assert all(file.startswith(f"{unpacked}/") for file in result.stdout.split())
