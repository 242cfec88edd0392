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
KEY = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]
TYPES = [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"}]


@pytest.fixture(scope="module")
def wide(dynamodb: Any) -> str:
    """A table of 600 items of 10 KB in one partition: six of DynamoDB's pages."""
    dynamodb.create_table(TableName=WIDE, KeySchema=KEY, AttributeDefinitions=TYPES, BillingMode="PAY_PER_REQUEST")
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


def test_an_answer_ends_where_the_bytes_of_its_budget_do(get_wide: Get, calls: list[dict[str, Any]]) -> None:
    answers = list(pages(get_wide, "/items?p=a&_limit=1000"))
    assert [item["s"] for answer in answers for item in answer["items"]] == [str(i) for i in range(600)]
    assert len(answers) > 5
    assert all(answer["count"] < 120 for answer in answers)


def test_a_page_is_filled_across_those_of_dynamodb(get_wide: Get, calls: list[dict[str, Any]]) -> None:
    response = get_wide("/items?p=a&odd=false&s__in=0,300,598&_fields=s&_limit=4")
    assert response.json_body == {"items": [{"s": "0"}, {"s": "300"}, {"s": "598"}], "count": 3, "next": None}
    reads = [call for call in calls if call["operation"] == "Query"]
    assert len(reads) > 3
    assert [call["Limit"] for call in reads[:3]] == [100, 400, 1600]
    assert float(response.headers["X-Consumed-Capacity"]) >= len(reads)


def test_a_page_of_dynamodb_has_no_more_than_what_is_asked_for_and_one(
    get_wide: Get, calls: list[dict[str, Any]]
) -> None:
    # The one more tells whether anything follows.
    assert get_wide("/items?p=a&s__lt=5&_limit=5").json_body["next"] is None
    assert calls[-1]["Limit"] == 6
    assert get_wide("/items?p=a&s__lt=6&_limit=5").json_body["next"] is not None
    assert calls[-1]["Limit"] == 6


@pytest.mark.parametrize(("budget", "spent"), [("BUDGET_PAGES", 1), ("BUDGET_SECONDS", 0)])
def test_an_answer_ends_where_its_budget_does(
    get_wide: Get, monkeypatch: pytest.MonkeyPatch, budget: str, spent: int
) -> None:
    monkeypatch.setattr(table, budget, spent)
    answers = list(pages(get_wide, "/items?p=a&s__in=5,599&_fields=s"))
    assert [item["s"] for answer in answers for item in answer["items"]] == ["5", "599"]
    assert len(answers) > 5
    assert 0 in [answer["count"] for answer in answers]


def test_a_function_with_little_time_left_reads_one_page(wide: str, endpoint: str) -> None:
    settings = read({"TABLE_NAME": wide})
    own = table.Table(settings, DynamoDB(connect(os.environ)))
    plan = plan_items(ReadRequest(own.schema(), parse({"p": ["a"], "odd": ["x"]}, own.schema(), settings), settings))
    assert own.items(plan, None, 10, CALL_SECONDS).pages == 1
    assert own.items(plan, None, 10, 900).pages > 1


def test_an_answer_that_lambda_could_not_send_is_cut(dynamodb: Any, load_app: Load) -> None:
    name = "escapes"
    dynamodb.create_table(TableName=name, KeySchema=KEY, AttributeDefinitions=TYPES, BillingMode="PAY_PER_REQUEST")
    # Each character of these takes six in JSON, so that a page of 1 MB is an answer of 6 MB.
    items = [{"p": {"S": "a"}, "s": {"N": str(i)}, "text": {"S": "\x01" * 100_000}} for i in range(9)]
    items.append({"p": {"S": "a"}, "s": {"N": "9"}, "text": {"S": "\x01" * 390_000}})
    put_items(dynamodb, name, items)
    http = Client(load_app(TABLE_NAME=name).app, stage_name="local").http
    bodies: list[bytes] = []

    def get(path: str) -> Any:
        response = http.get(path)
        bodies.append(response.body)
        return response

    assert [item["s"] for answer in pages(get, "/items?p=a") for item in answer["items"]] == [str(i) for i in range(10)]
    assert all(len(body) <= 2_000_000 for body in bodies[:-1])
    assert max(len(json.dumps(body.decode())) for body in bodies) < 6_000_000


def test_a_schema_that_dynamodb_no_longer_has_is_read_again(dynamodb: Any, load_app: Load) -> None:
    name, by_s = "changing", [{"AttributeName": "s", "KeyType": "HASH"}]
    index = {"IndexName": "by_s", "KeySchema": by_s, "Projection": {"ProjectionType": "ALL"}}
    definition = {"AttributeDefinitions": TYPES, "KeySchema": KEY, "BillingMode": "PAY_PER_REQUEST"}
    dynamodb.create_table(TableName=name, GlobalSecondaryIndexes=[index], **definition)
    http = Client(load_app(TABLE_NAME=name).app, stage_name="local").http
    assert http.get("/items?s=1").headers["X-Plan"] == "Query index=by_s"
    dynamodb.delete_table(TableName=name)
    dynamodb.create_table(TableName=name, **definition)
    response = http.get("/items?s=1")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert "indexes have just changed" in response.json_body["detail"]
    assert http.get("/items?s=1").headers["X-Plan"] == "Scan"


def test_the_schema_is_read_again_in_time(wide: str, endpoint: str, calls: list[dict[str, Any]]) -> None:
    clock = itertools.count(0, 10)
    own = table.Table(read({"TABLE_NAME": wide}), DynamoDB(connect(os.environ)), clock=lambda: float(next(clock)))
    for _ in range(8):
        own.schema()
    assert 1 < len(calls) < 5
    own.forget_schema()
    before = len(calls)
    own.schema()
    assert len(calls) == before + 1


def test_an_index_that_is_declared_dense_and_is_not_there_is_logged(
    quakes: Any, load_app: Load, caplog: pytest.LogCaptureFixture
) -> None:
    http = Client(load_app(DENSE_INDEXES="by_net,by_ent").app, stage_name="local").http
    with caplog.at_level(logging.WARNING, "tablecast"):
        assert http.get("/items?net=us").headers["X-Plan"] == "Query index=by_net"
    assert caplog.messages == ["DENSE_INDEXES names unknown indexes: by_ent"]


def test_the_retries_of_one_call_fit_into_the_functions_time() -> None:
    # API Gateway gives up after 29 seconds, so that no function is given more.
    with open(".chalice/config.json") as file:
        config = json.load(file)
    # The schema is read first, and reading ends so early that one call more still fits.
    assert 2 * CALL_SECONDS < config["lambda_timeout"] <= 29
    assert config["lambda_timeout"] > table.BUDGET_SECONDS + CALL_SECONDS
