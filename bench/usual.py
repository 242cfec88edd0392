"""The usual handler, as the tutorials have it: boto3's resource, and json.dumps with a default for Decimal."""

import json
import os
from decimal import Decimal
from typing import Any

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set):
        return list(value)
    raise TypeError(type(value))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    key = (event["pathParameters"] or {}).get("partition")
    if key:
        body = table.get_item(Key={"idx": key})["Item"]
    else:
        page = table.scan(Limit=int(event["queryStringParameters"]["_limit"]))
        body = {"items": page["Items"], "count": page["Count"], "next": page.get("LastEvaluatedKey")}
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(body, default=default),
    }
