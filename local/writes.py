"""Items -> a table, in batches: what DynamoDB leaves is sent again, what it refuses is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.dynamodb.items import TypedItem

BATCH = 25

Numbered = tuple[int, TypedItem]  # an item, and the line it is told by


def put(client: Any, table: str, items: Sequence[Numbered], done: Callable[[int], object]) -> list[str]:
    """Puts `items`, and calls `done` with the number of each batch's; a text about each item that DynamoDB refuses."""
    refused = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        refused += _put(client, table, batch)
        done(len(batch))
    return refused


def _put(client: Any, table: str, batch: Sequence[Numbered]) -> list[str]:
    requests = [{"PutRequest": {"Item": item}} for _, item in batch]
    try:
        while requests:
            requests = client.batch_write_item(RequestItems={table: requests})["UnprocessedItems"].get(table)
    except ClientError as error:
        # One item that cannot be put fails its batch: each by itself tells which it is.
        if len(batch) > 1:
            return [line for one in batch for line in _put(client, table, [one])]
        return [f"line {batch[0][0]}: {error.response['Error']['Message']}"]
    return []
