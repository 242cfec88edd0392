"""`python -m local`: an embedded DynamoDB with a table in it, and `chalice local` over that table."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import settings
from infra.errors import UserError
from local import dataset, emulator, feed, random_changes, sample, server
from local.dataset import Dataset

# Set here for the tables that this command creates, whatever the shell has.
TABLE_SETTINGS = ("TABLE_NAME", "FEED_TABLE", "STREAM_ARN")
AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--table-file",
    type=click.Path(path_type=pathlib.Path),
    metavar="FILE",
    help="Load your own data instead of the sample: a .json file (an array of objects), .ndjson (one object per line) "
    "or .csv (a header, then rows). Types are inferred. Rows that cannot be loaded are reported with their line.",
)
@click.option("--partition-key", metavar="NAME", help="Attribute of FILE to use as the partition key.")
@click.option("--sort-key", metavar="NAME", help="Attribute of FILE to use as the sort key. Default: no sort key.")
@click.option(
    "--endpoint-url",
    metavar="URL",
    help="Use a DynamoDB emulator that is already running. The table is created there if it does not exist.",
)
@click.option(
    "--writes",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="N",
    help="Change the sample table N times a second (2, or 0.1), to watch the feed and the ETags.",
)
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port that the API listens on."
)
def main(
    table_file: pathlib.Path | None,
    partition_key: str | None,
    sort_key: str | None,
    endpoint_url: str | None,
    writes: float | None,
    port: int,
) -> None:
    """Run Tablecast locally, on sample data or your own.

    Starts an embedded DynamoDB on a free port, creates and loads a table, and runs `chalice local --stage local` over
    it, restarted when a file of the app changes. Delivers the table's stream to `on_change` as Lambda would. Needs no
    AWS account and no network. Ctrl-C stops everything.

    \b
      python -m local
      python -m local --writes 2
      python -m local --table-file orders.csv --partition-key customer --sort-key date
      python -m local --endpoint-url http://127.0.0.1:8001
    """
    if writes and table_file:
        raise UserError("--writes changes the sample table. Leave out --table-file.")
    for name in TABLE_SETTINGS:
        os.environ.pop(name, None)
    _check_settings()
    data = _dataset(table_file, partition_key, sort_key)
    with contextlib.ExitStack() as stack:
        stack.enter_context(server.reserve_port(port))
        endpoint = _checked_endpoint(endpoint_url) if endpoint_url else stack.enter_context(_embedded_dynamodb())
        environ = emulator.environment(endpoint)
        if endpoint_url:
            # Some emulators keep separate tables for each access key and region.
            environ |= {name: os.environ[name] for name in emulator.CREDENTIALS if name in os.environ}
        try:
            client = _client(environ)
            dataset.load(client, data)
            environ |= feed.create(client, data.table)
        except (BotoCoreError, ClientError) as error:
            raise UserError(f"{endpoint}: {error}") from None
        if writes:
            threading.Thread(target=random_changes.run, args=(client, writes), daemon=True).start()
        server.serve(port, environ, lambda: _print_examples(port, endpoint, data))


def _check_settings() -> None:
    try:
        settings.read({**os.environ, "TABLE_NAME": sample.TABLE["TableName"]})
    except settings.SettingError as error:
        raise UserError(str(error)) from None


def _dataset(table_file: pathlib.Path | None, partition_key: str | None, sort_key: str | None) -> Dataset:
    if table_file is None:
        if partition_key or sort_key:
            raise UserError("--partition-key and --sort-key need --table-file. Add it, or leave them out.")
        return Dataset(sample.TABLE, list(enumerate(sample.items(), 1)))
    if not partition_key:
        raise UserError(
            "--table-file needs --partition-key: the attribute that identifies a row, with --sort-key if any."
        )
    return dataset.from_file(table_file, partition_key, sort_key)


@contextlib.contextmanager
def _embedded_dynamodb() -> Iterator[str]:
    click.echo("Starting an embedded DynamoDB ...", err=True)
    try:
        with emulator.running() as endpoint:
            yield endpoint
    except emulator.NotStarted:
        raise UserError("The embedded DynamoDB did not start. Run python -m local.emulator to see why.") from None


def _checked_endpoint(url: str) -> str:
    """Return `url`. Raise UserError if it is not a URL, or AWS itself, where a local run must not create tables."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # Raises ValueError if it is not a number.
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise UserError(f"--endpoint-url {url!r} is not a URL. Write one such as http://127.0.0.1:8001.")
    if host.endswith(AWS_HOSTS):
        raise UserError(
            "--endpoint-url accepts only emulators. To read a table in AWS, run TABLE_NAME=... chalice local."
        )
    return url


def _client(environ: Mapping[str, str]) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=environ["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name=environ["AWS_DEFAULT_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 2}),
    )


def _print_examples(port: int, endpoint: str, data: Dataset) -> None:
    url = f"http://127.0.0.1:{port}"
    values = [next(iter(data.items[0][1][key].values())) for key in data.keys]
    equality = f"items?{quote(data.keys[0])}={quote(values[0])}&_explain=true"
    queries = [
        "items?_limit=2",
        "/".join(["items", *(quote(value, safe="") for value in values)]),
        "items?net=us&mag__gte=5&_sort=-time" if data.definition is sample.TABLE else equality,
    ]
    credentials = " ".join(f"{name}={value}" for name, value in emulator.CREDENTIALS.items())
    click.echo(
        f"\nTablecast: {url}        {data.table} as JSON: {url}/items\n"
        f"DynamoDB:  {endpoint}       for any client, with {credentials}\n\nTry, in another terminal:\n"
        + "".join(f"  curl {shlex.quote(f'{url}/{query}')}\n" for query in queries)
        + "\nCtrl-C stops it.\n"
    )


def run() -> None:
    """Run the command. Errors end it with one line and a non-zero exit."""
    # Ctrl-C, SIGTERM and a closed terminal all stop it, with every process that it started. A signal that is ignored
    # from the start stays ignored, for nohup.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        sys.exit(f"tablecast: {error.format_message()}")
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped.", err=True)


if __name__ == "__main__":
    run()
