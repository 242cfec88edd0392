"""What the answers are, as OpenAPI's responses and schemas: bodies, headers, problems. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chalicelib.changes.records import OPERATIONS
from chalicelib.dynamodb.errors import THROTTLED
from chalicelib.dynamodb.schema import TableSchema
from chalicelib.problems import MEDIA_TYPE, Problem
from chalicelib.settings import Settings

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_ORIGINS = {"Access-Control-Allow-Origin", "Timing-Allow-Origin"}

# header -> words for people, and a pattern of its value
HEADERS = {
    "Cache-Control": ("no-cache: ask again each time, with If-None-Match; no-store of a problem", "^no-(cache|store)$"),
    "Timing-Allow-Origin": ("the origin whose pages may read timings", "."),
    "X-Content-Type-Options": ("nosniff", "^nosniff$"),
    "Access-Control-Allow-Origin": ("the origin whose pages may read", "."),
    "Access-Control-Allow-Headers": ("what such a page may send", "."),
    "Access-Control-Expose-Headers": ("what such a page may see", "."),
    "Access-Control-Max-Age": ("for how many seconds a browser need not ask that again", "^[0-9]+$"),
    "ETag": ("what the answer is, for If-None-Match", '^"[^"]+"$'),
    "X-Position": ("the position to follow /changes from", "^[0-9]+$"),
    "Link": ("the `next` of the answer", r'^<\?.*>; rel="next"$'),
    "X-Plan": ("how DynamoDB is asked", "^(GetItem|(Query|Scan)( index=.+)?)$"),
    "Server-Timing": ("the milliseconds that DynamoDB took", "^dynamodb;dur=[0-9.]+$"),
    "X-Consumed-Capacity": ("the read units that it took", "^[0-9.e+-]+$"),
    "Retry-After": ("after how many seconds to ask again", "^[0-9]+$"),
    "Vary": ("what else the answer depends on", "^Accept$"),
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
    400: "`detail` says what is wrong with the request, and what would be right",
    404: "There is no such item",
    410: "Changes since that position are no longer kept: read /items anew, and follow from its X-Position",
    500: "Something went wrong here; `detail` names the entry in the log",
    503: "DynamoDB is out of reach, throttles, or does not let this API read: ask again after Retry-After",
}


@dataclass(frozen=True)
class _Answer:
    """`words` for people. `bodies`: schemas by media type. Headers that it `must` and `may` have beside `_ALWAYS`.

    `next`: the runtime expression of a position to ask /changes for, "" where it has none.
    """

    words: str
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
        "What there is to ask; for a browser, the explorer",
        {**_json("Description"), "text/html": _TEXT},
        (500, 503),
        must=("Vary",),
        may=("ETag", "Content-Security-Policy", "Cross-Origin-Opener-Policy", "Referrer-Policy"),
    ),
    "list": _Answer(
        "The items that all conditions hold for; with _explain=true, the plan",
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
WORDS = {kind: one.words for kind, one in _ANSWERS.items()}


def responses(kind: str, settings: Settings) -> Json:
    """status -> response, of answers of that kind: "root", "list", "item", "changes" or "document"."""
    answer = _ANSWERS[kind]
    unkept = () if settings.feed_table or kind == "root" else _OF_A_FEED
    headers = _headers((*_ALWAYS, *answer.must), [name for name in answer.may if name not in unkept], settings)
    content = {media: {"schema": body} for media, body in answer.bodies.items()}
    link = {"changes": {"operationId": "changes", "parameters": {"since": answer.next}}}
    found: Json = {"200": {"description": answer.words, "headers": headers, "content": content}}
    if answer.next and settings.feed_table:
        found["200"]["links"] = link
    if "ETag" in headers:
        found["304"] = {"description": "The answer at hand still is the answer", "headers": headers}
    return found | {str(status): {"$ref": f"#/components/responses/{status}"} for status in answer.problems}


def problems(settings: Settings) -> Json:
    """status -> the response that is a problem of that status."""
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    must = {status: (*_ALWAYS, *(["Retry-After"] if status == 503 else ())) for status in _PROBLEMS}
    return {
        str(status): {"description": words, "headers": _headers(must[status], (), settings), "content": content}
        for status, words in _PROBLEMS.items()
    }


def _headers(must: Sequence[str], may: Sequence[str], settings: Settings) -> Json:
    def told(name: str) -> Json:
        words, pattern = HEADERS[name]
        value = {"const": settings.allow_origin} if name in _ORIGINS else {"pattern": pattern}
        return {"description": words, "schema": {"type": "string", **value}, "required": name in must}

    return {name: told(name) for name in (*must, *may)}


_ANYTHING = ["string", "boolean", "null", "array", "object"]

# form of an item -> the schema of a value of a key's type, and that of any value
_FORMS: Mapping[str, tuple[Callable[[str], Json], Json]] = {
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


def published(schema: TableSchema, settings: Settings) -> list[str] | None:
    """The attributes that may leave, None for all."""
    return None if settings.attributes is None else sorted(settings.attributes.union(schema.table.keys))


def schemas(schema: TableSchema, settings: Settings, plan: Json) -> Json:
    """Those that `responses` and `problems` refer to, but for "Description". `plan`: an example of one."""
    texts = {"type": "array", "items": _TEXT}
    position = {"type": "integer", "minimum": 0}
    names = published(schema, settings)
    items, keys = {}, {}
    for form, (of_key, value) in _FORMS.items():
        # What was written before an index was made may have a value that is no key there.
        properties = {name: {"anyOf": [of_key(kind), value]} for name, kind in schema.types.items()}
        key = {name: of_key(schema.types[name]) for name in schema.table.keys}
        properties = dict.fromkeys(names or (), value) | properties | key
        items[form] = _object(properties, (), value if names is None else False)
        keys[form] = _object(key, list(key))
    # As NUMBERS has it, as a request has `_numbers`, and as `_typed` and `typed` have it.
    given = sorted(items, key=lambda form: (form == "typed", form != settings.numbers))
    change = {
        "id": _TEXT,
        "position": {"type": "integer", "minimum": 1},
        "at": {"type": "string", "format": "date-time"},
        "op": {"type": "string", "enum": list(OPERATIONS.values())},
        "key": {"anyOf": [keys[form] for form in given if form in (settings.numbers, "typed")]},
    }
    images = {name: {"anyOf": [_ref(f"Item-{f}") for f in (settings.numbers, "typed")]} for name in ("new", "old")}
    return {
        **{f"Item-{form}": one for form, one in items.items()},
        "Item": {"anyOf": [_ref(f"Item-{form}") for form in given]},
        "Items": _object(
            {
                "items": {"type": "array", "items": _ref("Item"), "maxItems": settings.max_limit},
                "count": {"type": "integer", "minimum": 0, "maximum": settings.max_limit},
                "next": {"type": ["string", "null"], "pattern": r"^\?"},
            },
            ("items", "count", "next"),
        ),
        "Plan": _object(
            {"plan": _TEXT, "reasons": texts, "request": {"type": "object"}, "in_code": texts},
            ("plan", "reasons", "request", "in_code"),
        )
        | {"examples": [plan]},
        "Change": _object(change | images, list(change)),
        "Changes": _object(
            {
                "changes": {"type": "array", "items": _ref("Change")},
                "next": position,
                "more": {"type": "boolean"},
            },
            ("changes", "next", "more"),
        ),
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
