"""`python -m local`: an embedded DynamoDB with a table in it, and `chalice local` over that table."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import settings
from chalicelib.dynamodb.items import TypedItem
from local import emulator, rows, sample
from local.writes import Numbered, put

# The tables are made here, whatever the shell names.
_OURS = {"TABLE_NAME", "FEED_TABLE", "STREAM_ARN"}

# How often the files and the processes are looked at.
POLL_SECONDS = 0.3


class Stop(click.ClickException):
    """One line that says why this cannot go on."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--table-file",
    type=click.Path(path_type=pathlib.Path),
    metavar="FILE",
    help="Your own data instead of the sample: a .json file (an array of objects), .ndjson (an object a line) or .csv "
    "(a header, then rows). Types are inferred; a row that cannot be loaded is reported by its line, the rest is.",
)
@click.option("--partition-key", metavar="NAME", help="The attribute of FILE that is the partition key.")
@click.option("--sort-key", metavar="NAME", help="The attribute of FILE that is the sort key, if there is one.")
@click.option(
    "--endpoint-url",
    metavar="URL",
    help="A DynamoDB emulator that is already there, instead of one of our own. The table is made there if it is not.",
)
@click.option(
    "--writes",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="N",
    help="Change the sample table N times a second, to see the feed and the ETags move: 2, or 0.1.",
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Where the API listens.")
def main(
    table_file: pathlib.Path | None,
    partition_key: str | None,
    sort_key: str | None,
    endpoint_url: str | None,
    writes: float | None,
    port: int,
) -> None:
    """Run Tablecast here, on sample data or your own.

    Starts an embedded DynamoDB on a free port, makes a table and loads it, and runs `chalice local --stage local` over
    it, which reloads when a file changes. The table's stream is delivered to `on_change`, as Lambda would. Needs no AWS
    account and no network. Ctrl-C ends all of it.

    \b
      python -m local
      python -m local --writes 2
      python -m local --table-file orders.csv --partition-key customer --sort-key date
      python -m local --endpoint-url http://127.0.0.1:8001
    """
    if writes and table_file:
        raise Stop("--writes changes the sample table: leave out --table-file")
    for name in _OURS:
        os.environ.pop(name, None)
    try:
        settings.read({**os.environ, "TABLE_NAME": sample.TABLE["TableName"]})
    except settings.SettingError as error:
        raise Stop(str(error)) from None
    definition, items = _table(table_file, partition_key, sort_key)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_reserved(port))
        endpoint = _checked(endpoint_url) if endpoint_url else stack.enter_context(_emulator())
        environ = emulator.environment(endpoint)
        if endpoint_url:
            # Emulators may keep a table an access key and region, so those who have set theirs mean them.
            environ |= {name: os.environ[name] for name in emulator.CREDENTIALS if name in os.environ}
        try:
            client = _client(environ)
            _load(client, definition, items)
            environ |= _feed(client, definition["TableName"])
        except (BotoCoreError, ClientError) as error:
            raise Stop(f"{endpoint}: {error}") from None
        if writes:
            threading.Thread(target=_write, args=(client, writes), daemon=True).start()
        _serve(port, environ, lambda: _say_what_to_try(port, endpoint, definition, items))


def _serve(port: int, environ: Mapping[str, str], ready: Callable[[], None]) -> None:
    """Runs `chalice local`, again whenever a file of the app changes, and calls `ready` when it first answers.

    Chalice's own reloader starts again for any file below, a test's or git's too.
    """
    chalice = str(pathlib.Path(sys.executable).with_name("chalice"))
    command = [chalice, "local", "--stage", "local", "--no-autoreload", "--port", str(port)]
    was_ready = False
    with tempfile.TemporaryDirectory(prefix="tablecast-") as folder:
        delivery = [sys.executable, "-m", "local.stream", f"{folder}/checkpoint"] if "STREAM_ARN" in environ else []
        while True:
            files = _app_files()
            with contextlib.ExitStack() as stack:
                api = stack.enter_context(emulator.ended(command, environ))
                with contextlib.suppress(emulator.NotStarted):
                    emulator.wait_for(port, api)
                    if not was_ready:
                        ready()
                    was_ready = True
                if delivery and _going(files, api):
                    _deliver(files, api, delivery, environ)
                while _going(files, api):
                    time.sleep(POLL_SECONDS)
                if api.poll() is not None:
                    click.echo("`chalice local` has ended, as said above. Mend a file and it starts again.", err=True)
                while _app_files() == files:
                    time.sleep(POLL_SECONDS)
            click.echo("A file has changed: starting again.", err=True)


