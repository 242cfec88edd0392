"""The JSON of `GET /` and of `GET /openapi.json`, for the table and the settings at hand. Pure."""

from __future__ import annotations

from typing import Any

from chalicelib.dynamodb.schema import Index, TableSchema
from chalicelib.openapi import parameters, responses
from chalicelib.query.access import access_of
from chalicelib.query.controls import CHANGES, ITEM, LIST, controls_of, default_limit
from chalicelib.query.operators import OPERATORS
from chalicelib.settings import Settings

Json = dict[str, Any]


def description(schema: TableSchema, settings: Settings) -> Json:
    """Return the body of `GET /`: table, keys, indexes, operators, parameters, limits and links.

    An operator's `operand`: an example. Its `keys`: the types of key attributes that it works on. An index's
    `projection`: the attributes that it has, null for all.
    """

    def key(name: str | None) -> dict[str, str] | None:
        return None if name is None else {"name": name, "type": schema.types[name]}

    def keys(index: Index) -> Json:
        return {"partition": key(index.partition), "sort": key(index.sort)}

    def projection(index: Index) -> list[str] | None:
        return None if index.projected_attributes is None else sorted(index.projected_attributes)

    return {
        "table": schema.name,
        "keys": keys(schema.table),
        "indexes": [
            {"name": index.name, "kind": index.kind, **keys(index), "projection": projection(index)}
            for index in schema.indexes
        ],
        "attributes": access_of(settings, schema.table.keys).names(),
        "operators": {
            operator.key: {
                "description": operator.description,
                "operand": operator.operand_syntax.example,
                "keys": sorted(operator.key_types),
            }
            for operator in OPERATORS.values()
        },
        "parameters": {name: control.description for name, control in controls_of(LIST).items()},
        "limit": {"default": default_limit(settings), "most": settings.max_limit},
        "links": {
            "items": "items",
            **({"changes": "changes"} if settings.feed_table else {}),
            "item": "/".join(("items", *(f"{{{name}}}" for name in schema.table.keys))),
            "openapi": "openapi.json",
        },
    }


def document(schema: TableSchema, settings: Settings, plan: Json) -> Json:
    """Return the body of `GET /openapi.json`: OpenAPI 3.1 of the requests that this table can answer.

    `plan`: the explanation of a plan, as an example.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": schema.name, "version": "1", "description": _about(schema, settings)},
        "servers": [{"url": "./"}],
        "paths": _paths(schema, settings),
        "components": {
            "schemas": {
                "Description": {"type": "object", "examples": [description(schema, settings)]},
                **responses.schemas(schema, settings, plan),
            },
            "responses": responses.problems(settings),
        },
    }


def _paths(schema: TableSchema, settings: Settings) -> Json:
    headers = parameters.request_headers(settings)
    of_list = [
        *parameters.controls(LIST, schema, settings),
        *parameters.conditions(schema, settings),
        *headers,
    ]
    of_item = [*parameters.controls(ITEM, schema, settings), *headers]
    segments = parameters.key_segments(schema)
    partition = {"/items/{partition}": _route("partition", "list", [*segments[:1], *of_list], settings)}
    key = "/".join(f"{{{segment['name']}}}" for segment in segments)
    changes = {"/changes": _route("changes", "changes", parameters.controls(CHANGES, schema, settings), settings)}
    return {
        "/": _route("root", "root", [], settings),
        "/items": _route("items", "list", of_list, settings),
        **(partition if schema.table.sort else {}),
        f"/items/{key}": _route("item", "item", [*segments, *of_item], settings),
        **(changes if settings.feed_table else {}),
        "/openapi.json": _route("openapi", "document", [], settings),
    }


def _about(schema: TableSchema, settings: Settings) -> str:
    partitions = ", ".join(dict.fromkeys(index.partition for index in schema.queryable))
    other = "reads the whole table" if settings.scan else "is a 400 (SCAN=deny)"
    return (
        f"The DynamoDB table {schema.name}, read-only. A key or an index can answer an equality on {partitions}. Any "
        f"other request {other}. Repeating a condition means AND."
    )


def _route(name: str, kind: str, asked: list[Json], settings: Settings) -> Json:
    answers = responses.responses(kind, settings)
    summary = responses.DESCRIPTIONS[kind]
    return {"get": {"operationId": name, "summary": summary, "parameters": asked, "responses": answers}}
