"""A batch of the table's stream, as Lambda gives it -> `Change`s. Pure, but for what it tells the log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chalicelib.dynamodb.items import READERS, TypedItem
from chalicelib.settings import Settings

log = logging.getLogger("tablecast")

OPERATIONS = {"INSERT": "insert", "MODIFY": "modify", "REMOVE": "remove"}
LATEST_TIME = 253_402_300_800  # The year 10000, where ISO 8601's four digits end.
LONGEST_ID = 100


@dataclass(frozen=True)
class Change:
    """A record of the stream. `id`: its eventID. `created`: seconds since 1970. `body`: JSON, {"op", "key", "new"?,
    "old"?}, in DynamoDB's JSON and with nothing that is not published."""

    id: str
    created: float
    body: bytes


def changes_of(event: Mapping[str, Any], settings: Settings) -> list[Change]:
    """The changes in `event`, as Lambda gives a stream's batch. What is no record of this table's stream is told in the
    log and left out, since it would be none the next time either."""
    found = []
    strangers: Counter[str] = Counter()
    for record in event.get("Records") or ():
        try:
            table = record["eventSourceARN"].split("/")[1]
            if table == settings.table_name:
                found.append(_change(record, settings.attributes))
            else:
                strangers[table] += 1
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # Without the record: what it holds may be what ATTRIBUTES keeps in.
            log.error("left out: not a record of a DynamoDB stream: %.200r", error)
    for table, number in strangers.items():
        log.error("left out: %d changes of table %r, and this is the feed of %r", number, table, settings.table_name)
    return found


def _change(record: Mapping[str, Any], attributes: frozenset[str] | None) -> Change:
    stream, one = record["dynamodb"], record["eventID"]
    body = {"op": OPERATIONS[record["eventName"]], "key": stream["Keys"]}
    for name, image in (("new", "NewImage"), ("old", "OldImage")):
        if image in stream:
            body[name] = published(stream[image], stream["Keys"], attributes)
    created = float(stream["ApproximateCreationDateTime"])
    if not 0 <= created < LATEST_TIME or not 0 < len(one.encode()) <= LONGEST_ID:
        raise ValueError(f"created at {created}, with an id of {len(one)} characters")
    text = orjson.dumps(body)
    # What could not be read as an item would stop every reader that comes to it.
    for image in {**orjson.loads(text), "op": {}}.values():
        orjson.dumps(READERS["number"](image))
    return Change(one, created, text)


def published(image: TypedItem, key: TypedItem, attributes: frozenset[str] | None) -> TypedItem:
    """What of `image` the ATTRIBUTES setting lets out: its `key` always."""
    if attributes is None:
        return image
    return {name: value for name, value in image.items() if name in attributes or name in key}
