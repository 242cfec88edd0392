"""The answers as OpenAPI describes them: responses, headers, problems, and the schemas of their bodies. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from chalicelib.changes.records import OPERATIONS
from chalicelib.dynamodb.errors import THROTTLED
from chalicelib.dynamodb.schema import TableSchema
from chalicelib.problems import MEDIA_TYPE, Problem
from chalicelib.query.access import access_of
from chalicelib.settings import Settings

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_ORIGINS = {"Access-Control-Allow-Origin", "Timing-Allow-Origin"}

# header -> its description, and a pattern of its value
HEADERS = {
    "Cache-Control": ("no-cache: ask again each time, with If-None-Match; no-store of a problem", "^no-(cache|store)$"),
    "Timing-Allow-Origin": ("the origin whose pages may read timings", "."),
    "X-Content-Type-Options": ("nosniff", "^nosniff$"),
    "Access-Control-Allow-Origin": ("the origin whose pages may read the answer", "."),
    "Access-Control-Allow-Headers": ("the headers that such a page may send", "."),
    "Access-Control-Expose-Headers": ("the headers that such a page may read", "."),
    "Access-Control-Max-Age": ("the seconds for which a browser keeps the preflight", "^[0-9]+$"),
    "ETag": ("the tag of the answer, for If-None-Match", '^"[^"]+"$'),
    "X-Position": ("the position to follow /changes from", "^[0-9]+$"),
    "Link": ("the `next` of the answer", r'^<\?.*>; rel="next"$'),
    "X-Plan": ("the operation and the index that DynamoDB is asked", "^(GetItem|(Query|Scan)( index=.+)?)$"),
    "Server-Timing": ("the milliseconds that DynamoDB took", "^dynamodb;dur=[0-9.]+$"),
    "X-Consumed-Capacity": ("the read units that the answer cost", "^[0-9.e+-]+$"),
    "Retry-After": ("the seconds to wait before the next try", "^[0-9]+$"),
    "Vary": ("the request header that the answer depends on", "^Accept$"),
    "Content-Security-Policy": ("of the explorer", "."),
    "Cross-Origin-Opener-Policy": ("of the explorer", "."),
    "Referrer-Policy": ("of the explorer", "."),
}
_ALWAYS = (
    "Cache-Control",
    "Timing-Allow-Origin",
    "X-Content-Type-Options",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Headers",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
)
_OF_A_FEED = ("ETag", "X-Position")
_READ = ("Server-Timing", "X-Consumed-Capacity")

_PROBLEMS = {
    400: "The request is wrong. `detail` says what to write instead",
    404: "There is no such item",
    410: "Changes after that position are no longer kept. Read /items again, and follow from its X-Position",
    500: "Internal error. `detail` names the entry in the log",
    503: "DynamoDB cannot be reached, is throttling, or refuses this API. Try again after Retry-After",
}


class _Answer(NamedTuple):
    """`bodies`: schemas by media type. `must`, `may`: headers that it has beside `_ALWAYS`. `next`: the runtime
    expression of a position to ask /changes for, "" for none."""

    description: str
    bodies: Json
    problems: tuple[int, ...]
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    next: str = ""


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(*names: str) -> Json:
    return {"application/json": {"anyOf": [_ref(name) for name in names]} if len(names) > 1 else _ref(names[0])}


_ANSWERS = {
    "root": _Answer(
        "The description of this API; for a browser, the explorer",
        {**_json("Description"), "text/html": _TEXT},
        (500, 503),
        must=("Vary",),
        may=("ETag", "Content-Security-Policy", "Cross-Origin-Opener-Policy", "Referrer-Policy"),
    ),
    "list": _Answer(
        "The items that match all conditions; with _explain=true, the plan",
        _json("Items", "Plan"),
        (400, 500, 503),
        must=("X-Plan",),
        may=(*_READ, *_OF_A_FEED, "Link"),
        next="$response.header.X-Position",
    ),
    "item": _Answer(
        "The item with this key; with _explain=true, the plan",
        _json("Item", "Plan"),
        (400, 404, 500, 503),
        must=("X-Plan",),
        may=(*_READ, *_OF_A_FEED),
        next="$response.header.X-Position",
    ),
    "changes": _Answer(
        "The changes after a position", _json("Changes"), (400, 410, 500, 503), must=_READ, next="$response.body#/next"
    ),
    "document": _Answer("This document", {"application/json": {"type": "object"}}, (500, 503)),
}
DESCRIPTIONS = {kind: answer.description for kind, answer in _ANSWERS.items()}


def responses(kind: str, settings: Settings) -> Json:
    """Return status -> response of the answers of one kind: "root", "list", "item", "changes" or "document"."""
    answer = _ANSWERS[kind]
    missing = () if settings.feed_table or kind == "root" else _OF_A_FEED
    headers = _headers((*_ALWAYS, *answer.must), [name for name in answer.may if name not in missing], settings)
    content = {media: {"schema": body} for media, body in answer.bodies.items()}
    link = {"changes": {"operationId": "changes", "parameters": {"_since": answer.next}}}
    found: Json = {"200": {"description": answer.description, "headers": headers, "content": content}}
    if answer.next and settings.feed_table:
        found["200"]["links"] = link
    if "ETag" in headers:
        found["304"] = {"description": "The answer that the client has is current", "headers": headers}
    return found | {str(status): {"$ref": f"#/components/responses/{status}"} for status in answer.problems}


def problems(settings: Settings) -> Json:
    """Return status -> the response with a problem of that status."""
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    must = {status: (*_ALWAYS, *(["Retry-After"] if status == 503 else ())) for status in _PROBLEMS}
    return {
        str(status): {"description": description, "headers": _headers(must[status], (), settings), "content": content}
        for status, description in _PROBLEMS.items()
    }


def _headers(must: Sequence[str], may: Sequence[str], settings: Settings) -> Json:
    def header(name: str) -> Json:
        description, pattern = HEADERS[name]
        value = {"const": settings.allow_origin} if name in _ORIGINS else {"pattern": pattern}
        return {"description": description, "schema": {"type": "string", **value}, "required": name in must}

    return {name: header(name) for name in (*must, *may)}


_ANYTHING = ["string", "boolean", "null", "array", "object"]

# item format -> the schema of a value of a key's type, and of any value
_FORMATS: Mapping[str, tuple[Callable[[str], Json], Json]] = {
    "string": (lambda kind: {"type": "string"}, {"type": _ANYTHING}),
    "number": (lambda kind: {"type": "number" if kind == "N" else "string"}, {"type": [*_ANYTHING, "number"]}),
    "typed": (
        lambda kind: _object({kind: {"type": "string"}}, [kind]),
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": {"enum": ["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"]},
        },
    ),
}


def _object(properties: Json, required: Sequence[str], others: Json | bool = False) -> Json:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": others}


def schemas(schema: TableSchema, settings: Settings, plan: Json) -> Json:
    """Return the schemas that `responses` and `problems` refer to, without "Description". `plan`: an example."""
    texts = {"type": "array", "items": _TEXT}
    return {
        **_item_schemas(schema, settings),
        "Items": _object(
            {
                "items": {"type": "array", "items": _ref("Item"), "maxItems": settings.max_limit},
                "count": {"type": "integer", "minimum": 0, "maximum": settings.max_limit},
                "next": {"type": ["string", "null"], "pattern": r"^\?"},
            },
            ("items", "count", "next"),
        ),
        "Plan": _object(
            {"plan": _TEXT, "reasons": texts, "request": {"type": "object"}, "residual": texts},
            ("plan", "reasons", "request", "residual"),
        )
        | {"examples": [plan]},
        **_change_schemas(schema, settings),
        "Problem": _object(
            {
                "type": {"const": "about:blank"},
                "title": _TEXT,
                "status": {"type": "integer"},
                "detail": _TEXT,
            },
            ("type", "title", "status", "detail"),
        )
        | {"examples": [orjson.loads(Problem(503, THROTTLED.detail).body)]},
    }


def _formats(settings: Settings) -> list[str]:
    """Return the item formats: that of NUMBERS, then those that `_numbers` and `_typed` ask for."""
    return sorted(_FORMATS, key=lambda item_format: (item_format == "typed", item_format != settings.numbers))


def _item_schemas(schema: TableSchema, settings: Settings) -> Json:
    names = access_of(settings, schema.table.keys).names()
    items = {}
    for item_format, (of_key, value) in _FORMATS.items():
        # An item that is older than an index may have a value that is no key in it.
        properties = {name: {"anyOf": [of_key(kind), value]} for name, kind in schema.types.items()}
        key = {name: of_key(schema.types[name]) for name in schema.table.keys}
        properties = dict.fromkeys(names or (), value) | properties | key
        items[f"Item-{item_format}"] = _object(properties, (), value if names is None else False)
    return {**items, "Item": {"anyOf": [_ref(f"Item-{item_format}") for item_format in _formats(settings)]}}


def _change_schemas(schema: TableSchema, settings: Settings) -> Json:
    keys = {
        item_format: _object({name: of_key(schema.types[name]) for name in schema.table.keys}, schema.table.keys)
        for item_format, (of_key, _) in _FORMATS.items()
    }
    change = {
        "id": _TEXT,
        "position": {"type": "integer", "minimum": 1},
        "at": {"type": "string", "format": "date-time"},
        "op": {"type": "string", "enum": list(OPERATIONS.values())},
        "key": {"anyOf": [keys[item_format] for item_format in _formats(settings)]},
    }
    images = {name: _ref("Item") for name in ("new", "old")}
    position = {"type": "integer", "minimum": 0}
    return {
        "Change": _object(change | images, list(change)),
        "Changes": _object(
            {"changes": {"type": "array", "items": _ref("Change")}, "next": position, "more": {"type": "boolean"}},
            ("changes", "next", "more"),
        ),
    }
