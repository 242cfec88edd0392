"""`chalice local` and the delivery of the stream, restarted when a file of the app changes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import click

from infra.errors import UserError
from local import emulator

POLL_SECONDS = 0.3

ModificationTimes = Mapping[pathlib.Path, int]  # nanoseconds


def _app_files() -> ModificationTimes:
    """Return the files of the app and when each was last modified."""
    paths = [pathlib.Path("app.py"), *pathlib.Path("chalicelib").rglob("*"), pathlib.Path(".chalice/config.json")]
    return {path: path.stat().st_mtime_ns for path in paths if path.is_file() and path.suffix != ".pyc"}


@dataclass(frozen=True)
class _App:
    """A `chalice local` process and the files that it was started from."""

    process: subprocess.Popen[bytes]
    files: ModificationTimes

    def is_changed(self) -> bool:
        return _app_files() != self.files

    def is_current(self) -> bool:
        return not self.is_changed() and self.process.poll() is None

    def is_ready(self, port: int) -> bool:
        """Wait until it accepts connections; return whether it does."""
        try:
            emulator.wait_for_port(port, self.process)
        except emulator.NotStarted:
            return False
        return True


def serve(port: int, environ: Mapping[str, str], on_ready: Callable[[], None]) -> None:
    """Run the app until interrupted, and call `on_ready` once, when it first accepts connections.

    Chalice's own reloader is off: it restarts for any file in the folder, such as those of tests or git.
    """
    chalice = str(pathlib.Path(sys.executable).with_name("chalice"))
    command = [chalice, "local", "--stage", "local", "--no-autoreload", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="tablecast-") as folder:
        delivery = [sys.executable, "-m", "local.stream", f"{folder}/checkpoint"] if "STREAM_ARN" in environ else []
        while True:
            files = _app_files()
            with emulator.child_process(command, environ) as process:
                app = _App(process, files)
                on_ready = _call_if_ready(app, port, on_ready)
                _wait_for_change(app, delivery, environ)
            click.echo("A file has changed: restarting.", err=True)


def _call_if_ready(app: _App, port: int, on_ready: Callable[[], None]) -> Callable[[], None]:
    """Call `on_ready` once the app accepts connections; return what to call after the next start."""
    if not app.is_ready(port):
        return on_ready
    on_ready()
    return lambda: None


def _wait_for_change(app: _App, delivery: list[str], environ: Mapping[str, str]) -> None:
    """Deliver the stream while the app runs, and return once a file has changed."""
    if delivery:
        _deliver(app, delivery, environ)
    while app.is_current():
        time.sleep(POLL_SECONDS)
    if app.process.poll() is not None:
        click.echo("`chalice local` has ended; the reason is above. It restarts when a file changes.", err=True)
    while not app.is_changed():
        time.sleep(POLL_SECONDS)


def _deliver(app: _App, command: list[str], environ: Mapping[str, str]) -> None:
    """Run the delivery of the stream while the app is current, and restart it if it ends."""
    while app.is_current():
        with emulator.child_process(command, environ) as process:
            while process.poll() is None and app.is_current():
                time.sleep(POLL_SECONDS)
        if app.is_current():
            click.echo("The delivery of the stream has ended: restarting it.", err=True)


@contextlib.contextmanager
def reserve_port(port: int) -> Iterator[None]:
    """Keep other runs of `python -m local` off `port` in this context. Raise UserError if it is in use."""
    in_use = UserError(f"Port {port} is in use. Stop what listens there, or choose another: make run PORT={port + 1}.")
    with open(pathlib.Path(tempfile.gettempdir()) / f"tablecast-{os.getuid()}-{port}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _check_bindable(port)
        except PermissionError:
            raise UserError(f"You may not listen on port {port}. Choose one above 1023.") from None
        except OSError:
            raise in_use from None
        yield


def _check_bindable(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
