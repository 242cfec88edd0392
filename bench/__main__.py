"""`python -m bench`: this project and its peers, side by side in one run."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import shlex
import shutil
import sys
import tempfile
import time
from typing import Any

import click

from bench import packages, report, run
from bench.scenarios import FRESH_ROUNDS, QUICK_FRESH_ROUNDS, QUICK_ROUNDS, QUICK_SIZES, ROUNDS, SIZES
from local import emulator

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = (ROOT / "docs/performance.md", ROOT / "README.md")
CHARTS = ROOT / "docs/bench"
FEWEST = 1_000  # What is asked of a table by its size is there then.


class Sizes(click.ParamType[Any]):
    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(int(size) for size in value.split(",") if size)
        except ValueError:
            self.fail(f"{value!r} is no comma list of numbers: 1000,100000", param, ctx)
        if any(size < FEWEST for size in sizes):
            self.fail(f"{value!r}: a table has at least {FEWEST:,} items here", param, ctx)
        return tuple(dict.fromkeys(sizes))


def writable(ctx: Any, param: Any, path: str | None) -> str | None:
    """Before the measuring, which takes minutes."""
    if path:
        try:
            open(path, "a").close()
        except OSError as error:
            raise click.BadParameter(f"{path}: {error.strerror}") from None
    return path


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Few rounds and small tables: whether it runs, in about a minute.")
@click.option(
    "--sizes",
    type=Sizes(),
    metavar="N,N",
    help="Sizes of the tables to compare, in the embedded DynamoDB: 1000,100000 where it is left out, '' for none. "
    "1,000,000 items take three minutes more and some GB.",
)
@click.option(
    "--json",
    "to",
    metavar="FILENAME",
    callback=writable,
    help="Write the figures to this file too, a list of rounds each.",
)
@click.option(
    "--from", "saved", type=click.File(), help="Measure nothing: tell the figures of a file that --json wrote."
)
@click.option("--docs", is_flag=True, help="Write the figures into docs/performance.md and README.md, and the charts.")
def main(quick: bool, sizes: tuple[int, ...] | None, to: str | None, saved: Any, docs: bool) -> None:
    """CPU and wall time of whole requests through Lambda handlers, API Gateway's event in, proxy response out: of this
    project's zip, and of what else there is to publish a table with. Then dollars.

    A stub DynamoDB in a process of its own answers at once, so that what is measured is the handler. The contenders
    take turns on one core in one run; ratios hold from machine to machine, milliseconds do not. It takes about five
    minutes, the first time a network. Ends with 1 where a goal is missed.
    """
    told = read(saved) if saved else measured(quick, sizes)
    click.echo(report.terminal(told))
    if to:
        pathlib.Path(to).write_text(json.dumps(report.as_json(told), indent=1))
    if docs:
        write(told)
    sys.exit(0 if report.all_met(told.results) else 1)


def read(saved: Any) -> report.Run:
    try:
        return report.from_json(json.load(saved))
    except (KeyError, TypeError, ValueError) as error:
        raise click.ClickException(f"{saved.name} is no file that --json wrote: {error}") from None


def measured(quick: bool, sizes: tuple[int, ...] | None) -> report.Run:
    rounds, fresh_rounds = (QUICK_ROUNDS, QUICK_FRESH_ROUNDS) if quick else (ROUNDS, FRESH_ROUNDS)
    if sizes is None:
        sizes = QUICK_SIZES if quick else SIZES
    os.environ.update(emulator.environment("http://127.0.0.1:1"))
    try:
        with tempfile.TemporaryDirectory() as folder:
            ready = packages.ready(pathlib.Path(folder))
            results = run.measured(ready, rounds, fresh_rounds)
            if sizes:
                results += run.growth(ready, sizes, rounds)
    except emulator.NotStarted:
        raise click.ClickException("the stub or the embedded DynamoDB did not start: what it said is above") from None
    return report.Run(
        date=time.strftime("%Y-%m-%d"),
        command=shlex.join(["python", "-m", "bench", *["--quick"] * quick, "--sizes", ",".join(map(str, sizes))]),
        machine=f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}",
        versions=packages.versions(),
        rounds=rounds,
        fresh_rounds=fresh_rounds,
        results=results,
    )


def write(told: report.Run) -> None:
    parts = report.sections(told)
    for document in DOCUMENTS:
        document.write_text(report.filled(document.read_text(), parts))
    shutil.rmtree(CHARTS, ignore_errors=True)  # What is no longer drawn goes too.
    CHARTS.mkdir()
    for name, chart in report.charts(told.results).items():
        (CHARTS / name).write_text(chart)


if __name__ == "__main__":
    main()
