"""Put items into a table in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.dynamodb.items import TypedItem

BATCH = 25  # The most that BatchWriteItem takes.

NumberedItem = tuple[int, TypedItem]  # the line, or number, that errors name, and the item


def put(client: Any, table: str, items: Sequence[NumberedItem], on_batch: Callable[[int], object]) -> list[str]:
    """Put `items` and call `on_batch` with the size of each batch. Return an error for each item that DynamoDB refuses:
    "line 3: Item size has exceeded ..."."""
    errors = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        errors += _put(client, table, batch)
        on_batch(len(batch))
    return errors


def _put(client: Any, table: str, batch: Sequence[NumberedItem]) -> list[str]:
    requests = [{"PutRequest": {"Item": item}} for _, item in batch]
    try:
        while requests:
            requests = client.batch_write_item(RequestItems={table: requests})["UnprocessedItems"].get(table)
    except ClientError as error:
        # An invalid item fails its whole batch: put one by one, to find it.
        if len(batch) > 1:
            return [message for item in batch for message in _put(client, table, [item])]
        return [f"line {batch[0][0]}: {error.response['Error']['Message']}"]
    return []
