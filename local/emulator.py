"""The embedded AWS: MiniStack in a child process. `python -m local.emulator` serves on GATEWAY_PORT."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.dynamodb.endpoint import BOTOCORE_VARIABLES

START_SECONDS = 30.0
END_SECONDS = 5.0

# MiniStack accepts any credentials. Real ones must never reach it, nor a profile that may not exist.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}


class NotStarted(Exception):
    """A child process ended, or accepted no connection in time."""


def environment(endpoint: str) -> dict[str, str]:
    """Return this process's environment with DynamoDB at `endpoint`, and without anything else that leads to AWS."""
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
    """Yield the URL of an emulator that runs in this context with MiniStack's `settings`. Raise NotStarted."""
    port = free_port()
    # Lambda functions that run in it inherit its environment, which must not lead to the real AWS.
    environ = {**_without_aws(), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "ERROR", **settings}
    with child_process([sys.executable, "-m", "local.emulator"], environ, stdout=subprocess.DEVNULL) as process:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def child_process(command: list[str], environ: Mapping[str, str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that runs `command`. Leaving the context ends it and all processes that it started."""
    # In its own session, so that one signal reaches all of them. Without our terminal: a package that Chalice imports
    # queries the terminal, and the answers would appear on the screen.
    options = {"stdin": subprocess.DEVNULL, **options}
    process = None
    try:
        with _interrupts_postponed():
            process = subprocess.Popen(command, env=dict(environ), start_new_session=True, **options)
        yield process
    finally:
        if process:
            with _interrupts_postponed():
                _end(process)


@contextlib.contextmanager
def _interrupts_postponed() -> Iterator[None]:
    """Raise KeyboardInterrupt after the context, not within it: while a process starts or ends, it would leave the
    process behind."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Interrupts arrive in the main thread.
        return
    interrupted = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    replaced = {number: handler for number, handler in handlers.items() if handler is signal.default_int_handler}
    for number in replaced:
        signal.signal(number, lambda *_: interrupted.append(True))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
    if interrupted:
        raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once `process` accepts connections on `port`. Raise NotStarted if it ends, or after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NotStarted


def serve() -> None:
    """Serve MiniStack with its differences from AWS corrected."""
    # Imported here: it sets up logging for the whole process.
    from ministack import app

    from local import ministack_patches

    ministack_patches.apply()
    app.main()


if __name__ == "__main__":
    sys.argv[1:] = []
    serve()
