"""Items and changes -> the bodies of answers, and the reference to the next page. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import orjson

from chalicelib.dynamodb.items import ITEM_FORMATS, PlainItem, TypedItem, iso_time, picked
from chalicelib.query.access import access_of
from chalicelib.query.controls import Query
from chalicelib.query.plans import Plan
from chalicelib.settings import Settings

# Lambda passes the body on as a JSON string, where a character can take three times its bytes. This much stays within
# Lambda's 6 MB, and one item, of at most 400 KB, always does.
MAX_BODY_BYTES = 2_000_000


def item_body(item: TypedItem, item_format: str, plan: Plan) -> bytes:
    return orjson.dumps(_returned(item, item_format, plan))


def page_body(items: list[TypedItem], next_page: str | None, item_format: str, plan: Plan) -> bytes:
    returned = [_returned(item, item_format, plan) for item in items]
    return orjson.dumps({"items": returned, "count": len(returned), "next": next_page})


def next_reference(query: Query, cursor: str) -> str:
    """Return the request for the next page, as a reference that resolves against the request's own URL."""
    return "?" + urlencode({**query, "_cursor": [cursor]}, doseq=True, quote_via=quote, safe=",")


def change_body(change: dict[str, Any], item_format: str, settings: Settings) -> bytes:
    """Return a filed change as JSON, without the attributes that ATTRIBUTES hides now."""
    plain = {name: change[name] for name in ("id", "position")}
    plain |= {"at": iso_time(change["created"]), "op": change["op"]}
    access = access_of(settings, change["key"])
    for name in ("key", "new", "old"):
        if name in change:
            plain[name] = ITEM_FORMATS[item_format](access.image(change[name]))
    return orjson.dumps(plain)


def fitting(bodies: list[bytes]) -> int:
    """Return how many of `bodies`, at least one, fit into one answer."""
    size = 0
    for number, body in enumerate(bodies):
        size += len(body)
        if number and size > MAX_BODY_BYTES:
            return number
    return len(bodies)


def _returned(item: TypedItem, item_format: str, plan: Plan) -> PlainItem:
    for name in plan.internal_attributes:
        item.pop(name, None)
    for name, paths in plan.returned_paths.items():
        if name in item and (kept := picked(item.pop(name), paths)):
            item[name] = kept
    return ITEM_FORMATS[item_format](item)
