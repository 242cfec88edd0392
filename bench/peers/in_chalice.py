"""The same reads as a Chalice app."""

import json

from chalice import Chalice, NotFoundError, Response
from reads import default, get, scan

app = Chalice(app_name="items")


def respond(body):
    return Response(json.dumps(body, default=default), {"Content-Type": "application/json"})


@app.route("/items", cors=True)
def list_items():
    query = dict(app.current_request.query_params or {})
    limit = int(query.pop("_limit", 100))
    items, following = scan(limit, query)
    return respond({"items": items, "count": len(items), "next": following})


@app.route("/items/{partition}", cors=True)
def get_item(partition):
    item = get(partition)
    if item is None:
        raise NotFoundError(partition)
    return respond(item)
