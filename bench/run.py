"""Measure the contenders: in a process each, on one core, in alternating rounds."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import click

from bench import stub
from bench.packages import Packages
from bench.results import Result
from bench.scenarios import COLD, CONTENDERS, GROWTH, LARGE_PAGE, WARM, Scenario
from bench.workers import Stub, Worker, running_stub, worker
from local import emulator, sample
from local.writes import put

# Small items, so that a million of them fit into the embedded DynamoDB.
SMALL_ITEM_ATTRIBUTES = ("idx", "net", "time", "magType", "mag", "place")
LOAD_CHUNK = 10_000


@dataclass
class Measurement:
    """The rounds of one contender, or table size, in one scenario."""

    name: str
    scenario: Scenario
    figures: list[dict[str, Any]] = field(default_factory=list)
    usages: list[stub.Usage] = field(default_factory=list)

    def add_round(self, process: Worker, server: Stub) -> None:
        events = process.round_events(self.scenario)
        server.usage()  # Resets the counters.
        self.figures.append(process.run_round(self.scenario, events))
        self.usages.append(server.usage())

    def peaks(self) -> list[float]:
        """Return the peak memory in MB of each round."""
        return [round(figures["peak_mb"], 1) for figures in self.figures]

    def result(self, peak_mb: list[float]) -> Result:
        """Return the row of these rounds, with `peak_mb` of fresh processes."""

        def per_request(name: str) -> float:
            median: float = statistics.median(getattr(usage, name) for usage in self.usages)
            return median / self.scenario.times

        return Result(
            scenario=self.scenario.name,
            contender=self.name,
            items=self.scenario.items,
            sent=self.figures[-1].get("sent", 0),
            calls=per_request("calls"),
            read_bytes=per_request("read_bytes"),
            read_units=per_request("read_units"),
            write_units=per_request("write_units"),
            cpu_ms=[round(figures["cpu"] * 1000, 4) for figures in self.figures],
            wall_ms=[round(figures["wall"] * 1000, 4) for figures in self.figures],
            peak_mb=peak_mb,
        )


def measure(packages: Packages, rounds: int, fresh_rounds: int) -> list[Result]:
    """Return the results of all scenarios against the stub."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_stub())
        environ = {**emulator.environment(server.url), "TABLE_NAME": stub.TABLE, "MAX_LIMIT": "2000"}
        cold = _measure_cold(packages, environ, server, fresh_rounds)
        keys = dict.fromkeys(key for scenario in WARM for key in scenario.contenders)
        workers = {key: stack.enter_context(worker(CONTENDERS[key], packages, environ)) for key in keys}
        warm = [
            (workers[key], Measurement(workers[key].contender.name, scenario))
            for scenario in WARM
            for key in scenario.contenders
        ]
        _alternate(warm, server, rounds, "Warm")
    # A warm process's peak covers all scenarios that it ran, so the peak of a page is that of a fresh process.
    peaks = {(row.name, row.scenario.name): row.peaks() for row in cold}
    return [
        *(row.result(row.peaks()) for row in cold if row.scenario is COLD),
        *(row.result(peaks.get((row.name, row.scenario.name), [])) for _, row in warm),
    ]


def _measure_cold(packages: Packages, environ: Mapping[str, str], server: Stub, rounds: int) -> list[Measurement]:
    """Start a process per contender and round; measure its first answer, then a large page."""
    scenarios = (COLD, LARGE_PAGE)
    rows = {key: [Measurement(CONTENDERS[key].name, scenario) for scenario in scenarios] for key in COLD.contenders}
    order = [(key, measurements) for _ in range(rounds) for key, measurements in rows.items()]
    with click.progressbar(order, label="Cold starts", file=sys.stderr) as bar:
        for key, measurements in bar:
            with worker(CONTENDERS[key], packages, environ) as process:
                _add_rounds([(process, row) for row in measurements], server)
    return [row for measurements in rows.values() for row in measurements]


def _add_rounds(rows: Sequence[tuple[Worker, Measurement]], server: Stub) -> None:
    for process, row in rows:
        row.add_round(process, server)


def _alternate(rows: Sequence[tuple[Worker, Measurement]], server: Stub, rounds: int, label: str) -> None:
    """Run the rounds of warm processes in turn, so that what slows the machine slows all of them."""
    for process, row in rows:
        process.run_round(row.scenario, process.round_events(row.scenario))  # Connections, schema, caches.
    with click.progressbar([pair for _ in range(rounds) for pair in rows], label=label, file=sys.stderr) as bar:
        for process, row in bar:
            row.add_round(process, server)


def measure_sizes(packages: Packages, sizes: Sequence[int], rounds: int) -> list[Result]:
    """Return the results of the same requests to tables of each size in the embedded DynamoDB."""
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(emulator.running())
        server = stack.enter_context(running_stub(endpoint))
        workers = []
        with click.progressbar(length=sum(sizes), label="Creating tables", file=sys.stderr) as bar:
            for size in sizes:
                environ = {**emulator.environment(server.url), "TABLE_NAME": _create_table(endpoint, size, bar)}
                workers.append(stack.enter_context(worker(CONTENDERS["tablecast"], packages, environ)))
        rows = [
            (process, Measurement(f"{size:,} items", scenario))
            for scenario in GROWTH
            for size, process in zip(sizes, workers, strict=True)
        ]
        _alternate(rows, server, rounds, "By size")
    return [row.result([]) for _, row in rows]


def _create_table(endpoint: str, size: int, bar: Any) -> str:
    """Create a table of `size` small items with the sample's indexes; return its name."""
    name, client = f"bench-{size}", boto3.client("dynamodb", endpoint_url=endpoint)
    client.create_table(**{**sample.TABLE, "TableName": name, "StreamSpecification": {"StreamEnabled": False}})
    quakes = [{part: quake[part] for part in SMALL_ITEM_ATTRIBUTES if part in quake} for quake in sample.items()]
    for start in range(0, size, LOAD_CHUNK):
        numbers = range(start, min(size, start + LOAD_CHUNK))
        items = [(number, {**quakes[number % len(quakes)], "idx": {"S": f"{number:07}"}}) for number in numbers]
        if errors := put(client, name, items, bar.update):
            raise click.ClickException(errors[0])
    return name
