"""The promise: whatever the plan, the items are exactly those that a brute-force filter over the whole table gives, in
the order that `_sort` names, each once across pages, under any limit."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from chalice.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.dynamodb import schema
from chalicelib.dynamodb.client import DynamoDB
from chalicelib.dynamodb.endpoint import connect
from chalicelib.dynamodb.items import number
from chalicelib.problems import Problem
from chalicelib.query.conditions import parse_path
from chalicelib.query.controls import parse
from chalicelib.query.planner import plan_items
from chalicelib.query.plans import ReadRequest
from chalicelib.settings import read
from chalicelib.web.api import Api
from tests import brute
from tests.conftest import Load, put_items

COUNTER = itertools.count()


def test_pages_joined_are_what_a_brute_force_filter_gives(load_app: Load, dynamodb: Any) -> None:
    app = load_app()
    http = Client(app.app, stage_name="local").http
    client = DynamoDB(connect(os.environ))
    seen: Counter[str] = Counter()

    @settings(max_examples=700)
    @given(st.data())
    def promise(data: st.DataObject) -> None:
        world = data.draw(brute.tables())
        name = f"promise-{next(COUNTER)}"
        dynamodb.create_table(**world.definition(name))
        put_items(
            dynamodb, name, [{n: brute.boto_value(brute.typed(v)) for n, v in item.items()} for item in world.items]
        )
        own = read(world.environ(name))
        vars(app)["API"] = Api(own, client)
        for _ in range(3):
            ask = data.draw(brute.requests(world))
            items, plan = joined(http, ask)
            assert (items is not None) == brute.is_answerable(world, ask), plan
            if items is None:
                seen["refused"] += 1
                continue
            check(world, ask, items)
            explained = http.get(f"/items?{urlencode([*ask.query(), ('_explain', 'true')])}").json_body
            seen.update(kinds(world, ask, explained))
        dynamodb.delete_table(TableName=name)

    promise()
    rare = {kind for kind in KINDS if seen[kind] < 5}
    assert not rare, f"the examples hardly try {rare}: {seen}"


KINDS = (
    *("refused", "Scan", "Query table", "Query local", "Query global", "forced Scan", "forced Query"),
    *("in code", "pushed", "between", "sparse", "dense", "fetched", "projected"),
)


def kinds(world: brute.Table, ask: brute.Request, explained: dict[str, Any]) -> set[str]:
    """What of the planner a request has tried."""
    request, operation = explained["request"], explained["plan"].split()[0]
    index = next((index for index in world.indexes if index.name == request.get("IndexName")), None)
    key_condition = request.get("KeyConditionExpression", "")
    dense = index and index.name in world.dense and not ask.index and f"{index.sort} narrows" not in str(explained)
    tried = {
        "Scan": operation == "Scan",
        f"{operation} {index.kind if index else 'table'}": True,
        f"forced {operation}": ask.index is not None,
        "in code": explained["residual"],
        "pushed": " AND " in key_condition,
        "between": "BETWEEN" in key_condition,
        "sparse": "DENSE_INDEXES" in str(explained["reasons"]),
        "dense": dense,
        "fetched": request.get("Select") == "ALL_ATTRIBUTES",
        "projected": "ProjectionExpression" in request,
    }
    return {kind for kind, tries in tried.items() if tries}


def joined(http: Any, ask: brute.Request) -> tuple[list[dict[str, Any]] | None, str]:
    """The items of all pages and the plan, or None and the detail of a 400."""
    items: list[dict[str, Any]] = []
    query: str | None = "?" + urlencode(ask.query())
    while query:
        response = http.get("/items" + query)
        body = response.json_body
        if response.status_code == 400:
            return None, body["detail"]
        assert response.status_code == 200, body
        assert body["count"] == len(body["items"]) <= ask.limit
        items += body["items"]
        query = body["next"]
    return items, response.headers["X-Plan"]


def check(world: brute.Table, ask: brute.Request, items: list[dict[str, Any]]) -> None:
    expected = brute.matching_items(world, ask)
    wanted = expected
    if ask.fields:
        kept = [brute.project(item, list(ask.fields)) for item in expected]
        wanted = [{} if item is brute.MISSING else item for item in kept]

    def identity(item: dict[str, Any]) -> str:
        return repr(sorted((name, sets_sorted(value)) for name, value in item.items()))

    assert sorted(map(identity, items)) == sorted(identity(brute.plain_json(item)) for item in wanted)
    if ask.sort and (not ask.fields or (ask.sort.removeprefix("-"),) in ask.fields):
        attribute = ask.sort.removeprefix("-")
        value_of = brute.PARSERS[world.types[attribute]]
        got = [value_of(item[attribute]) for item in items]
        assert got == sorted(got, reverse=ask.sort.startswith("-"))


def sets_sorted(value: Any) -> Any:
    """Return `value` with its lists sorted: sets have no order."""
    if isinstance(value, list):
        return sorted(map(repr, map(sets_sorted, value)))
    if isinstance(value, dict):
        return sorted((name, sets_sorted(element)) for name, element in value.items())
    return value


@settings(max_examples=500)
@given(st.data())
def test_no_query_filters_on_its_own_key(data: st.DataObject) -> None:
    # DynamoDB refuses that and the embedded one does not, so it is the plan that is looked at.
    world = data.draw(brute.tables())
    own = schema.read(world.definition("any"))
    environ = read(world.environ("any"))
    query: dict[str, list[str]] = {}
    for name, value in data.draw(brute.requests(world)).query():
        query.setdefault(name, []).append(value)
    try:
        plan = plan_items(ReadRequest(own, parse(query, own, environ), environ))
    except Problem:
        return
    names = plan.request.get("ExpressionAttributeNames", {})

    def named(expression: str) -> set[str]:
        return {names[name] for name in re.findall(r"#n\d+", expression)}

    if plan.operation == "Query":
        assert not named(plan.request.get("FilterExpression", "")) & set(plan.source.keys)
        assert named(plan.request["KeyConditionExpression"]) <= set(plan.source.keys)
        partition, *sort = plan.request["KeyConditionExpression"].split(" AND ", 1)
        assert partition == "#n0 = :v0"
        assert not sort or re.fullmatch(SORT_KEY_CONDITION, sort[0])
    expressions = [value for name, value in plan.request.items() if name.endswith("Expression")]
    assert named(" ".join(expressions)) == set(names.values())


SORT_KEY_CONDITION = r"#n1 (=|<|<=|>|>=) :v1|#n1 BETWEEN :v1 AND :v2|begins_with\(#n1, :v1\)"


@settings(max_examples=1000)
@given(st.data())
def test_a_condition_tests_an_item_as_brute_force_does(data: st.DataObject) -> None:
    world = data.draw(brute.tables())
    own = schema.read(world.definition("any"))
    paths = (("a",), ("b",), ("c.d",), *map(tuple, brute.NESTED))
    path, operator, text = data.draw(brute.conditions(world, paths))
    parameter = f"{brute.path_text(path)}__{operator}"
    try:
        (condition,) = parse({parameter: [text]}, own, read({"TABLE_NAME": "any"})).conditions
    except Problem:
        return
    assert condition.path == path == parse_path(brute.path_text(path))
    name = str(path[0])
    declared = world.types.get(name) if len(path) == 1 else None
    values = brute.SCALARS[world.types[name]] if name in world.types else brute.ANY
    for item in ({}, *({name: value} for value in data.draw(st.lists(values, min_size=5, max_size=10)))):
        typed = {name: brute.typed(value) for name, value in item.items()}
        assert condition.matches(typed) == brute.matches(item, path, operator, text, declared)


def test_numbers_are_written_as_the_brute_force_writes_them() -> None:
    assert [number(text) for text in brute.NUMBERS] == [brute.plain_number(Decimal(text)) for text in brute.NUMBERS]
