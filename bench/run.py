"""Measures: contenders in processes of their own, on one core, taking turns."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import click

from bench import events, stub
from bench.packages import Packages
from bench.results import Result
from bench.scenarios import COLD, CONTENDERS, GROWTH, LARGE_PAGE, WARM, Contender, Scenario
from local import emulator, sample
from local.writes import put

# The growing table's items are small, so that a million of them fit into the embedded DynamoDB.
GROWN = ("idx", "net", "time", "magType", "mag", "place")


def pin(process: subprocess.Popen[bytes], contender: bool) -> None:
    """Contenders are all on one core, which is theirs alone as they take turns: cores differ, more so on shared
    machines."""
    if hasattr(os, "sched_setaffinity"):
        *others, last = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, [last] if contender else others or [last])


class Worker:
    """A contender's process. The first that it is asked imports what it is."""

    def __init__(self, contender: Contender, process: subprocess.Popen[bytes]) -> None:
        self.contender = contender
        self._process = process

    def asked(self, handed: Sequence[dict[str, Any]]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(handed).encode() + b"\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise click.ClickException(f"{self.contender.module} ended: what it said is above")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("status", 200) >= 400:
            raise click.ClickException(f"{self.contender.module} answers {answer['status']}: {answer['said']}")
        return answer

    def handed(self, scenario: Scenario) -> list[dict[str, Any]]:
        """What the handler is to be given in a round, in turn."""
        if isinstance(scenario.ask, int):
            return [events.batch(scenario.ask) for _ in range(scenario.times)]
        had = self.asked([events.request(scenario.ask)])["tag"] if scenario.revalidate else None
        return [events.request(scenario.ask, had)] * scenario.times

    def round(self, scenario: Scenario, handed: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The figures of one round of `scenario`."""
        answer = self.asked(handed)
        if answer.get("items", scenario.items) != scenario.items:
            raise click.ClickException(
                f"{self.contender.module} answers {scenario.name!r} with {answer['items']} items, not {scenario.items}"
            )
        return answer


@contextlib.contextmanager
def worker(contender: Contender, packages: Packages, environ: Mapping[str, str]) -> Iterator[Worker]:
    command = [str(packages.python), "-P", str(pathlib.Path(__file__).with_name("worker.py"))]
    settings = {"PYTHONPATH": str(packages.root(contender)), "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with emulator.child_process(
        [*command, contender.module, contender.entry], {**environ, **settings, **contender.environ}, **pipes
    ) as process:
        pin(process, contender=True)
        yield Worker(contender, process)
        assert process.stdin
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


class Stub:
    """The stub, and what was taken from it since it was last asked."""

    def __init__(self, url: str) -> None:
        self.url = url

    def taken(self) -> stub.Taken:
        with urllib.request.urlopen(self.url) as answer:
            return stub.Taken(*json.load(answer))


@contextlib.contextmanager
def stubbed(*upstream: str) -> Iterator[Stub]:
    port = emulator.free_port()
    with emulator.child_process([sys.executable, "-m", "bench.stub", str(port), *upstream], os.environ) as process:
        pin(process, contender=False)
        emulator.wait_for_port(port, process)
        yield Stub(f"http://127.0.0.1:{port}")


@dataclass
class Rounds:
    """What the rounds of one row said."""

    name: str
    scenario: Scenario
    answers: list[dict[str, Any]] = field(default_factory=list)
    taken: list[stub.Taken] = field(default_factory=list)

    def add(self, process: Worker, server: Stub) -> None:
        """One round more."""
        handed = process.handed(self.scenario)
        server.taken()
        self.answers.append(process.round(self.scenario, handed))
        self.taken.append(server.taken())

    def peaks(self) -> list[float]:
        return [round(answer["peak_mb"], 1) for answer in self.answers]

    def result(self, peak_mb: list[float]) -> Result:
        def each(figure: str) -> float:
            taken: float = statistics.median(getattr(one, figure) for one in self.taken)
            return taken / self.scenario.times

        return Result(
            scenario=self.scenario.name,
            contender=self.name,
            items=self.scenario.items,
            sent=self.answers[-1].get("sent", 0),
            calls=each("calls"),
            read_bytes=each("read_bytes"),
            read_units=each("read_units"),
            write_units=each("write_units"),
            cpu_ms=[round(answer["cpu"] * 1000, 4) for answer in self.answers],
            wall_ms=[round(answer["wall"] * 1000, 4) for answer in self.answers],
            peak_mb=peak_mb,
        )


def measured(packages: Packages, rounds: int, fresh_rounds: int) -> list[Result]:
    """Every scenario against the stub."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(stubbed())
        environ = {**emulator.environment(server.url), "TABLE_NAME": stub.TABLE, "MAX_LIMIT": "2000"}
        cold = fresh(packages, environ, server, fresh_rounds)
        used = dict.fromkeys(key for scenario in WARM for key in scenario.contenders)
        workers = {key: stack.enter_context(worker(CONTENDERS[key], packages, environ)) for key in used}
        warm = [
            (workers[key], Rounds(workers[key].contender.name, scenario))
            for scenario in WARM
            for key in scenario.contenders
        ]
        taking_turns(warm, server, rounds, "Warm")
    # What a process has had resident is of all that it was asked: a page's is that of a fresh one.
    peaks = {(row.name, row.scenario.name): row.peaks() for row in cold}
    return [
        *(row.result(row.peaks()) for row in cold if row.scenario is COLD),
        *(row.result(peaks.get((row.name, row.scenario.name), [])) for _, row in warm),
    ]


def fresh(packages: Packages, environ: Mapping[str, str], server: Stub, rounds: int) -> list[Rounds]:
    """A process for each contender in each round: its first answer, and what it takes for a large page."""
    rows = {key: [Rounds(CONTENDERS[key].name, scenario) for scenario in (COLD, LARGE_PAGE)] for key in COLD.contenders}
    with click.progressbar(length=rounds * len(rows), label="Cold starts", file=sys.stderr) as bar:
        for _ in range(rounds):
            for key, asked in rows.items():
                with worker(CONTENDERS[key], packages, environ) as process:
                    for row in asked:
                        row.add(process, server)
                bar.update(1)
    return [row for asked in rows.values() for row in asked]


def taking_turns(rows: Sequence[tuple[Worker, Rounds]], server: Stub, rounds: int, label: str) -> None:
    """Rounds of warm processes. What slows the machine slows them all."""
    for process, row in rows:
        process.round(row.scenario, process.handed(row.scenario))  # Connections, schema, caches.
    with click.progressbar(length=rounds * len(rows), label=label, file=sys.stderr) as bar:
        for _ in range(rounds):
            for process, row in rows:
                row.add(process, server)
                bar.update(1)


def load(endpoint: str, size: int, bar: Any) -> str:
    """A table of `size` small items in the embedded DynamoDB, with the sample's indexes."""
    name, client = f"bench-{size}", boto3.client("dynamodb", endpoint_url=endpoint)
    client.create_table(**{**sample.TABLE, "TableName": name, "StreamSpecification": {"StreamEnabled": False}})
    quakes = [{part: quake[part] for part in GROWN if part in quake} for quake in sample.items()]
    for start in range(0, size, 10_000):
        numbers = range(start, min(size, start + 10_000))
        items = [(number, {**quakes[number % len(quakes)], "idx": {"S": f"{number:07}"}}) for number in numbers]
        if refused := put(client, name, items, bar.update):
            raise click.ClickException(refused[0])
    return name


def growth(packages: Packages, sizes: Sequence[int], rounds: int) -> list[Result]:
    """The same requests of tables of each size, in the embedded DynamoDB."""
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(emulator.running())
        server = stack.enter_context(stubbed(endpoint))
        workers = []
        with click.progressbar(length=sum(sizes), label="Making tables", file=sys.stderr) as bar:
            for size in sizes:
                environ = {**emulator.environment(server.url), "TABLE_NAME": load(endpoint, size, bar)}
                workers.append(stack.enter_context(worker(CONTENDERS["tablecast"], packages, environ)))
        rows = [
            (process, Rounds(f"{size:,} items", scenario))
            for scenario in GROWTH
            for size, process in zip(sizes, workers, strict=True)
        ]
        taking_turns(rows, server, rounds, "By size")
    return [row.result([]) for _, row in rows]
