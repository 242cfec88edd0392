"""What there is to ask of this table, for tools and for people: the JSON of `GET /`, and an OpenAPI document. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from chalicelib import grammar
from chalicelib.filters import OPERATORS
from chalicelib.parameters import CHANGES_CONTROLS, CONTROLS, LATEST_POSITION, NUMBERS, default_limit, parse
from chalicelib.planner import Question, plan_items
from chalicelib.problems import BUSY, MEDIA_TYPE, Problem
from chalicelib.schema import Index, TableSchema
from chalicelib.settings import Settings
from chalicelib.stream import OPERATIONS

Json = dict[str, Any]


def description(schema: TableSchema, settings: Settings) -> Json:
    """The JSON body of `GET /`: the table, its keys and indexes, operators, parameters, limits and links.

    An operator's `keys` are the types of key attribute that it can be asked of.
    """

    def key(name: str | None) -> dict[str, str] | None:
        return None if name is None else {"name": name, "type": schema.types[name]}

    def keys(index: Index) -> Json:
        return {"partition": key(index.partition), "sort": key(index.sort)}

    return {
        "table": schema.name,
        "keys": keys(schema.table),
        "indexes": [
            {"name": index.name, "kind": index.kind, **keys(index), "holds": index.holds and sorted(index.holds)}
            for index in schema.indexes
        ],
        "attributes": _published(schema, settings),
        "operators": {one.key: {"words": one.words, "keys": sorted(one.keys)} for one in OPERATORS.values()},
        "parameters": {name: control.words for name, control in CONTROLS.items()},
        "limit": {"default": default_limit(settings), "most": settings.max_limit},
        "links": {
            "items": "items",
            **({"changes": "changes"} if settings.feed_table else {}),
            "item": "/".join(("items", *(f"{{{name}}}" for name in schema.table.keys))),
            "openapi": "openapi.json",
        },
    }


def _published(schema: TableSchema, settings: Settings) -> list[str] | None:
    return None if settings.attributes is None else sorted(settings.attributes.union(schema.table.keys))


def document(schema: TableSchema, settings: Settings) -> Json:
    """The JSON body of `GET /openapi.json`: OpenAPI 3.1 of all that this table can be asked under these settings."""
    controls = [_parameter(name, one.words, _CONTROLS[name](schema, settings)) for name, one in CONTROLS.items()]
    # Without an index there is none to name, and without a sort key no order.
    controls = [one for one in controls if one["schema"].get("enum") != []]
    headers = [
        _parameter(*one, at="header") for one in (_REQUEST_HEADERS if settings.feed_table else _REQUEST_HEADERS[:1])
    ]
    of_list = [*controls, *_conditions(schema, settings), *headers]
    of_item = [*(one for one in controls if CONTROLS[one["name"]].of_item), *headers]
    of_changes = [
        _parameter(name, words, _CHANGES_CONTROLS[name](settings)) for name, (words, _) in CHANGES_CONTROLS.items()
    ]
    segments = [
        _parameter(role, f"{name}, percent-encoded once", grammar.key_value(name, schema), at="path")
        for role, name in zip(("partition", "sort"), schema.table.keys, strict=False)
    ]
    partition = {"/items/{partition}": _route("partition", "list", [*segments[:1], *of_list], settings)}
    key = "/".join(f"{{{segment['name']}}}" for segment in segments)
    paths = {
        "/": _route("root", "root", [], settings),
        "/items": _route("items", "list", of_list, settings),
        **(partition if schema.table.sort else {}),
        f"/items/{key}": _route("item", "item", [*segments, *of_item], settings),
        **({"/changes": _route("changes", "changes", of_changes, settings)} if settings.feed_table else {}),
        "/openapi.json": _route("openapi", "document", [], settings),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": schema.name, "version": "1", "description": _about(schema, settings)},
        "servers": [{"url": "./"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(schema, settings),
            "responses": {str(status): _problem(status, settings) for status in _PROBLEMS},
        },
    }


def _about(schema: TableSchema, settings: Settings) -> str:
    partitions = ", ".join(dict.fromkeys(index.partition for index in schema.queryable))
    rest = "read from the whole table" if settings.scan else "a 400 (SCAN=deny)"
    return (
        f"The DynamoDB table {schema.name}, read-only. An equality on one of {partitions} can be answered by a key or "
        f"an index; what none can answer is {rest}. Repeating a condition means AND."
    )


def _parameter(name: str, words: str, schema: Json, at: str = "query") -> Json:
    return {"name": name, "in": at, "description": words, "required": at == "path", "schema": schema}


def _ref(kind: str, name: object) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


_FLAG: Json = {"type": "boolean", "default": False}


def _limit(settings: Settings) -> Json:
    return {"type": "integer", "minimum": 1, "maximum": settings.max_limit, "default": default_limit(settings)}


def _sorts(schema: TableSchema) -> list[str]:
    names = dict.fromkeys(index.sort for index in schema.queryable if index.sort)
    return [sign + name for name in names for sign in ("", "-")]


_CONTROLS: Mapping[str, Callable[[TableSchema, Settings], Json]] = {
    "_limit": lambda schema, settings: _limit(settings),
    "_cursor": lambda schema, settings: {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    "_sort": lambda schema, settings: {"type": "string", "enum": _sorts(schema)},
    "_fields": grammar.fields,
    "_index": lambda schema, settings: {"type": "string", "enum": [str(index) for index in schema.indexes]},
    # No default: where it is left out, CONSISTENT_READS holds for what can be read so.
    "_consistent": lambda schema, settings: {"type": "boolean"},
    "_numbers": lambda schema, settings: {"type": "string", "enum": list(NUMBERS), "default": settings.numbers},
    "_typed": lambda schema, settings: _FLAG,
    "_explain": lambda schema, settings: _FLAG,
}
_CHANGES_CONTROLS: Mapping[str, Callable[[Settings], Json]] = {
    "since": lambda settings: {"type": "integer", "minimum": 0, "maximum": LATEST_POSITION},
    "limit": _limit,
    "typed": lambda settings: _FLAG,
}
_REQUEST_HEADERS = (
    ("Cache-Control", "no-cache: read anew, whatever is kept", {"type": "string"}),
    ("If-None-Match", "the ETag of the answer at hand: 304 while it still is the answer", {"type": "string"}),
)


def _conditions(schema: TableSchema, settings: Settings) -> list[Json]:
    """A parameter for each operator that a key attribute takes, and one, whose own name is not sent, for all others."""
    of_keys = [
        _parameter(
            grammar.condition_name(name, operator),
            f"{name} {operator.words.rstrip(',')}",
            grammar.key_operand(operator, name, schema),
        )
        for name, kind in schema.types.items()
        for operator in OPERATORS.values()
        if kind in operator.keys
    ]
    if settings.attributes is not None and settings.attributes <= schema.types.keys():
        return of_keys
    operators = "; ".join(f"{operator.key} {operator.words.rstrip(',')}" for operator in OPERATORS.values())
    words = f"attribute=value or attribute__operator=value, for attributes that are no key: {operators}"
    others = _parameter("_conditions", words, grammar.other_conditions(schema, settings))
    return [*of_keys, {**others, "style": "form", "explode": True}]


# What goes out. Headers that every answer has, that the reads of a feed's table have, and the others.

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


def _headers(must: Sequence[str], may: Sequence[str], settings: Settings) -> Json:
    text: Json = {"type": "string"}
    origin = {"type": "string", "const": settings.allow_origin}
    words = {
        "Cache-Control": ("no-cache: ask again each time, with If-None-Match; no-store for a problem", text),
        "Timing-Allow-Origin": ("the origin whose pages may read timings", origin),
        "X-Content-Type-Options": ("nosniff", {"type": "string", "const": "nosniff"}),
        "Access-Control-Allow-Origin": ("the origin whose pages may read", origin),
        "Access-Control-Allow-Headers": ("what such a page may send", text),
        "Access-Control-Expose-Headers": ("what such a page may see", text),
        "Access-Control-Max-Age": ("for how many seconds a browser need not ask that again", text),
        "ETag": ("what the answer is, for If-None-Match", {"type": "string", "pattern": '^"[^"]*"$'}),
        "X-Position": ("the position to follow /changes from", {"type": "string", "pattern": "^[0-9]+$"}),
        "Link": ("the `next` of the answer", {"type": "string", "pattern": '^<\\?.*>; rel="next"$'}),
        "X-Plan": ("how DynamoDB is asked", {"type": "string", "pattern": "^(GetItem|(Query|Scan)( index=.+)?)$"}),
        "Server-Timing": ("milliseconds that DynamoDB took", {"type": "string", "pattern": "^dynamodb;dur=[0-9.]+$"}),
        "X-Consumed-Capacity": ("read units that it took", {"type": "string", "pattern": "^[0-9.e+-]+$"}),
        "Vary": ("Accept", {"type": "string", "const": "Accept"}),
        "Content-Security-Policy": ("of the explorer", text),
        "Cross-Origin-Opener-Policy": ("of the explorer", text),
        "Referrer-Policy": ("of the explorer", text),
        "Retry-After": ("seconds", {"type": "string", "pattern": "^[0-9]+$"}),
    }
    return {
        name: {"description": words[name][0], "schema": words[name][1], "required": name in must}
        for name in (*must, *may)
    }


_JSON = "application/json"
_READ = ("Server-Timing", "X-Consumed-Capacity")
_OF_THE_EXPLORER = ("ETag", "Content-Security-Policy", "Cross-Origin-Opener-Policy", "Referrer-Policy")

# kind of answer -> what it is, its bodies, its headers but for _ALWAYS: those it must have, those it may, its problems
_ANSWERS: Mapping[str, tuple[str, Json, Sequence[str], Sequence[str], Sequence[int]]] = {
    "root": (
        "What there is to ask; for a browser, the explorer",
        {_JSON: _ref("schemas", "Description"), "text/html": {"type": "string"}},
        ("Vary",),
        _OF_THE_EXPLORER,
        (500, 503),
    ),
    "list": (
        "Items that all conditions hold for; with _explain=true, the plan",
        {_JSON: {"anyOf": [_ref("schemas", "Items"), _ref("schemas", "Plan")]}},
        ("X-Plan",),
        (*_READ, *_OF_A_FEED, "Link"),
        (400, 500, 503),
    ),
    "item": (
        "The item with this key; with _explain=true, the plan",
        {_JSON: {"anyOf": [_ref("schemas", "Item"), _ref("schemas", "Plan")]}},
        ("X-Plan",),
        (*_READ, *_OF_A_FEED),
        (400, 404, 500, 503),
    ),
    "changes": ("Changes after a position", {_JSON: _ref("schemas", "Changes")}, _READ, (), (400, 410, 500, 503)),
    "document": ("This document", {_JSON: {"type": "object"}}, (), (), (500, 503)),
}

# answer -> the parameter of /changes to go on with
_LINKS = {
    "list": "$response.header.X-Position",
    "item": "$response.header.X-Position",
    "changes": "$response.body#/next",
}


def _route(name: str, kind: str, asked: list[Json], settings: Settings) -> Json:
    words, bodies, must, may, problems = _ANSWERS[kind]
    unkept = () if settings.feed_table or kind == "root" else _OF_A_FEED
    headers = _headers((*_ALWAYS, *must), [one for one in may if one not in unkept], settings)
    content = {media: {"schema": body} for media, body in bodies.items()}
    responses: Json = {"200": {"description": words, "headers": headers, "content": content}}
    if kind in _LINKS and settings.feed_table:
        link = {"operationId": "changes", "parameters": {"since": _LINKS[kind]}}
        responses["200"]["links"] = {"changes": link}
    if "ETag" in headers:
        responses["304"] = {"description": "The answer at hand still is the answer", "headers": headers}
    responses |= {str(status): _ref("responses", status) for status in problems}
    return {"get": {"operationId": name, "summary": words, "parameters": asked, "responses": responses}}


_PROBLEMS = {
    400: "`detail` says what is wrong with the request, and what would be right",
    404: "There is no such item",
    410: "Changes since that position are no longer kept: read /items anew, and follow from its X-Position",
    500: "Something went wrong here; `detail` names the entry in the log",
    503: "DynamoDB is out of reach, throttles, or does not let this API read: ask again after Retry-After",
}


def _problem(status: int, settings: Settings) -> Json:
    headers = _headers((*_ALWAYS, *(["Retry-After"] if status == 503 else ())), (), settings)
    content = {MEDIA_TYPE: {"schema": _ref("schemas", "Problem")}}
    return {"description": _PROBLEMS[status], "headers": headers, "content": content}


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


def _schemas(schema: TableSchema, settings: Settings) -> Json:
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    position = {"type": "integer", "minimum": 0}
    published = _published(schema, settings)
    items, keys = {}, {}
    for form, (of_key, value) in _FORMS.items():
        # What was written before an index was made may have a value that is no key there.
        properties = {name: {"anyOf": [of_key(kind), value]} for name, kind in schema.types.items()}
        key = {name: of_key(schema.types[name]) for name in schema.table.keys}
        properties = dict.fromkeys(published or (), value) | properties | key
        items[form] = _object(properties, (), value if published is None else False)
        keys[form] = _object(key, list(key))
    # As NUMBERS has it, as a request has `_numbers`, and as `_typed` and `typed` have it.
    given = sorted(items, key=lambda form: (form == "typed", form != settings.numbers))
    change = {
        "id": text,
        "position": {"type": "integer", "minimum": 1},
        "at": {"type": "string", "format": "date-time"},
        "op": {"type": "string", "enum": list(OPERATIONS.values())},
        "key": {"anyOf": [keys[form] for form in given if form in (settings.numbers, "typed")]},
    }
    images = {
        name: {"anyOf": [_ref("schemas", f"Item-{f}") for f in (settings.numbers, "typed")]} for name in ("new", "old")
    }
    everything = parse({"_explain": ["true"]}, schema, settings)
    return {
        "Description": {"type": "object", "examples": [description(schema, settings)]},
        **{f"Item-{form}": one for form, one in items.items()},
        "Item": {"anyOf": [_ref("schemas", f"Item-{form}") for form in given]},
        "Items": _object(
            {
                "items": {"type": "array", "items": _ref("schemas", "Item"), "maxItems": settings.max_limit},
                "count": {"type": "integer", "minimum": 0, "maximum": settings.max_limit},
                "next": {"type": ["string", "null"], "pattern": r"^\?"},
            },
            ("items", "count", "next"),
        ),
        "Plan": _object(
            {"plan": text, "reasons": texts, "request": {"type": "object"}, "in_code": texts},
            ("plan", "reasons", "request", "in_code"),
        )
        | {"examples": [plan_items(Question(schema, everything, settings)).explain()]},
        "Change": _object(change | images, list(change)),
        "Changes": _object(
            {
                "changes": {"type": "array", "items": _ref("schemas", "Change")},
                "next": position,
                "more": {"type": "boolean"},
            },
            ("changes", "next", "more"),
        ),
        "Problem": _object(
            {
                "type": {"const": "about:blank"},
                "title": text,
                "status": {"type": "integer", "enum": list(_PROBLEMS)},
                "detail": text,
            },
            ("type", "title", "status", "detail"),
        )
        | {"examples": [orjson.loads(Problem(503, BUSY).body)]},
    }
