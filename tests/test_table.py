from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

from chalicelib import table
from chalicelib.dynamodb.client import DynamoDB
from chalicelib.dynamodb.endpoint import connect
from chalicelib.dynamodb.transport import CALL_SECONDS
from chalicelib.query.controls import parse
from chalicelib.query.planner import plan_items
from chalicelib.query.plans import ReadRequest
from chalicelib.settings import read
from tests.conftest import Get, Load, put_items

WIDE = "wide"
KEY_SCHEMA = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]
ATTRIBUTE_DEFINITIONS = [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"}]


@pytest.fixture(scope="module")
def wide(dynamodb: Any) -> str:
    """Create a table of 600 items of 10 KB in one partition, six pages of DynamoDB. Return its name."""
    dynamodb.create_table(
        TableName=WIDE, KeySchema=KEY_SCHEMA, AttributeDefinitions=ATTRIBUTE_DEFINITIONS, BillingMode="PAY_PER_REQUEST"
    )
    text = "x" * 10_000
    items = [
        {"p": {"S": "a"}, "s": {"N": str(i)}, "odd": {"BOOL": bool(i % 2)}, "text": {"S": text}} for i in range(600)
    ]
    put_items(dynamodb, WIDE, items)
    return WIDE


@pytest.fixture
def get_wide(wide: str, load_app: Load) -> Get:
    http = Client(load_app(TABLE_NAME=wide).app, stage_name="local").http
    return lambda path: http.get(path)


def pages(get: Get, path: str) -> Iterator[dict[str, Any]]:
    query = ""
    while query is not None:
        response = get(path + query)
        assert response.status_code == 200, response.body
        yield response.json_body
        query = response.json_body["next"]
        path = path.split("?")[0]


def test_page_ends_at_the_byte_budget(get_wide: Get, calls: list[dict[str, Any]]) -> None:
    read_pages = list(pages(get_wide, "/items?p=a&_limit=1000"))
    assert [item["s"] for page in read_pages for item in page["items"]] == [str(i) for i in range(600)]
    assert len(read_pages) > 5
    assert all(page["count"] < 120 for page in read_pages)


def test_page_is_filled_from_several_pages_of_dynamodb(get_wide: Get, calls: list[dict[str, Any]]) -> None:
    response = get_wide("/items?p=a&odd=false&s__in=0,300,598&_fields=s&_limit=4")
    assert response.json_body == {"items": [{"s": "0"}, {"s": "300"}, {"s": "598"}], "count": 3, "next": None}
    reads = [call for call in calls if call["operation"] == "Query"]
    assert len(reads) > 3
    assert [call["Limit"] for call in reads[:3]] == [100, 400, 1600]
    assert float(response.headers["X-Consumed-Capacity"]) >= len(reads)


def test_page_of_dynamodb_is_limited_to_one_item_more_than_requested(
    get_wide: Get, calls: list[dict[str, Any]]
) -> None:
    # The additional item shows whether another page follows.
    assert get_wide("/items?p=a&s__lt=5&_limit=5").json_body["next"] is None
    assert calls[-1]["Limit"] == 6
    assert get_wide("/items?p=a&s__lt=6&_limit=5").json_body["next"] is not None
    assert calls[-1]["Limit"] == 6


@pytest.mark.parametrize(("budget", "spent"), [("BUDGET_PAGES", 1), ("BUDGET_SECONDS", 0)])
def test_page_ends_at_the_budget_of_pages_or_seconds(
    get_wide: Get, monkeypatch: pytest.MonkeyPatch, budget: str, spent: int
) -> None:
    monkeypatch.setattr(table, budget, spent)
    read_pages = list(pages(get_wide, "/items?p=a&s__in=5,599&_fields=s"))
    assert [item["s"] for page in read_pages for item in page["items"]] == ["5", "599"]
    assert len(read_pages) > 5
    assert 0 in [page["count"] for page in read_pages]


def test_function_with_little_time_left_reads_one_page(wide: str, endpoint: str) -> None:
    settings = read({"TABLE_NAME": wide})
    wide_table = table.Table(settings, DynamoDB(connect(os.environ)))
    plan = plan_items(
        ReadRequest(wide_table.schema(), parse({"p": ["a"], "odd": ["x"]}, wide_table.schema(), settings), settings)
    )
    assert wide_table.items(plan, None, 10, CALL_SECONDS).pages == 1
    assert wide_table.items(plan, None, 10, 900).pages > 1


def test_page_too_large_for_lambda_is_cut(dynamodb: Any, load_app: Load) -> None:
    name = "escapes"
    dynamodb.create_table(
        TableName=name, KeySchema=KEY_SCHEMA, AttributeDefinitions=ATTRIBUTE_DEFINITIONS, BillingMode="PAY_PER_REQUEST"
    )
    # Each character of the text takes six in JSON: a page of 1 MB becomes a response of 6 MB.
    items = [{"p": {"S": "a"}, "s": {"N": str(i)}, "text": {"S": "\x01" * 100_000}} for i in range(9)]
    items.append({"p": {"S": "a"}, "s": {"N": "9"}, "text": {"S": "\x01" * 390_000}})
    put_items(dynamodb, name, items)
    http = Client(load_app(TABLE_NAME=name).app, stage_name="local").http
    bodies: list[bytes] = []

    def get(path: str) -> Any:
        response = http.get(path)
        bodies.append(response.body)
        return response

    assert [item["s"] for page in pages(get, "/items?p=a") for item in page["items"]] == [str(i) for i in range(10)]
    assert all(len(body) <= 2_000_000 for body in bodies[:-1])
    assert max(len(json.dumps(body.decode())) for body in bodies) < 6_000_000


def test_outdated_schema_is_a_503_and_is_read_again(dynamodb: Any, load_app: Load) -> None:
    name, by_s = "changing", [{"AttributeName": "s", "KeyType": "HASH"}]
    index = {"IndexName": "by_s", "KeySchema": by_s, "Projection": {"ProjectionType": "ALL"}}
    definition = {
        "AttributeDefinitions": ATTRIBUTE_DEFINITIONS,
        "KeySchema": KEY_SCHEMA,
        "BillingMode": "PAY_PER_REQUEST",
    }
    dynamodb.create_table(TableName=name, GlobalSecondaryIndexes=[index], **definition)
    http = Client(load_app(TABLE_NAME=name).app, stage_name="local").http
    assert http.get("/items?s=1").headers["X-Plan"] == "Query index=by_s"
    dynamodb.delete_table(TableName=name)
    dynamodb.create_table(TableName=name, **definition)
    response = http.get("/items?s=1")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert "indexes have just changed" in response.json_body["detail"]
    assert http.get("/items?s=1").headers["X-Plan"] == "Scan"


def test_schema_is_read_again_after_a_time(wide: str, endpoint: str, calls: list[dict[str, Any]]) -> None:
    clock = itertools.count(0, 10)
    wide_table = table.Table(
        read({"TABLE_NAME": wide}), DynamoDB(connect(os.environ)), clock=lambda: float(next(clock))
    )
    for _ in range(8):
        wide_table.schema()
    assert 1 < len(calls) < 5
    wide_table.forget_schema()
    before = len(calls)
    wide_table.schema()
    assert len(calls) == before + 1


def test_unknown_index_declared_dense_is_logged(quakes: Any, load_app: Load, caplog: pytest.LogCaptureFixture) -> None:
    http = Client(load_app(DENSE_INDEXES="by_net,by_ent").app, stage_name="local").http
    with caplog.at_level(logging.WARNING, "tablecast"):
        assert http.get("/items?net=us").headers["X-Plan"] == "Query index=by_net"
    assert caplog.messages == ["DENSE_INDEXES names unknown indexes: by_ent"]


def test_retries_of_one_call_fit_into_the_lambda_timeout() -> None:
    # API Gateway ends a request after 29 seconds, so a longer timeout is useless.
    with open(".chalice/config.json") as file:
        config = json.load(file)
    # One call reads the schema first. Reading ends early enough for one more call.
    assert 2 * CALL_SECONDS < config["lambda_timeout"] <= 29
    assert config["lambda_timeout"] > table.BUDGET_SECONDS + CALL_SECONDS
