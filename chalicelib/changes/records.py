"""A batch of the stream, as Lambda delivers it -> changes. Pure."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from chalicelib.changes.entries import Change
from chalicelib.dynamodb.items import ITEM_FORMATS
from chalicelib.query.access import access_of
from chalicelib.settings import Settings

log = logging.getLogger("tablecast")

OPERATIONS = {"INSERT": "insert", "MODIFY": "modify", "REMOVE": "remove"}
MAX_TIMESTAMP = 253_402_300_800  # The year 10000: ISO 8601 has four digits.
MAX_ID_BYTES = 100


def changes_of(event: Mapping[str, Any], settings: Settings) -> list[Change]:
    """Return the changes in `event`, in their order.

    A record that is not of this table's stream is logged and left out: another delivery would not change it.
    """
    changes = []
    other_tables: Counter[str] = Counter()
    for record in event.get("Records") or ():
        try:
            table = record["eventSourceARN"].split("/")[1]
            if table == settings.table_name:
                changes.append(_change(record, settings))
            else:
                other_tables[table] += 1
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # Without the record: it can have hidden attributes.
            log.error("left out: not a record of a DynamoDB stream: %.200r", error)
    for table, number in other_tables.items():
        log.error("left out: %d changes of table %r; this is the feed of %r", number, table, settings.table_name)
    return changes


def _change(record: Mapping[str, Any], settings: Settings) -> Change:
    stream, id = record["dynamodb"], record["eventID"]
    body = {"op": OPERATIONS[record["eventName"]], "key": stream["Keys"]}
    access = access_of(settings, stream["Keys"])
    for name, image in (("new", "NewImage"), ("old", "OldImage")):
        if image in stream:
            body[name] = access.image(stream[image])
    created = float(stream["ApproximateCreationDateTime"])
    if not 0 <= created < MAX_TIMESTAMP or not 0 < len(id.encode()) <= MAX_ID_BYTES:
        raise ValueError(f"created at {created}, with an id of {len(id)} characters")
    text = orjson.dumps(body)
    # An image that cannot be read as an item would stop every reader that comes to it.
    for image in {**orjson.loads(text), "op": {}}.values():
        orjson.dumps(ITEM_FORMATS["number"](image))
    return Change(id, created, text)
