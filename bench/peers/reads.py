"""Reads through boto3's resource, as in tutorials."""

import os
from decimal import Decimal
from functools import reduce
from operator import and_

import boto3
from boto3.dynamodb.conditions import Attr

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def get(key):
    return table.get_item(Key={"idx": key}).get("Item")


def scan(limit, filters):
    """Up to `limit` items that match `filters`, and the key to continue from."""
    request = (
        {"FilterExpression": reduce(and_, [Attr(name).eq(value) for name, value in filters.items()])}
        if filters
        else {"Limit": limit}
    )
    items = []
    while True:
        page = table.scan(**request)
        items += page["Items"]
        following = page.get("LastEvaluatedKey")
        if not following or len(items) >= limit:
            return items[:limit], following
        request["ExclusiveStartKey"] = following


def default(value):
    """Encode types that json.dumps does not support."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set):
        return list(value)
    raise TypeError(type(value))
