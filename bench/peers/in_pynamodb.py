"""A PynamoDB model behind Chalice."""

import json
import os
from functools import reduce
from operator import and_

from chalice import Chalice, NotFoundError, Response
from pynamodb.attributes import BooleanAttribute, MapAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.models import Model

app = Chalice(app_name="items")


class Quake(Model):
    class Meta:
        table_name = os.environ["TABLE_NAME"]
        region = os.environ["AWS_DEFAULT_REGION"]
        host = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")

    idx = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute()
    geometry = MapAttribute()
    mag = NumberAttribute(null=True)
    place = UnicodeAttribute(null=True)
    time = NumberAttribute()
    updated = NumberAttribute()
    tz = NumberAttribute(null=True)
    url = UnicodeAttribute()
    detail = UnicodeAttribute()
    felt = NumberAttribute(null=True)
    cdi = NumberAttribute(null=True)
    mmi = NumberAttribute(null=True)
    alert = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    tsunami = BooleanAttribute()
    sig = NumberAttribute()
    net = UnicodeAttribute()
    code = UnicodeAttribute()
    ids = UnicodeSetAttribute()
    sources = UnicodeSetAttribute()
    types = UnicodeSetAttribute()
    nst = NumberAttribute(null=True)
    dmin = NumberAttribute(null=True)
    rms = NumberAttribute(null=True)
    gap = NumberAttribute(null=True)
    magType = UnicodeAttribute(null=True)
    type = UnicodeAttribute()
    title = UnicodeAttribute()


def respond(body):
    return Response(json.dumps(body), {"Content-Type": "application/json"})


@app.route("/items", cors=True)
def list_items():
    query = dict(app.current_request.query_params or {})
    limit = int(query.pop("_limit", 100))
    condition = reduce(and_, [getattr(Quake, name) == value for name, value in query.items()]) if query else None
    found = Quake.scan(condition, limit=limit, page_size=None if query else limit)
    items = [quake.to_simple_dict(force=True) for quake in found]
    return respond({"items": items, "count": len(items), "next": found.last_evaluated_key})


@app.route("/items/{partition}", cors=True)
def get_item(partition):
    try:
        return respond(Quake.get(partition).to_simple_dict(force=True))
    except Quake.DoesNotExist:
        raise NotFoundError(partition) from None