def _going(files: dict[pathlib.Path, int], api: subprocess.Popen[bytes]) -> bool:
    """Whether the API runs, and is of the `files` as they are."""
    return _app_files() == files and api.poll() is None


def _deliver(
    files: dict[pathlib.Path, int], api: subprocess.Popen[bytes], delivery: list[str], environ: Mapping[str, str]
) -> None:
    """Runs the `delivery` of the stream, again where it ends, as long as the `api` is going."""
    while True:
        with emulator.ended(delivery, environ) as process:
            while process.poll() is None:
                if not _going(files, api):
                    return
                time.sleep(POLL_SECONDS)
        click.echo("The stream's delivery has ended, and is started again.", err=True)


def _app_files() -> dict[pathlib.Path, int]:
    """The files that the app is made of, and when each was changed."""
    found = [pathlib.Path("app.py"), *pathlib.Path("chalicelib").rglob("*"), pathlib.Path(".chalice/config.json")]
    return {path: path.stat().st_mtime_ns for path in found if path.is_file() and path.suffix != ".pyc"}


def _table(
    table_file: pathlib.Path | None, partition_key: str | None, sort_key: str | None
) -> tuple[dict[str, Any], list[Numbered]]:
    """Parameters of CreateTable, and the items to load."""
    if table_file is None:
        if partition_key or sort_key:
            raise Stop("--partition-key and --sort-key are of a --table-file: name it too")
        return sample.TABLE, list(enumerate(sample.items(), 1))
    if not partition_key:
        raise Stop("--table-file takes --partition-key too: the attribute that, with --sort-key if any, names each row")
    try:
        read = rows.read(table_file, partition_key, sort_key)
    except rows.FileError as error:
        raise Stop(str(error)) from None
    _report(read.bad)
    keys = [{"AttributeName": partition_key, "KeyType": "HASH"}]
    keys += [{"AttributeName": sort_key, "KeyType": "RANGE"}] if sort_key else []
    return {
        "TableName": re.sub(r"[^A-Za-z0-9_.-]", "_", table_file.stem).ljust(3, "_")[:255],
        "KeySchema": keys,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in read.types.items()],
        "StreamSpecification": sample.TABLE["StreamSpecification"],
        "BillingMode": "PAY_PER_REQUEST",
    }, read.items


@contextlib.contextmanager
def _reserved(port: int) -> Iterator[None]:
    """`port` kept from another `python -m local` until this one ends. Stop: it is in use."""
    taken = Stop(f"port {port} is in use: end what listens there, or take another with make run PORT={port + 1}")
    with open(pathlib.Path(tempfile.gettempdir()) / f"tablecast-{os.getuid()}-{port}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except BlockingIOError:
            raise taken from None
        except PermissionError:
            raise Stop(f"port {port} is not yours to open: take one above 1023") from None
        except OSError:
            raise taken from None
        yield


@contextlib.contextmanager
def _emulator() -> Iterator[str]:
    click.echo("Starting an embedded DynamoDB ...", err=True)
    try:
        with emulator.running() as endpoint:
            yield endpoint
    except emulator.NotStarted:
        raise Stop("the embedded DynamoDB did not start: python -m local.emulator says why") from None


def _checked(endpoint_url: str) -> str:
    """`endpoint_url`. Stop: it is none, or AWS itself, where nothing is to be made by a command for local runs."""
    try:
        parts = urlsplit(endpoint_url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise Stop(f"--endpoint-url is {endpoint_url!r}: it takes a URL such as http://127.0.0.1:8001")
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        raise Stop("--endpoint-url takes an emulator; to read a table of AWS, `TABLE_NAME=... chalice local` does")
    return endpoint_url


def _client(environ: Mapping[str, str]) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=environ["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name=environ["AWS_DEFAULT_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 2}),
    )


