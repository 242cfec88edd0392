"""The main promise: under any plan and any limit, all pages together have exactly the items that a brute-force filter
over the whole table returns, each once, in the order of `_sort`."""

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


def test_all_pages_together_equal_the_brute_force_result(load_app: Load, dynamodb: Any) -> None:
    app = load_app()
    http = Client(app.app, stage_name="local").http
    client = DynamoDB(connect(os.environ))
    counts: Counter[str] = Counter()

    @settings(max_examples=700)
    @given(st.data())
    def check_example(data: st.DataObject) -> None:
        table = data.draw(brute.tables())
        name = f"promise-{next(COUNTER)}"
        dynamodb.create_table(**table.definition(name))
        put_items(
            dynamodb, name, [{n: brute.boto_value(brute.typed(v)) for n, v in item.items()} for item in table.items]
        )
        app_settings = read(table.environ(name))
        vars(app)["API"] = Api(app_settings, client)
        for _ in range(3):
            request = data.draw(brute.requests(table))
            items, plan = all_pages(http, request)
            assert (items is not None) == brute.is_answerable(table, request), plan
            if items is None:
                counts["refused"] += 1
                continue
            check_items(table, request, items)
            explanation = http.get(f"/items?{urlencode([*request.query(), ('_explain', 'true')])}").json_body
            counts.update(covered_kinds(table, request, explanation))
        dynamodb.delete_table(TableName=name)

    check_example()
    rare = {kind for kind in PLAN_KINDS if counts[kind] < 5}
    assert not rare, f"the examples hardly try {rare}: {counts}"


PLAN_KINDS = (
    *("refused", "Scan", "Query table", "Query local", "Query global", "forced Scan", "forced Query"),
    *("in code", "pushed", "between", "sparse", "dense", "fetched", "projected"),
)


def covered_kinds(table: brute.Table, request: brute.Request, explanation: dict[str, Any]) -> set[str]:
    """Return those of PLAN_KINDS that the request covers."""
    dynamodb_request, operation = explanation["request"], explanation["plan"].split()[0]
    index = next((index for index in table.indexes if index.name == dynamodb_request.get("IndexName")), None)
    key_condition = dynamodb_request.get("KeyConditionExpression", "")
    dense = (
        index and index.name in table.dense and not request.index and f"{index.sort} narrows" not in str(explanation)
    )
    covered = {
        "Scan": operation == "Scan",
        f"{operation} {index.kind if index else 'table'}": True,
        f"forced {operation}": request.index is not None,
        "in code": explanation["residual"],
        "pushed": " AND " in key_condition,
        "between": "BETWEEN" in key_condition,
        "sparse": "DENSE_INDEXES" in str(explanation["reasons"]),
        "dense": dense,
        "fetched": dynamodb_request.get("Select") == "ALL_ATTRIBUTES",
        "projected": "ProjectionExpression" in dynamodb_request,
    }
    return {kind for kind, is_covered in covered.items() if is_covered}


def all_pages(http: Any, request: brute.Request) -> tuple[list[dict[str, Any]] | None, str]:
    """Return the items of all pages and the plan, or None and the detail of a 400."""
    items: list[dict[str, Any]] = []
    query: str | None = "?" + urlencode(request.query())
    while query:
        response = http.get("/items" + query)
        body = response.json_body
        if response.status_code == 400:
            return None, body["detail"]
        assert response.status_code == 200, body
        assert body["count"] == len(body["items"]) <= request.limit
        items += body["items"]
        query = body["next"]
    return items, response.headers["X-Plan"]


def check_items(table: brute.Table, request: brute.Request, items: list[dict[str, Any]]) -> None:
    matching = brute.matching_items(table, request)
    expected = matching
    if request.fields:
        projected = [brute.project(item, list(request.fields)) for item in matching]
        expected = [{} if item is brute.MISSING else item for item in projected]

    def identity(item: dict[str, Any]) -> str:
        return repr(sorted((name, sets_sorted(value)) for name, value in item.items()))

    assert sorted(map(identity, items)) == sorted(identity(brute.plain_json(item)) for item in expected)
    if request.sort and (not request.fields or (request.sort.removeprefix("-"),) in request.fields):
        attribute = request.sort.removeprefix("-")
        value_of = brute.PARSERS[table.types[attribute]]
        values = [value_of(item[attribute]) for item in items]
        assert values == sorted(values, reverse=request.sort.startswith("-"))


def sets_sorted(value: Any) -> Any:
    """Return `value` with its lists sorted: sets have no order."""
    if isinstance(value, list):
        return sorted(map(repr, map(sets_sorted, value)))
    if isinstance(value, dict):
        return sorted((name, sets_sorted(element)) for name, element in value.items())
    return value


@settings(max_examples=500)
@given(st.data())
def test_query_has_no_filter_on_its_own_key(data: st.DataObject) -> None:
    # DynamoDB refuses such a query, and the embedded one does not. The test therefore checks the plan.
    table = data.draw(brute.tables())
    table_schema = schema.read(table.definition("any"))
    app_settings = read(table.environ("any"))
    query: dict[str, list[str]] = {}
    for name, value in data.draw(brute.requests(table)).query():
        query.setdefault(name, []).append(value)
    try:
        plan = plan_items(ReadRequest(table_schema, parse(query, table_schema, app_settings), app_settings))
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
def test_condition_matches_the_same_items_as_brute_force(data: st.DataObject) -> None:
    table = data.draw(brute.tables())
    table_schema = schema.read(table.definition("any"))
    paths = (("a",), ("b",), ("c.d",), *map(tuple, brute.NESTED))
    path, operator, text = data.draw(brute.conditions(table, paths))
    parameter = f"{brute.path_text(path)}__{operator}"
    try:
        (condition,) = parse({parameter: [text]}, table_schema, read({"TABLE_NAME": "any"})).conditions
    except Problem:
        return
    assert condition.path == path == parse_path(brute.path_text(path))
    name = str(path[0])
    declared = table.types.get(name) if len(path) == 1 else None
    values = brute.SCALARS[table.types[name]] if name in table.types else brute.ANY
    for item in ({}, *({name: value} for value in data.draw(st.lists(values, min_size=5, max_size=10)))):
        typed = {name: brute.typed(value) for name, value in item.items()}
        assert condition.matches(typed) == brute.matches(item, path, operator, text, declared)


def test_number_is_written_as_by_brute_force() -> None:
    assert [number(text) for text in brute.NUMBERS] == [brute.plain_number(Decimal(text)) for text in brute.NUMBERS]
