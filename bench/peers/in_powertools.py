"""Powertools' resolver over boto3's resource."""

import json

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from reads import default, get, scan

app = APIGatewayRestResolver(cors=CORSConfig(), serializer=lambda body: json.dumps(body, default=default))


@app.get("/items")
def list_items():
    query = dict(app.current_event.query_string_parameters)
    limit = int(query.pop("_limit", 100))
    items, following = scan(limit, query)
    return {"items": items, "count": len(items), "next": following}


@app.get("/items/<partition>")
def get_item(partition):
    item = get(partition)
    if item is None:
        raise NotFoundError(partition)
    return item


def handler(event, context):
    return app.resolve(event, context)
