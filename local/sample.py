"""The sample table: a week of earthquakes.

earthquakes.json.gz is the USGS feed "All Earthquakes, Past Week" of 2018-02-07 (1,707 quakes), a work of the United
States Geological Survey in the public domain, by way of the npm package vega-datasets 3.2.1.
"""

from __future__ import annotations

import gzip
import json
import pathlib
import random
import time
from decimal import Decimal
from typing import Any

from chalicelib.dynamodb.items import TypedItem, iso_time, typed
from infra.feed_table import KEY_TYPES
from infra.tables import definition

FILE = pathlib.Path(__file__).with_name("earthquakes.json.gz")


def _index(name: str, partition: str, sort: str, *attributes: str) -> dict[str, Any]:
    kinds: dict[str, Any] = (
        {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(attributes)} if attributes else {"ProjectionType": "ALL"}
    )
    keys = [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
    return {"IndexName": name, "KeySchema": keys, "Projection": kinds}


TYPES = {"idx": "S", "net": "S", "time": "N", "magType": "S", "mag": "N", "alert": "S"}

# Parameters of CreateTable.
TABLE: dict[str, Any] = {
    "TableName": "study_test",
    "KeySchema": [{"AttributeName": "idx", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in TYPES.items()],
    "GlobalSecondaryIndexes": [
        _index("by_net", "net", "time"),
        _index("by_type_and_size", "magType", "mag"),
        _index("by_alert", "alert", "mag", "place", "time", "title", "url"),
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "BillingMode": "PAY_PER_REQUEST",
}


def feed_table(name: str) -> dict[str, Any]:
    """Parameters of CreateTable for the change feed (docs/feed.md)."""
    return definition(name, KEY_TYPES)


COMMA_LISTS = ("ids", "sources", "types")


def items() -> list[TypedItem]:
    """The quakes as items in DynamoDB's JSON, every digit kept."""
    quakes = json.loads(gzip.decompress(FILE.read_bytes()), parse_float=Decimal)["features"]
    return [_item(quake) for quake in quakes]


def _item(quake: dict[str, Any]) -> TypedItem:
    properties = quake["properties"]
    for name in COMMA_LISTS:
        properties[name] = {part for part in properties[name].split(",") if part}
    properties["tsunami"] = bool(properties["tsunami"])
    idx = f"{iso_time(properties['time'] / 1000)}-{quake['id']}"
    values = {"idx": idx, "id": quake["id"], "geometry": quake["geometry"], **properties}
    # A key of an index cannot be NULL: the item is without it then, and not in that index.
    return {name: typed(value) for name, value in values.items() if not (value is None and name in TYPES)}


def change(client: Any, table: str, quakes: list[TypedItem], added: list[TypedItem]) -> None:
    """One change of the table, as its network would make it: a quake more, another magnitude, or one of the `added`
    withdrawn."""
    quake = random.choice([*quakes, *added])
    kind = random.choice(("add", "revise", "revise", "withdraw" if added else "add"))
    now = int(time.time() * 1000)
    if kind == "add":
        idx = f"{iso_time(now / 1000)}-{quake['net']['S']}{now}"
        new = {**quake, "idx": {"S": idx}, "time": typed(now), "updated": typed(now)}
        client.put_item(TableName=table, Item=new)
        added.append(new)
    elif kind == "revise":
        client.update_item(
            TableName=table,
            Key={"idx": quake["idx"]},
            UpdateExpression="SET mag = :mag, updated = :now",
            ExpressionAttributeValues={":mag": {"N": f"{random.uniform(0, 7):.1f}"}, ":now": typed(now)},
        )
    else:
        gone = added.pop(random.randrange(len(added)))
        client.delete_item(TableName=table, Key={"idx": gone["idx"]})
