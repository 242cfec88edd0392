"""What there is to ask of this table, for tools and for people. Pure."""

from __future__ import annotations

from typing import Any

from chalicelib.filters import OPERATORS
from chalicelib.parameters import CONTROLS, default_limit
from chalicelib.schema import Index, TableSchema
from chalicelib.settings import Settings


def description(schema: TableSchema, settings: Settings) -> dict[str, Any]:
    """The JSON body of `GET /`: the table, its keys and indexes, operators, parameters, limits and links.

    An operator's `keys` are the types of key attribute that it can be asked of.
    """

    def key(name: str | None) -> dict[str, str] | None:
        return None if name is None else {"name": name, "type": schema.types[name]}

    def keys(index: Index) -> dict[str, Any]:
        return {"partition": key(index.partition), "sort": key(index.sort)}

    attributes = settings.attributes
    return {
        "table": schema.name,
        "keys": keys(schema.table),
        "indexes": [
            {"name": index.name, "kind": index.kind, **keys(index), "holds": index.holds and sorted(index.holds)}
            for index in schema.indexes
        ],
        "attributes": attributes and sorted(attributes.union(schema.table.keys)),
        "operators": {one.key: {"words": one.words, "keys": sorted(one.keys)} for one in OPERATORS.values()},
        "parameters": {name: control.words for name, control in CONTROLS.items()},
        "limit": {"default": default_limit(settings), "most": settings.max_limit},
        "links": {
            "items": "items",
            **({"changes": "changes"} if settings.feed_table else {}),
            "item": "/".join(("items", *(f"{{{name}}}" for name in schema.table.keys))),
        },
    }
