"""A table with its items: from a file, and loaded into DynamoDB."""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from infra import tables
from infra.errors import UserError
from local import rows, sample
from local.writes import NumberedItem, put


@dataclass(frozen=True)
class Dataset:
    """A table to create and load. `definition`: the parameters of CreateTable. `items`: at least one."""

    definition: dict[str, Any]
    items: list[NumberedItem]

    @property
    def table(self) -> str:
        return str(self.definition["TableName"])

    @property
    def keys(self) -> list[str]:
        """Return the names of the key attributes, the partition key first."""
        return [key["AttributeName"] for key in self.definition["KeySchema"]]


def from_file(path: pathlib.Path, partition_key: str, sort_key: str | None) -> Dataset:
    """Read a table from a file, named after it, with a stream. Rows that cannot be loaded are printed.

    Raise UserError if the file cannot be read.
    """
    content = rows.read(path, partition_key, sort_key)
    _print_errors(content.errors)
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem).ljust(3, "_")[:255]
    stream = {"StreamSpecification": sample.TABLE["StreamSpecification"]}
    return Dataset(tables.definition(name, content.types) | stream, content.items)


def load(client: Any, data: Dataset) -> None:
    """Create the table unless it exists, and put its items. Raise UserError if it exists with other keys."""
    try:
        client.create_table(**data.definition)
        client.get_waiter("table_exists").wait(TableName=data.table, WaiterConfig={"Delay": 1})
    except client.exceptions.ResourceInUseException:
        schema = client.describe_table(TableName=data.table)["Table"]["KeySchema"]
        if schema != data.definition["KeySchema"]:
            names = ", ".join(key["AttributeName"] for key in schema)
            raise UserError(f"Table {data.table} exists with other keys ({names}). Rename the file.") from None
    label = f"Loading {len(data.items):,} items into {data.table}"
    with click.progressbar(length=len(data.items), label=label, file=sys.stderr) as bar:
        errors = put(client, data.table, data.items, bar.update)
    _print_errors(errors)


def _print_errors(errors: Sequence[str]) -> None:
    for error in errors:
        click.echo(f"Not loaded: {error}", err=True)
    if errors:
        click.echo(f"{len(errors)} row{'s'[: len(errors) > 1]} not loaded. All others are.", err=True)
