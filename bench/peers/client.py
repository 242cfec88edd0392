"""boto3's client and its TypeDeserializer, in a bare handler."""

import json
import os
from decimal import Decimal

import boto3
from boto3.dynamodb.types import TypeDeserializer

client = boto3.client("dynamodb")
deserializer = TypeDeserializer()
TABLE = os.environ["TABLE_NAME"]


def plain(item):
    return {name: deserializer.deserialize(value) for name, value in item.items()}


def default(value):
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set):
        return list(value)
    raise TypeError(type(value))


def respond(status, body):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(body, default=default),
    }


def scan(limit, filters):
    request = {"TableName": TABLE, "Limit": limit}
    if filters:
        request = {
            "TableName": TABLE,
            "FilterExpression": " AND ".join(f"#n{n} = :v{n}" for n, _ in enumerate(filters)),
            "ExpressionAttributeNames": {f"#n{n}": name for n, name in enumerate(filters)},
            "ExpressionAttributeValues": {f":v{n}": {"S": value} for n, value in enumerate(filters.values())},
        }
    items = []
    while True:
        page = client.scan(**request)
        items += page["Items"]
        following = page.get("LastEvaluatedKey")
        if not following or len(items) >= limit:
            return items[:limit], following
        request["ExclusiveStartKey"] = following


def handler(event, context):
    key = (event["pathParameters"] or {}).get("partition")
    if key:
        answer = client.get_item(TableName=TABLE, Key={"idx": {"S": key}})
        return respond(200, plain(answer["Item"])) if "Item" in answer else respond(404, {"message": "Not Found"})
    query = dict(event["queryStringParameters"] or {})
    limit = int(query.pop("_limit", 100))
    items, following = scan(limit, query)
    return respond(200, {"items": [plain(item) for item in items], "count": len(items), "next": following})
