"""The sample table: a week of earthquakes.

earthquakes.json.gz is the USGS feed "All Earthquakes, Past Week" of 2018-02-07 (1,707 quakes), a work of the United
States Geological Survey in the public domain, taken from the npm package vega-datasets 3.2.1.
"""

from __future__ import annotations

import gzip
import json
import pathlib
from decimal import Decimal
from typing import Any

from chalicelib.dynamodb.items import TypedItem, iso_time, typed
from infra.feed_table import KEY_TYPES
from infra.tables import definition

FILE = pathlib.Path(__file__).with_name("earthquakes.json.gz")


def _index(name: str, partition: str, sort: str, *attributes: str) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": "ALL"}
    if attributes:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(attributes)}
    keys = [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
    return {"IndexName": name, "KeySchema": keys, "Projection": projection}


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
    """Return the parameters of CreateTable for a change feed (docs/feed.md)."""
    return definition(name, KEY_TYPES)


COMMA_LISTS = ("ids", "sources", "types")


def items() -> list[TypedItem]:
    """Return the quakes as items in DynamoDB's JSON, with all digits of their numbers."""
    quakes = json.loads(gzip.decompress(FILE.read_bytes()), parse_float=Decimal)["features"]
    return [_item(quake) for quake in quakes]


def _item(quake: dict[str, Any]) -> TypedItem:
    properties = quake["properties"]
    for name in COMMA_LISTS:
        properties[name] = {part for part in properties[name].split(",") if part}
    properties["tsunami"] = bool(properties["tsunami"])
    idx = f"{iso_time(properties['time'] / 1000)}-{quake['id']}"
    values = {"idx": idx, "id": quake["id"], "geometry": quake["geometry"], **properties}
    # The key of an index cannot be NULL. The item lacks it instead, and is not in that index.
    return {name: typed(value) for name, value in values.items() if not (value is None and name in TYPES)}