def _load(client: Any, definition: dict[str, Any], items: Sequence[Numbered]) -> None:
    """The table of `definition`, made where it is not there yet, with `items` in it."""
    name = definition["TableName"]
    try:
        client.create_table(**definition)
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    except client.exceptions.ResourceInUseException:
        there = client.describe_table(TableName=name)["Table"]["KeySchema"]
        if there != definition["KeySchema"]:
            names = ", ".join(key["AttributeName"] for key in there)
            raise Stop(f"there is a table {name} already, with other keys ({names}): rename the file") from None
    with click.progressbar(
        length=len(items), label=f"Loading {len(items):,} items into {name}", file=sys.stderr
    ) as bar:
        refused = put(client, name, items, bar.update)
    _report(refused)


def _feed(client: Any, table: str) -> dict[str, str]:
    """The settings of `table` and its change feed, whose own table is made where it is not there yet."""
    described = client.describe_table(TableName=table)["Table"]
    if not described.get("StreamSpecification", {}).get("StreamEnabled"):
        click.echo(f"{table} has no stream, so there is no change feed.", err=True)
        return {"TABLE_NAME": table}
    feed = f"{table[:250]}-feed"
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        client.create_table(**sample.feed_table(feed))
        client.get_waiter("table_exists").wait(TableName=feed, WaiterConfig={"Delay": 1})
        client.update_time_to_live(
            TableName=feed, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
    return {"TABLE_NAME": table, "FEED_TABLE": feed, "STREAM_ARN": described["LatestStreamArn"]}


def _write(client: Any, per_second: float) -> None:
    quakes, added = sample.items(), list[TypedItem]()
    while True:
        try:
            sample.change(client, sample.TABLE["TableName"], quakes, added)
        except (BotoCoreError, ClientError) as error:
            click.echo(f"--writes: {error}", err=True)
        time.sleep(1 / per_second)


def _report(bad: Sequence[str]) -> None:
    for line in bad:
        click.echo(f"not loaded, {line}", err=True)
    if bad:
        click.echo(f"{len(bad)} bad row{'s'[: len(bad) > 1]} not loaded; the rest is.", err=True)


def _say_what_to_try(port: int, endpoint: str, definition: dict[str, Any], items: Sequence[Numbered]) -> None:
    url = f"http://127.0.0.1:{port}"
    keys = [key["AttributeName"] for key in definition["KeySchema"]]
    values = [next(iter(items[0][1][key].values())) for key in keys]
    quakes = definition is sample.TABLE
    queries = [
        "items?_limit=2",
        "/".join(["items", *(quote(value, safe="") for value in values)]),
        "items?net=us&mag__gte=5&_sort=-time" if quakes else f"items?{quote(keys[0])}={quote(values[0])}&_explain=true",
    ]
    local = " ".join(f"{name}={value}" for name, value in emulator.CREDENTIALS.items())
    click.echo(
        f"\nTablecast: {url}        {definition['TableName']} as JSON: {url}/items\n"
        f"DynamoDB:  {endpoint}       for any client, with {local}\n\nTry, in another terminal:\n"
        + "".join(f"  curl {shlex.quote(f'{url}/{query}')}\n" for query in queries)
        + "\nCtrl-C ends it.\n"
    )


def run() -> None:
    # A Ctrl-C, a polite kill and a terminal that is closed end it alike, with all that it started.
    # What is ignored from the start stays so: nohup means it.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, signal.default_int_handler)
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        sys.exit(f"tablecast: {error.format_message()}")
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped.", err=True)


if __name__ == "__main__":
    run()
