"""`python -m bench`: this project and the usual handler, side by side in one run."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import truediv
from typing import Any

import boto3
import click

from bench.stub import FEED_TABLE, STREAM_ARN
from bench.worker import Ask, batch
from chalicelib import feed, settings
from chalicelib.stream import changes_of
from local import emulator, sample
from local.writes import put

ROUNDS = 25
SIZES = (1_000, 100_000)


@dataclass(frozen=True)
class Row:
    """What one contender is asked, so often in a round. `ask`: a request, or the number of records
    in a stream's batch. `goal`: the most that its CPU may be of that of the usual handler's row before."""

    name: str
    contender: str
    ask: Ask | int
    times: int
    goal: float | None = None
    revalidate: bool = False


LARGE: Ask = ("/items", {}, {"_limit": "2000"})
ONE: Ask = ("/items/{partition}", {"partition": "a"}, {})
HUNDRED: Ask = ("/items", {}, {"_limit": "100"})
BATCH = 1000
BATCHES = (1, 10, 25, 100, 250, 1000)

# contender -> its module, and the settings it has beside the table's name. With FRESHNESS_SECONDS=0 each request reads
# the feed's head.
CONTENDERS: dict[str, tuple[str, dict[str, str]]] = {
    "usual": ("usual", {}),
    "tablecast": ("tablecast", {}),
    "with a feed": ("tablecast", {"FEED_TABLE": FEED_TABLE, "STREAM_ARN": STREAM_ARN, "FRESHNESS_SECONDS": "0"}),
}
AGAINST_STUB = (
    Row("one-item lookup", "usual", ONE, 50),
    Row("one-item lookup", "tablecast", ONE, 50, goal=0.90),
    Row("1 MB page", "usual", LARGE, 1),
    Row("1 MB page", "tablecast", LARGE, 1, goal=0.20),
    Row("the same, had", "with a feed", LARGE, 20, goal=0.02, revalidate=True),
    Row("the same, kept", "with a feed", LARGE, 20, goal=0.02),
    Row("batch of changes", "with a feed", BATCH, 1),
)


@contextlib.contextmanager
def stub() -> Iterator[str]:
    port = emulator.free_port()
    with emulator.ended([sys.executable, "-m", "bench.stub", str(port)], os.environ) as process:
        emulator.wait_for(port, process)
        yield f"http://127.0.0.1:{port}"


class Contender:
    """A worker process that is asked for one round at a time."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self._process = process

    def round(self, row: Row) -> dict[str, float]:
        what = {"batch": row.ask} if isinstance(row.ask, int) else {"event": row.ask, "revalidate": row.revalidate}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({**what, "times": row.times}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise click.ClickException(f"{self.name} ended in {row.name!r}: what it said is above")
        figures: dict[str, float] = json.loads(line)
        return figures


@contextlib.contextmanager
def contender(name: str, environ: Mapping[str, str]) -> Iterator[Contender]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    module, set_beside = CONTENDERS[name]
    with emulator.ended([sys.executable, "-m", "bench.worker", module], {**environ, **set_beside}, **pipes) as process:
        # All on one core, which is theirs alone as they take turns: cores differ, more so on shared machines.
        if cores := sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []:
            os.sched_setaffinity(process.pid, cores[-1:])
        yield Contender(name, process)
        assert process.stdin
        process.stdin.close()


def measured(rows: list[tuple[Contender, Row]], bar: Any) -> list[dict[str, Any]]:
    """Medians and spread of each row, from rounds that take turns, so that what slows the machine slows them all."""
    figures: list[list[dict[str, float]]] = [[] for _ in rows]
    for who, row in rows:
        who.round(row)  # Warm: connections, schema, caches.
    for _ in range(ROUNDS):
        for number, (who, row) in enumerate(rows):
            figures[number].append(who.round(row))
            bar.update(1)
    return [
        {
            "scenario": row.name,
            "contender": who.name,
            "items": int(rounds[0]["count"]),
            "read_units": statistics.median(figure["units"] for figure in rounds),
            **{
                f"{clock}_ms": round(statistics.median(figure[clock] for figure in rounds) * 1000, 3)
                for clock in ("cpu", "wall")
            },
            "cpu_rounds_ms": [round(figure["cpu"] * 1000, 3) for figure in rounds],
            "cpu_spread_ms": [round(at(figure["cpu"] for figure in rounds) * 1000, 3) for at in (min, max)],
        }
        for (who, row), rounds in zip(rows, figures, strict=True)
    ]


def load(endpoint: str, size: int, bar: Any) -> str:
    """A table of `size` items of the sample's form, made in the embedded DynamoDB."""
    name, client = f"bench-{size}", boto3.client("dynamodb", endpoint_url=endpoint)
    key = [{"AttributeName": "idx", "KeyType": "HASH"}]
    types = [{"AttributeName": "idx", "AttributeType": "S"}]
    client.create_table(TableName=name, KeySchema=key, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
    quakes = sample.items()
    items = [{**quakes[number % len(quakes)], "idx": {"S": f"{number:06d}"}} for number in range(size)]
    if refused := put(client, name, list(enumerate(items)), bar.update):
        raise click.ClickException(refused[0])
    return name


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "file", type=click.File("w"), help="Write the figures to this file too, as JSON.")
@click.option(
    "--sizes/--no-sizes", default=True, help="Whether to compare tables of 1,000 and 100,000 items (a minute)."
)
def main(file: Any, sizes: bool) -> None:
    """CPU and wall time of whole requests through the Lambda handler: API Gateway event in, proxy response out.

    A stub DynamoDB in a process of its own answers at once, so that what is measured is the handler. The contenders
    take turns in one run; ratios hold from machine to machine, milliseconds do not.
    """
    os.environ.update(emulator.environment("http://127.0.0.1:1"))
    results: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(stub())
        environ = {**emulator.environment(url), "TABLE_NAME": sample.TABLE["TableName"], "MAX_LIMIT": "2000"}
        contenders = {name: stack.enter_context(contender(name, environ)) for name in CONTENDERS}
        rows = [(contenders[row.contender], row) for row in AGAINST_STUB]
        with click.progressbar(length=len(rows) * ROUNDS, label="Against the stub", file=sys.stderr) as bar:
            results += measured(rows, bar)
    goals_met = report(results)
    filed = entries()
    if sizes:
        results += growth()
    if file:
        json.dump({"machine": machine(), "rounds": ROUNDS, "results": results, "entries": filed}, file, indent=1)
    sys.exit(0 if goals_met else 1)


def report(results: list[dict[str, Any]]) -> bool:
    """Prints the table; whether every goal is met."""
    click.echo(f"\n{machine()}, medians of {ROUNDS} rounds\n")
    columns = "".join(f"{name:>10}" for name in ("items", "units", "CPU ms", "wall ms", "ratio", "goal"))
    click.echo(f"{'':18}{'contender':12}{columns}")
    met = True
    for row, result in zip(AGAINST_STUB, results, strict=True):
        compared = ""
        if row.contender == "usual":
            usual = result["cpu_rounds_ms"]
        if row.goal:
            # The median of what each round says: what slows one round slows both contenders in it.
            ratio = statistics.median(map(truediv, result["cpu_rounds_ms"], usual))
            met = met and ratio <= row.goal
            compared = f"{ratio:10.3f}{row.goal:10.2f}"
        click.echo(
            f"{row.name:18}{row.contender:12}{result['items']:10}{result['read_units']:10g}"
            f"{result['cpu_ms']:10.2f}{result['wall_ms']:10.2f}{compared}"
        )
    filed = results[-1]
    click.echo(f"\nThe handler files {filed['items'] / filed['cpu_ms'] * 1000:,.0f} changes a second of CPU.")
    return met


def entries() -> dict[str, Any]:
    """What a batch takes in the feed: bytes, and the write units of the transaction that files it."""
    feed_settings = settings.read({"TABLE_NAME": sample.TABLE["TableName"], "FEED_TABLE": FEED_TABLE})
    sizes: dict[str, Any] = {}
    for changes in BATCHES:
        items = feed.entry_items(
            changes_of(batch(changes), feed_settings), "feed", 1, feed.Head(changes, "bench", 1.8e9)
        )
        stored = [sum(len(name) + len(next(iter(value.values()))) for name, value in item.items()) for item in items]
        # A transaction takes twice the units, and moves the head beside.
        sizes[str(changes)] = {"bytes": sum(stored), "write_units": 2 + 2 * sum(-(-size // 1024) for size in stored)}
    click.echo(f"\n{'An entry of changes':>30}{'KB':>10}{'write units':>14}")
    for number, taken in sizes.items():
        click.echo(f"{number:>30}{taken['bytes'] / 1024:10.1f}{taken['write_units']:14}")
    return sizes


def growth() -> list[dict[str, Any]]:
    """The same page of tables of other sizes, in the embedded DynamoDB."""
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(emulator.running())
        rows = []
        with click.progressbar(length=sum(SIZES), label="\nMaking tables", file=sys.stderr) as bar:
            for size in SIZES:
                environ = {**emulator.environment(endpoint), "TABLE_NAME": load(endpoint, size, bar)}
                who = stack.enter_context(contender("tablecast", environ))
                rows.append((who, Row(f"page of {size:,}", "tablecast", HUNDRED, 5)))
        with click.progressbar(length=len(rows) * ROUNDS, label="A page of each", file=sys.stderr) as bar:
            results = measured(rows, bar)
    ratio = statistics.median(map(truediv, results[1]["cpu_rounds_ms"], results[0]["cpu_rounds_ms"]))
    click.echo(f"\nThe page of the larger table takes {ratio:.2f} of the CPU of the smaller one's:\n")
    for result in results:
        low, high = result["cpu_spread_ms"]
        click.echo(
            f"{result['scenario']:18}{'tablecast':12}{result['items']:7}{result['cpu_ms']:10.2f}   {low} to {high}"
        )
    return results


def machine() -> str:
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"


if __name__ == "__main__":
    main()
