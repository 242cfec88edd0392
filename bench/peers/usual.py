"""The usual handler: boto3's resource, and json.dumps with a default for Decimal."""

import json

from reads import default, get, scan


def respond(status, body):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(body, default=default),
    }


def handler(event, context):
    key = (event["pathParameters"] or {}).get("partition")
    if key:
        item = get(key)
        return respond(200, item) if item else respond(404, {"message": "Not Found"})
    query = dict(event["queryStringParameters"] or {})
    limit = int(query.pop("_limit", 100))
    items, following = scan(limit, query)
    return respond(200, {"items": items, "count": len(items), "next": following})
