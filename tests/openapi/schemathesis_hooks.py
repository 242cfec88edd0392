"""Rules that OpenAPI cannot express: which parameters go together. Each rule completes a request with the parameters
that it needs, and removes those that it cannot have. Deliberate errors of a case stay."""

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
    wrong = _wrong(case)
    right = {name: value for name, value in case.query.items() if name not in wrong}
    for rule in RULES:
        right = rule(right, get(case.operation.schema.get_base_url(), ""))
    if "_since" in right:
        # A later position than that of now is another feed's, and a 410.
        right["_since"] = int(right["_since"]) % (get(case.operation.schema.get_base_url(), "changes")["next"] + 1)
    case.query = right | {name: value for name, value in case.query.items() if name in wrong}


def _wrong(case: Case[Any]) -> set[str | None]:
    """The parameters that this case has wrong on purpose."""
    if case.meta is None or not case.meta.generation.mode.is_negative:
        return set()
    data = case.meta.phase.data
    return {data.parameter, *(mutation.parameter for mutation in data.mutations)}


@functools.cache
def get(base: str, path: str) -> Any:
    return requests.get(f"{base.rstrip('./')}/{path}", timeout=10).json()


def no_cursor(query: Query, table: Table) -> Query:
    """A `_cursor` comes from the `next` of an answer to the same request."""
    return {name: value for name, value in query.items() if name != "_cursor"}


def a_map_or_a_list(query: Query, table: Table) -> Query:
    """`_fields=a.b,a[0]` takes a for both, and is a 400: one path of an attribute is enough."""
    if "_fields" not in query:
        return query
    paths = {parse_path(path)[0]: path for path in query["_fields"].split(",")}
    return query | {"_fields": ",".join(paths.values())}


def lower_end_first(query: Query, table: Table) -> Query:
    """What is between a higher and a lower end is nothing, and a 400."""
    keys = [key for index in (table, *table["indexes"]) for key in index.get("keys", index).values()]
    types = {key["name"]: key["type"] for key in keys if isinstance(key, dict)}
    return {
        name: _ordered(value, ORDER.get(types.get(split_name(name)[0], ""), _text))
        if split_name(name)[1] is OPERATORS["between"] and isinstance(value, str)
        else value
        for name, value in query.items()
    }


def _text(end: str) -> str:
    string = unquoted(end)
    return end if string is None else string


ORDER: Mapping[str, Callable[[str], Any]] = {"N": Decimal, "B": lambda end: b64decode(_text(end))}


def _ordered(text: str, order: Callable[[str], Any]) -> str:
    if not (text.startswith("[") and text.rstrip().endswith("]")):
        return ",".join(sorted(text.split(","), key=order))
    _, end = json.JSONDecoder().raw_decode(text, 1)
    return f"[{','.join(sorted((text[1:end], text[end:-1].lstrip(', ')), key=order))}]"


def an_index_that_fits(query: Query, table: Table) -> Query:
    """A `_sort` goes with the index that has that order, and an equality on its partition key; an `_index` without
    filters on, or fields of, what it does not hold; a global one without `_consistent`."""
    index = next((index for index in table["indexes"] if index["name"] == query.get("_index")), None)
    if "_sort" in query:
        orders = [*table["indexes"], {"name": None, "kind": "table", "projection": None, **table["keys"]}]
        index = next(one for one in orders if one["sort"] and one["sort"]["name"] == query["_sort"].removeprefix("-"))
        value = {"S": "us", "N": "1", "B": "AAEC"}[index["partition"]["type"]]
        query = {index["partition"]["name"]: value, **query, "_index": index["name"]}
    if index is None:
        return query
    unfit = {"_fields", "_consistent"} if index["kind"] == "global" else {"_fields"}
    return {
        name: value
        for name, value in query.items()
        if name not in unfit
        and value is not None
        and (name.startswith("_") or not index["projection"] or split_name(name)[0] in index["projection"])
    }


RULES = (no_cursor, a_map_or_a_list, lower_end_first, an_index_that_fits)
