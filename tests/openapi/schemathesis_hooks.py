"""Rules that OpenAPI cannot express: which parameters go together. Each rule adds the parameters that a request needs,
and removes those that it cannot have. Deliberate errors of a case stay."""

from __future__ import annotations

import functools
import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import requests
import schemathesis
from schemathesis import Case, HookContext

from chalicelib.query.conditions import parse_path, split_name
from chalicelib.query.operators import OPERATORS
from chalicelib.query.values import unquoted

Query = dict[str, Any]
Table = Mapping[str, Any]  # the JSON of GET /


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    if not case.query:
        return
    invalid_names = _invalid_names(case)
    valid = {name: value for name, value in case.query.items() if name not in invalid_names}
    for rule in RULES:
        valid = rule(valid, get(case.operation.schema.get_base_url(), ""))
    if "_since" in valid:
        # A position after the current one is a 410.
        valid["_since"] = int(valid["_since"]) % (get(case.operation.schema.get_base_url(), "changes")["next"] + 1)
    case.query = valid | {name: value for name, value in case.query.items() if name in invalid_names}


def _invalid_names(case: Case[Any]) -> set[str | None]:
    """Return the names of the parameters that are invalid on purpose."""
    if case.meta is None or not case.meta.generation.mode.is_negative:
        return set()
    data = case.meta.phase.data
    return {data.parameter, *(mutation.parameter for mutation in data.mutations)}


@functools.cache
def get(base: str, path: str) -> Any:
    return requests.get(f"{base.rstrip('./')}/{path}", timeout=10).json()


def without_cursor(query: Query, table: Table) -> Query:
    """Remove `_cursor`: it comes from the `next` of a response to the same request."""
    return {name: value for name, value in query.items() if name != "_cursor"}


def one_path_per_attribute(query: Query, table: Table) -> Query:
    """Select one path per attribute: `_fields=a.b,a[0]` uses a as a map and as a list, which is a 400."""
    if "_fields" not in query:
        return query
    paths = {parse_path(path)[0]: path for path in query["_fields"].split(",")}
    return query | {"_fields": ",".join(paths.values())}


def lower_end_first(query: Query, table: Table) -> Query:
    """Put the lower end of a `between` first. The other order is a 400."""
    keys = [key for index in (table, *table["indexes"]) for key in index.get("keys", index).values()]
    types = {key["name"]: key["type"] for key in keys if isinstance(key, dict)}
    return {
        name: _sorted_ends(value, SORT_KEYS.get(types.get(split_name(name)[0], ""), _unquoted))
        if split_name(name)[1] is OPERATORS["between"] and isinstance(value, str)
        else value
        for name, value in query.items()
    }


def _unquoted(end: str) -> str:
    string = unquoted(end)
    return end if string is None else string


SORT_KEYS: Mapping[str, Callable[[str], Any]] = {"N": Decimal, "B": lambda end: b64decode(_unquoted(end))}


def _sorted_ends(text: str, sort_key: Callable[[str], Any]) -> str:
    if not (text.startswith("[") and text.rstrip().endswith("]")):
        return ",".join(sorted(text.split(","), key=sort_key))
    _, end = json.JSONDecoder().raw_decode(text, 1)
    return f"[{','.join(sorted((text[1:end], text[end:-1].lstrip(', ')), key=sort_key))}]"


def fitting_index(query: Query, table: Table) -> Query:
    """Select the index that has the order of `_sort`, and add an equality on its partition key.

    Remove the `_fields` and the conditions that an `_index` does not support, and `_consistent` for a global index.
    """
    index = next((index for index in table["indexes"] if index["name"] == query.get("_index")), None)
    if "_sort" in query:
        orders = [*table["indexes"], {"name": None, "kind": "table", "projection": None, **table["keys"]}]
        index = next(
            order for order in orders if order["sort"] and order["sort"]["name"] == query["_sort"].removeprefix("-")
        )
        value = {"S": "us", "N": "1", "B": "AAEC"}[index["partition"]["type"]]
        query = {index["partition"]["name"]: value, **query, "_index": index["name"]}
    if index is None:
        return query
    unsupported = {"_fields", "_consistent"} if index["kind"] == "global" else {"_fields"}
    return {
        name: value
        for name, value in query.items()
        if name not in unsupported
        and value is not None
        and (name.startswith("_") or not index["projection"] or split_name(name)[0] in index["projection"])
    }


RULES = (without_cursor, one_path_per_attribute, lower_end_first, fitting_index)
