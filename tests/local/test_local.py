"""`python -m local` as users run it: in a clone, called over HTTP, stopped by Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local import emulator
from tests.conftest import copy_project

SECONDS = 60


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return copy_project(tmp_path_factory.mktemp("clone"))


def of_process(pid: int, file: str) -> str:
    """Return a file of /proc about a process; "" if it has ended."""
    try:
        return (pathlib.Path("/proc") / str(pid) / file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def processes(module: str) -> list[int]:
    pids = [int(folder.name) for folder in pathlib.Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if module in of_process(pid, "cmdline")]


class Run:
    """A `python -m local` that is ready."""

    def __init__(self, process: subprocess.Popen[str], output: str, port: int) -> None:
        self.process, self.output, self.port = process, output, port

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return response.status, dict(response.headers), json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), json.loads(error.read() or b"null")

    @property
    def endpoint(self) -> str:
        return str(re.findall(r"DynamoDB:  (\S+)", self.output)[0])

    def child(self, module: str) -> int:
        """Return the id of the child process that runs `module`, once it has started."""
        until = time.monotonic() + SECONDS
        while not (found := [pid for pid in processes(module) if f" {self.process.pid} " in of_process(pid, "stat")]):
            assert time.monotonic() < until, f"no process runs {module}"
            time.sleep(0.05)
        (pid,) = found
        return pid

    def dynamodb(self) -> Any:
        """Return a client made from what was printed."""
        printed = dict(re.findall(r"(AWS_\w+)=(\S+)", self.output))
        return boto3.client(
            "dynamodb",
            endpoint_url=self.endpoint,
            region_name=printed["AWS_DEFAULT_REGION"],
            aws_access_key_id=printed["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=printed["AWS_SECRET_ACCESS_KEY"],
        )

    def wait_for_position(self, position: int, seconds: float = SECONDS) -> float:
        """Wait until /changes is at `position`; return the seconds it took."""
        began = time.monotonic()
        while self.get("/changes")[2]["next"] < position:
            assert time.monotonic() < began + seconds, f"not at {position} within {seconds} seconds"
            time.sleep(0.05)
        return time.monotonic() - began


@contextlib.contextmanager
def running(clone: pathlib.Path, *options: str) -> Iterator[Run]:
    port = emulator.free_port()
    command = [sys.executable, "-m", "local", "--port", str(port), *options]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    process = subprocess.Popen(
        command, cwd=clone, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    output = ""
    try:
        for line in process.stdout:
            output += line
            if line.startswith("Ctrl-C"):
                break
        assert "Ctrl-C" in output, output
        # A line per request follows; unread, they would fill the pipe.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Run(process, output, port)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=SECONDS)
        process.stdout.close()
    assert process.returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the API outlived its Ctrl-C"
    (database,) = re.findall(r"DynamoDB:  http://127.0.0.1:(\d+)", output)
    if "--endpoint-url" not in options:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(database))) != 0, "the emulator outlived its Ctrl-C"


def refused(clone: pathlib.Path, *options: str) -> str:
    """Return the line that an invalid call ends with: no traceback, a non-zero exit code."""
    command = [sys.executable, "-m", "local", *options]
    ended = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode not in (0, None)
    *before, line = ended.stderr.splitlines()
    assert all(text.startswith(("Starting", "Not loaded", "1 row")) for text in before), ended.stderr
    return line


def test_documented_commands_print_what_the_docs_say(clone: pathlib.Path) -> None:
    answers, documented = {}, []
    for page in ("README.md", "docs/api.md"):
        blocks = re.findall(r"```console\n(.*?)```", (clone / page).read_text(), re.DOTALL)
        commands = [
            command for block in blocks for command in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
        ]
        assert len(commands) > 5
        documented += commands
    with running(clone) as run:
        run.wait_for_position(1707)
        for command, _ in documented:
            here = command.replace("localhost:8000", f"localhost:{run.port}").replace("python3", sys.executable)
            answer = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=SECONDS, check=True)
            answers[command] = answer.stdout.strip()
    assert answers == {command: expected.strip() for command, expected in documented}


def test_run_with_the_sample(clone: pathlib.Path) -> None:
    with running(clone) as run:
        tries = re.findall(r"curl '?http://127.0.0.1:\d+([^'\n]*)", run.output)
        assert len(tries) == 3
        for path in tries:
            assert run.get(path)[0] == 200
        status, headers, body = run.get(tries[-1])
        assert headers["X-Plan"] == "Query index=by_net"
        assert (status, body["count"]) == (200, 39)
        assert run.get("/")[2]["table"] == "study_test"

        status, headers, _ = run.get("/items", "OPTIONS", Origin="https://example.org")
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "GET" in headers["Access-Control-Allow-Methods"]
        assert "If-None-Match" in headers["Access-Control-Allow-Headers"]
        assert run.get("/items", "POST")[0] == 405

        assert f"Port {run.port} is in use" in refused(clone, "--port", str(run.port))
        check_changes_are_live(run)
        check_existing_emulator(clone, run.endpoint)
        check_change_is_reloaded(clone, run)
        # Two processes have delivered the stream, and each change is in the feed once: the sample, the change above and
        # its reversal by the second load. A delivery that is killed is restarted.
        assert run.get("/changes")[2]["next"] == 1709
        os.kill(run.child("local.stream"), signal.SIGKILL)
        run.dynamodb().put_item(TableName="study_test", Item={"idx": {"S": "after"}})
        run.wait_for_position(1710)
        assert [change["key"] for change in run.get("/changes?_since=1709")[2]["changes"]] == [{"idx": "after"}]


def check_changes_are_live(run: Run) -> None:
    run.wait_for_position(1707)
    table = run.dynamodb()
    first = run.get("/items?_limit=5")
    tag, idx = first[1]["ETag"], first[2]["items"][0]["idx"]
    time.sleep(1.1)
    status, headers, body = run.get("/items?_limit=5", **{"If-None-Match": tag})
    assert (status, body, headers["X-Consumed-Capacity"]) == (304, None, "1")
    again = run.get("/items?_limit=5")
    assert (again[0], again[2]) == (200, first[2])
    assert float(again[1]["X-Consumed-Capacity"]) <= 1
    table.update_item(
        TableName="study_test",
        Key={"idx": {"S": idx}},
        UpdateExpression="SET mag = :mag",
        ExpressionAttributeValues={":mag": {"N": "9.5"}},
    )
    run.wait_for_position(1708, seconds=2)
    (change,) = run.get("/changes?_since=1707")[2]["changes"]
    assert (change["op"], change["key"], change["new"]["mag"]) == ("modify", {"idx": idx}, "9.5")
    time.sleep(1)  # FRESHNESS_SECONDS
    status, headers, body = run.get("/items?_limit=5", **{"If-None-Match": tag})
    assert (status, body["items"][0]["mag"]) == (200, "9.5")
    assert headers["ETag"] != tag


def check_existing_emulator(clone: pathlib.Path, endpoint: str) -> None:
    with running(clone, "--endpoint-url", endpoint) as second:
        assert second.get("/items?net=us&mag__gte=5&_sort=-time")[2]["count"] == 39
    other = clone.parent / "study_test.csv"
    other.write_text("name,time\na,1\n")
    line = refused(
        clone, "--endpoint-url", endpoint, "--table-file", str(other), "--partition-key", "name", "--port", "0"
    )
    assert "--port" in line
    line = refused(
        clone,
        *("--endpoint-url", endpoint, "--table-file", str(other), "--partition-key", "name"),
        *("--port", str(emulator.free_port())),
    )
    assert line == "tablecast: Table study_test exists with other keys (idx). Rename the file."


def check_change_is_reloaded(clone: pathlib.Path, run: Run) -> None:
    app = clone / "app.py"
    app.write_text(
        app.read_text() + '\n\n@app.route("/added")\ndef added() -> dict[str, bool]:\n    return {"is": True}\n'
    )
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if run.get("/added")[0] == 200:
                return
        time.sleep(0.2)
    raise AssertionError("app.py changed and the app did not")


def test_run_with_writes(clone: pathlib.Path) -> None:
    with running(clone, "--writes", "20") as run:
        run.wait_for_position(1720)
        seen, position = [], 1707
        for _ in range(10):
            page = run.get(f"/changes?_since={position}")[2]
            seen += page["changes"]
            position = page["next"]
            time.sleep(0.3)
        assert [change["position"] for change in seen] == list(range(1708, position + 1))
        assert len(seen) > 30
        assert {change["op"] for change in seen} <= {"insert", "modify", "remove"}


def test_run_with_a_table_file(clone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    orders = tmp_path / "my orders.csv"
    orders.write_text("customer,date,total\nanna,2026-01-02,12.50\nanna,2026-01-01,7\nben\n서울/1,2026-01-03,1e3\n")
    with running(clone, "--table-file", str(orders), "--partition-key", "customer", "--sort-key", "date") as run:
        assert "Not loaded: line 4: 1 cells, but the header has 3" in run.output
        assert "1 row not loaded. All others are." in run.output
        assert run.get("/")[2]["table"] == "my_orders"
        assert run.get("/items/anna")[2]["items"] == [
            {"customer": "anna", "date": "2026-01-01", "total": "7"},
            {"customer": "anna", "date": "2026-01-02", "total": "12.5"},
        ]
        for path in re.findall(r"curl '?http://127.0.0.1:\d+([^'\n]*)", run.output):
            assert run.get(path)[0] == 200


def test_row_refused_by_dynamodb_is_reported_with_its_line(clone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    rows = tmp_path / "rows.ndjson"
    rows.write_text("".join(json.dumps({"id": n, "text": "x" * (450_000 if n == 2 else 5)}) + "\n" for n in range(4)))
    with running(clone, "--table-file", str(rows), "--partition-key", "id") as run:
        assert re.search(r"Not loaded: line 3: .*maximum allowed size", run.output)
        assert run.get("/items")[2]["count"] == 3


def test_invalid_setting_is_reported_before_anything_starts(
    clone: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBERS", "float")
    assert refused(clone) == "tablecast: NUMBERS is 'float'. Use string or number."


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--table-file", "none.csv"], "tablecast: --table-file needs --partition-key"),
        (["--partition-key", "id"], "tablecast: --partition-key and --sort-key need --table-file"),
        (["--table-file", "none.csv", "--partition-key", "id"], "tablecast: none.csv cannot be read: No such file"),
        (["--endpoint-url", "nonsense"], "tablecast: --endpoint-url 'nonsense' is not a URL. Write one such as"),
        (["--endpoint-url", "http://a:b"], "tablecast: --endpoint-url 'http://a:b' is not a URL"),
        (
            ["--endpoint-url", "https://dynamodb.us-east-1.amazonaws.com"],
            "tablecast: --endpoint-url accepts only emulators",
        ),
        (["--endpoint-url", "http://127.0.0.1:1"], "tablecast: http://127.0.0.1:1: Could not connect"),
        (["--port", "99999"], "tablecast: Invalid value for '--port'"),
        (["--writes", "0"], "tablecast: Invalid value for '--writes'"),
        (["--writes", "2", "--table-file", "a.csv"], "tablecast: --writes changes the sample table"),
        (["--sample"], "tablecast: No such option"),
    ],
)
def test_invalid_option_is_reported_in_one_line(clone: pathlib.Path, options: list[str], line: str) -> None:
    port = [] if "--port" in options else ["--port", str(emulator.free_port())]
    assert refused(clone, *port, *options).startswith(line)


def test_help_lists_the_options(clone: pathlib.Path) -> None:
    command = [sys.executable, "-m", "local", "--help"]
    output = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True).stdout
    for option in ("--table-file", "--partition-key", "--sort-key", "--endpoint-url", "--writes", "--port"):
        assert option in output
