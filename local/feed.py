"""The change feed of a local table."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from infra.feed_table import EXPIRY_ATTRIBUTE
from local import sample


def create(client: Any, table: str) -> dict[str, str]:
    """Create the feed of `table` unless it exists, and return the settings of both. No stream: no feed."""
    description = client.describe_table(TableName=table)["Table"]
    if not description.get("StreamSpecification", {}).get("StreamEnabled"):
        click.echo(f"Table {table} has no stream, so there is no change feed.", err=True)
        return {"TABLE_NAME": table}
    feed = f"{table[:250]}-feed"
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        client.create_table(**sample.feed_table(feed))
        client.get_waiter("table_exists").wait(TableName=feed, WaiterConfig={"Delay": 1})
        client.update_time_to_live(
            TableName=feed, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY_ATTRIBUTE}
        )
    return {"TABLE_NAME": table, "FEED_TABLE": feed, "STREAM_ARN": description["LatestStreamArn"]}
