"""The embedded AWS: MiniStack, in a process of its own. `python -m local.emulator` serves on GATEWAY_PORT."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.dynamodb.endpoint import BOTOCORE_VARIABLES

START_SECONDS = 30.0

# Any credentials do there. Real ones must never reach it, nor a profile that may not exist.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}


class NotStarted(Exception):
    """The emulator ended, or did not answer, before it was ready."""


def environment(endpoint: str) -> dict[str, str]:
    """This process's environment, with `endpoint` as its DynamoDB and nothing else that leads to AWS."""
    endpoints = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": endpoint}
    return {**_without_aws(), **CREDENTIALS, **endpoints, "AWS_EC2_METADATA_DISABLED": "true"}


def _without_aws() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name not in BOTOCORE_VARIABLES
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(**settings: str) -> Iterator[str]:
    """The URL of an emulator that runs as long as this context, under MiniStack's `settings`. NotStarted: it could not
    be started."""
    port = free_port()
    # Functions that run in it have its environment: nothing there may lead them to another AWS.
    environ = {**_without_aws(), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "ERROR", **settings}
    with ended([sys.executable, "-m", "local.emulator"], environ, stdout=subprocess.DEVNULL) as process:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def ended(command: list[str], environ: Mapping[str, str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """`command`, ended with all that it started when this context ends."""
    # A session of its own, so that a signal ends it with all that it started. Not our terminal either: what Chalice
    # imports asks a terminal what it can do, and the answers end up on its screen.
    options = {"stdin": subprocess.DEVNULL, **options}
    process = subprocess.Popen(command, env=dict(environ), start_new_session=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns once `process` accepts connections on `port`. NotStarted: it ended, or START_SECONDS have passed."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NotStarted


def serve() -> None:
    """MiniStack 1.5.33, with AWS's behaviour in some places where it has another."""
    # Imported here: it sets up logging for the whole process.
    from ministack import app
    from ministack.services import apigateway_v1 as gateway
    from ministack.services import cloudwatch_logs as logs
    from ministack.services import dynamodb, lambda_svc

    trimmed = dynamodb._apply_index_projection
    begins_with = dynamodb._ExprEval._fn_begins_with

    def projected(item: dict[str, Any], table: dict[str, Any], index_name: str | None) -> dict[str, Any]:
        # What a local index does not hold is fetched from the table, not left out.
        local = {index["IndexName"] for index in table.get("LocalSecondaryIndexes") or ()}
        kept: dict[str, Any] = item if index_name in local else trimmed(item, table, index_name)
        return kept

    def starts(expression: Any) -> bool:
        # An attribute of another type than the prefix does not begin with it, which is no error.
        try:
            return bool(begins_with(expression))
        except ValueError as error:
            if str(error).endswith(("operand type: S", "operand type: B")):
                return False
            raise

    backed_up = dynamodb._update_continuous_backups

    def update_continuous_backups(data: dict[str, Any]) -> Any:
        # A table that is new has no backups for a moment.
        table = dynamodb._tables.get(data["TableName"])
        if table and time.time() - table["CreationDateTime"] < 2:
            words = f"Backups are being enabled for the table: {data['TableName']}. Please retry later"
            return dynamodb.error_response_json("ContinuousBackupsUnavailableException", words, 400)
        return backed_up(data)

    dynamodb._update_continuous_backups = update_continuous_backups
    dynamodb._apply_index_projection = projected
    dynamodb._ExprEval._fn_begins_with = starts

    imported = gateway._import_rest_api
    handled = gateway.handle_request

    def import_rest_api(document: dict[str, Any], *more: Any) -> Any:
        # A document's answers of API Gateway's own are its too.
        api = imported(document, *more)
        for kind, answer in document.get("x-amazon-apigateway-gateway-responses", {}).items():
            gateway._put_gateway_response(api, kind, answer)
        return api

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        # ImportRestApi and PutRestApi, as `chalice deploy` calls them, read the document they are given.
        api = path.removeprefix("/restapis").strip("/")
        if "mode" not in query or "/" in api:
            return await handled(method, path, headers, body, query)
        made = import_rest_api(json.loads(body))
        if method == "PUT":
            for store in (gateway._resources, gateway._gateway_responses):
                store[api] = store[made]
            gateway._delete_rest_api(made)
        return gateway._get_rest_api(api or made)

    logged = lambda_svc._emit_lambda_logs

    def emit_lambda_logs(function: dict[str, Any], *what: Any, **more: Any) -> None:
        # Our functions may not make a log group: what they say after theirs is deleted goes nowhere.
        if function["config"]["LoggingConfig"]["LogGroup"] in logs._log_groups:
            logged(function, *what, **more)

    lambda_svc._emit_lambda_logs = emit_lambda_logs
    gateway._import_rest_api = import_rest_api
    gateway.handle_request = handle_request
    app.main()


if __name__ == "__main__":
    sys.argv[1:] = []
    serve()
