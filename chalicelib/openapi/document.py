"""What there is to ask of this table, for tools and for people: the JSON of `GET /`, and an OpenAPI document. Pure.

What texts a parameter takes is in `grammar`, what an answer is in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.dynamodb.schema import Index, TableSchema
from chalicelib.openapi import parameters
from chalicelib.openapi import responses as answers
from chalicelib.query.conditions import OPERATORS, Operator
from chalicelib.query.controls import CHANGES_CONTROLS, CONTROLS, LATEST_POSITION, NUMBERS, default_limit
from chalicelib.settings import Settings

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
        "attributes": answers.published(schema, settings),
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


def document(schema: TableSchema, settings: Settings, plan: Json) -> Json:
    """The JSON body of `GET /openapi.json`: OpenAPI 3.1 of all that this table can be asked under these settings.

    `plan`: that of a request for everything, as an example.
    """
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
        _parameter(role, f"{name}, percent-encoded once", parameters.key_value(name, schema), at="path")
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
            "schemas": {
                "Description": {"type": "object", "examples": [description(schema, settings)]},
                **answers.schemas(schema, settings, plan),
            },
            "responses": answers.problems(settings),
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


def _route(name: str, kind: str, asked: list[Json], settings: Settings) -> Json:
    responses = answers.responses(kind, settings)
    return {"get": {"operationId": name, "summary": answers.WORDS[kind], "parameters": asked, "responses": responses}}


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
    "_fields": parameters.fields,
    "_index": lambda schema, settings: {"type": "string", "enum": [str(index) for index in schema.indexes]},
    # No default: where it is left out, CONSISTENT_READS holds for what can be read so.
    "_consistent": lambda schema, settings: {"type": "boolean"},
    "_numbers": lambda schema, settings: {"type": "string", "enum": list(NUMBERS), "default": settings.numbers},
    "_typed": lambda schema, settings: _FLAG,
    "_explain": lambda schema, settings: _FLAG,
}
_CHANGES_CONTROLS: Mapping[str, Callable[[Settings], Json]] = {
    "since": lambda settings: {"type": "integer", "minimum": 0, "maximum": LATEST_POSITION, "examples": [0]},
    "limit": _limit,
    "typed": lambda settings: _FLAG,
}
_REQUEST_HEADERS: tuple[tuple[str, str, Json], ...] = (
    ("Cache-Control", "no-cache: read anew, whatever is kept", {"type": "string", "examples": ["no-cache"]}),
    ("If-None-Match", "the ETag of the answer at hand: 304 while it still is the answer", {"type": "string"}),
)


# what an operator takes -> how it is written
_WRITTEN = {
    "value": "",
    "range": ": low,high",
    "list": ": a comma list or a JSON array",
    "flag": ", or with false does not",
}


def _words(operator: Operator) -> str:
    return operator.words.rstrip(",") + _WRITTEN[operator.takes]


def _conditions(schema: TableSchema, settings: Settings) -> list[Json]:
    """A parameter for each operator that a key attribute takes, and one, whose own name is not sent, for all others."""
    of_keys = [
        _parameter(
            parameters.condition_name(name, operator),
            f"{name} {_words(operator)}",
            parameters.key_operand(operator, name, schema),
        )
        for name, kind in schema.types.items()
        for operator in OPERATORS.values()
        if kind in operator.keys
    ]
    if settings.attributes is not None and settings.attributes <= schema.types.keys():
        return of_keys
    operators = "; ".join(f"{operator.key} {_words(operator)}" for operator in OPERATORS.values())
    words = f"attribute=value or attribute__operator=value, for attributes that are no key: {operators}"
    others = _parameter("_conditions", words, parameters.other_conditions(schema, settings))
    return [*of_keys, {**others, "style": "form", "explode": True}]
