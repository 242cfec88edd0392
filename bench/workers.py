"""Child processes of a run: one per contender, and the stub of DynamoDB."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from bench import events, stub
from bench.packages import Packages
from bench.scenarios import Contender, Scenario
from local import emulator

Event = dict[str, Any]


def _pin(process: subprocess.Popen[bytes], contender: bool) -> None:
    """Run contenders on one core and nothing else there: cores differ, more so on shared machines."""
    if hasattr(os, "sched_setaffinity"):
        *others, last = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, [last] if contender else others or [last])


class Worker:
    """A contender's process (worker.py)."""

    def __init__(self, contender: Contender, process: subprocess.Popen[bytes]) -> None:
        self.contender = contender
        self._process = process

    def send(self, round_events: Sequence[Event]) -> dict[str, Any]:
        """Return the figures of one round. Raise ClickException if the process ends or answers with an error."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(round_events).encode() + b"\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise click.ClickException(f"{self.contender.module} ended. Its output is above.")
        figures: dict[str, Any] = json.loads(line)
        if figures.get("status", 200) >= 400:
            raise click.ClickException(f"{self.contender.module} answers {figures['status']}: {figures['error']}")
        return figures

    def round_events(self, scenario: Scenario) -> list[Event]:
        """Return the events of one round, in order."""
        if isinstance(scenario.request, int):
            return [events.stream_event(scenario.request) for _ in range(scenario.times)]
        etag = self.send([events.api_event(scenario.request)])["etag"] if scenario.revalidate else None
        return [events.api_event(scenario.request, etag)] * scenario.times

    def run_round(self, scenario: Scenario, round_events: Sequence[Event]) -> dict[str, Any]:
        """Return the figures of one round of `scenario`. Raise ClickException if the answer has other items."""
        figures = self.send(round_events)
        if figures.get("items", scenario.items) != scenario.items:
            raise click.ClickException(
                f"{self.contender.module} answers {scenario.name!r} with {figures['items']} items, not {scenario.items}"
            )
        return figures


@contextlib.contextmanager
def worker(contender: Contender, packages: Packages, environ: Mapping[str, str]) -> Iterator[Worker]:
    """Yield a new process of `contender`."""
    script = str(pathlib.Path(__file__).with_name("worker.py"))
    command = [str(packages.python), "-P", script, contender.module, contender.entry]
    python = {"PYTHONPATH": str(packages.root(contender)), "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with emulator.child_process(command, {**environ, **python, **contender.environ}, **pipes) as process:
        _pin(process, contender=True)
        yield Worker(contender, process)
        assert process.stdin
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


class Stub:
    """A running stub."""

    def __init__(self, url: str) -> None:
        self.url = url

    def usage(self) -> stub.Usage:
        """Return what was used since the last call."""
        with urllib.request.urlopen(self.url) as answer:
            return stub.Usage(*json.load(answer))


@contextlib.contextmanager
def running_stub(*upstream: str) -> Iterator[Stub]:
    """Yield a new stub, of the DynamoDB at the URL `upstream` if that is given."""
    port = emulator.free_port()
    with emulator.child_process([sys.executable, "-m", "bench.stub", str(port), *upstream], os.environ) as process:
        _pin(process, contender=False)
        emulator.wait_for_port(port, process)
        yield Stub(f"http://127.0.0.1:{port}")
