"""`python -m bench`: measure this project and its peers in one run."""

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

from bench import charts, packages, report, run, tables
from bench.scenarios import FRESH_ROUNDS, QUICK_FRESH_ROUNDS, QUICK_ROUNDS, QUICK_SIZES, ROUNDS, SIZES
from local import emulator

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = (ROOT / "docs/performance.md", ROOT / "README.md")
CHARTS = ROOT / "docs/bench"
MIN_SIZE = 1_000  # The lookup by size reads the item of key 0000500.


class Sizes(click.ParamType[Any]):
    """Parse a comma-separated list of table sizes to a tuple without repetitions."""

    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(int(size) for size in value.split(",") if size)
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers. Write one such as 1000,100000.", param, ctx)
        if any(size < MIN_SIZE for size in sizes):
            self.fail(f"{value!r} contains a size below {MIN_SIZE:,}. Write sizes of at least that.", param, ctx)
        return tuple(dict.fromkeys(sizes))


def check_writable(ctx: Any, param: Any, path: str | None) -> str | None:
    """Return `path`. Raise BadParameter if it cannot be written, before minutes of measuring."""
    if path:
        try:
            open(path, "a").close()
        except OSError as error:
            raise click.BadParameter(f"{path}: {error.strerror}. Name a file that can be written.") from None
    return path


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Few rounds and small tables, in about a minute: to check that it runs.")
@click.option(
    "--sizes",
    type=Sizes(),
    metavar="N,N",
    help="Table sizes to compare in the embedded DynamoDB. Default: 1000,100000. '' for none. 1,000,000 items take "
    "three more minutes and some GB of memory.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILENAME",
    callback=check_writable,
    help="Write the figures of all rounds to this file.",
)
@click.option(
    "--from", "saved", type=click.File(), metavar="FILENAME", help="Report a file written by --json. Measure nothing."
)
@click.option("--docs", is_flag=True, help="Write figures into docs/performance.md and README.md, and draw the charts.")
def main(quick: bool, sizes: tuple[int, ...] | None, json_file: str | None, saved: Any, docs: bool) -> None:
    """Measure CPU and wall time of whole requests through Lambda handlers, from API Gateway's event to the proxy
    response: of this project's zip, and of other ways to publish a table. Compute their costs in dollars.

    DynamoDB is a stub in another process that answers at once, so that only the handler is measured. The contenders run
    in turns on one core. Ratios are comparable between machines; milliseconds are not. Takes about five minutes, and
    needs a network the first time. Exits with 1 if a goal is missed.

    \b
      python -m bench --quick
      python -m bench --docs --sizes 1000,100000,1000000
    """
    measured = read(saved) if saved else measure(quick, sizes)
    click.echo(report.terminal(measured))
    if json_file:
        pathlib.Path(json_file).write_text(json.dumps(report.as_json(measured), indent=1))
    if docs:
        write_docs(measured)
    sys.exit(0 if tables.all_met(measured.results) else 1)


def read(saved: Any) -> report.Run:
    """Return the run in the open file `saved`. Raise ClickException if --json did not write it."""
    try:
        return report.from_json(json.load(saved))
    except (KeyError, TypeError, ValueError) as error:
        raise click.ClickException(f"{saved.name} was not written by --json: {error}") from None


def measure(quick: bool, sizes: tuple[int, ...] | None) -> report.Run:
    """Measure all scenarios. Raise ClickException if a process does not start or answers wrongly."""
    rounds, fresh_rounds = (QUICK_ROUNDS, QUICK_FRESH_ROUNDS) if quick else (ROUNDS, FRESH_ROUNDS)
    if sizes is None:
        sizes = QUICK_SIZES if quick else SIZES
    os.environ.update(emulator.environment("http://127.0.0.1:1"))
    try:
        with tempfile.TemporaryDirectory() as folder:
            code = packages.prepare(pathlib.Path(folder))
            results = run.measure(code, rounds, fresh_rounds)
            if sizes:
                results += run.measure_sizes(code, sizes, rounds)
    except emulator.NotStarted:
        raise click.ClickException("The stub or the embedded DynamoDB did not start. Its output is above.") from None
    return report.Run(
        date=time.strftime("%Y-%m-%d"),
        command=shlex.join(["python", "-m", "bench", *["--quick"] * quick, "--sizes", ",".join(map(str, sizes))]),
        machine=f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}",
        versions=packages.versions(),
        rounds=rounds,
        fresh_rounds=fresh_rounds,
        results=results,
    )


def write_docs(measured: report.Run) -> None:
    """Fill the marked sections of the documents, and draw the charts."""
    sections = report.sections(measured)
    for document in DOCUMENTS:
        document.write_text(report.fill(document.read_text(), sections))
    shutil.rmtree(CHARTS, ignore_errors=True)  # Removes charts that are no longer drawn.
    CHARTS.mkdir()
    for name, chart in charts.charts(measured.results).items():
        (CHARTS / name).write_text(chart)


if __name__ == "__main__":
    main()
