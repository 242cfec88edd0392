from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from chalice.test import HTTPResponse
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from chalicelib.dynamodb.schema import TableSchema, read
from chalicelib.openapi import document, responses
from chalicelib.query.access import access_of
from chalicelib.query.conditions import split_name
from chalicelib.query.controls import CHANGES, ITEM, LIST, controls_of
from chalicelib.query.operators import OPERATORS
from chalicelib.settings import Settings
from chalicelib.settings import read as read_settings
from chalicelib.web.responses import EXPOSED_HEADERS
from local import sample
from tests.conftest import Load
from tests.query.test_planner import ORDERS_TABLE
from tests.web.test_caching import LiveApi

FEED: dict[str, str] = {"FEED_TABLE": "a-feed"}

PLAN = {"plan": "Scan", "reasons": [], "request": {}, "residual": []}


def published(table: dict[str, Any], settings: Settings) -> TableSchema:
    schema = read(table)
    return access_of(settings, schema.table.keys).schema(schema)


def documented(table: Any = sample.TABLE, **environ: str) -> Any:
    settings = read_settings({"TABLE_NAME": table["TableName"], **environ})
    return json.loads(orjson.dumps(document.document(published(table, settings), settings, PLAN)))


def parameters(document: Any, path: str, at: str = "query") -> dict[str, Any]:
    return {one["name"]: one["schema"] for one in document["paths"][path]["get"]["parameters"] if one["in"] == at}


def is_valid(document: Any, name: str, value: Any) -> bool:
    return bool(Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document}).is_valid(value))


WITHOUT_INDEXES = {**sample.TABLE, "GlobalSecondaryIndexes": []}
JUST_KEYS = {**ORDERS_TABLE, "LocalSecondaryIndexes": [], "GlobalSecondaryIndexes": []}
TABLES: list[tuple[dict[str, Any], dict[str, str]]] = [
    (sample.TABLE, {}),
    (sample.TABLE, FEED),
    (sample.TABLE, {"ATTRIBUTES": "place,mag,geometry"}),
    (sample.TABLE, {"ATTRIBUTES": "idx"}),
    (
        sample.TABLE,
        {**FEED, "NUMBERS": "number", "SCAN": "deny", "MAX_LIMIT": "7", "ALLOW_ORIGIN": "https://a.example"},
    ),
    (WITHOUT_INDEXES, {}),
    (ORDERS_TABLE, FEED),
    (JUST_KEYS, {}),
]


@pytest.mark.parametrize(("table", "environ"), TABLES)
def test_the_document_is_openapi(table: dict[str, Any], environ: dict[str, str]) -> None:
    document = documented(table, **environ)
    validate(document)
    schemas = document["components"]["schemas"]
    for name in ("Description", "Plan", "Problem"):
        assert is_valid(document, name, schemas[name]["examples"][0])


def test_it_has_every_parameter_and_operator_and_no_other() -> None:
    asked = parameters(documented(**FEED), "/items")
    others = asked.pop("_conditions")
    assert [name for name in asked if name.startswith("_")] == list(controls_of(LIST))
    conditions = [split_name(name) for name in asked if not name.startswith("_")]
    types = {"S": set(OPERATORS), "N": set(OPERATORS) - {"startswith", "contains"}}
    for attribute, kind in sample.TYPES.items():
        assert {operator.key for name, operator in conditions if name == attribute} == types[kind]
    assert {name for name, _ in conditions} == set(sample.TYPES)
    for operator in OPERATORS:
        value = {"exists": True, "between": "a,b"}.get(operator, "a")
        assert Draft202012Validator(others).is_valid({f"place__{operator}": value})
    assert list(parameters(documented(**FEED), "/changes")) == list(controls_of(CHANGES))
    assert list(parameters(documented(**FEED), "/items/{partition}")) == list(controls_of(ITEM))


def test_the_reference_has_every_parameter_and_operator_and_no_other() -> None:
    with open("docs/api.md") as file:
        rows = re.findall(r"^\| `([^`]+)` \|", file.read(), re.MULTILINE)
    paths = list(documented(ORDERS_TABLE, **FEED)["paths"])
    headers = [row for row in rows if re.match(r"[A-Z]", row)]
    assert rows == [*paths, *OPERATORS, *controls_of(LIST), *headers, *controls_of(CHANGES)]


def test_values_are_as_the_table_declares_them() -> None:
    asked = parameters(documented(), "/items")
    assert Draft202012Validator(asked["mag__gte"]).is_valid("5.25")
    assert not Draft202012Validator(asked["mag__gte"]).is_valid("big")
    assert asked["idx"]["maxLength"] == 2048
    assert asked["_sort"]["enum"] == ["time", "-time", "mag", "-mag"]
    assert asked["_index"]["enum"] == ["by_net", "by_type_and_size", "by_alert"]
    segments = parameters(documented(ORDERS_TABLE), "/items/{partition}/{sort}", "path")
    assert {name: schema["maxLength"] for name, schema in segments.items()} == {"partition": 2048, "sort": 1024}


def test_a_table_with_a_sort_key_has_lists_of_its_partitions() -> None:
    document = documented(ORDERS_TABLE)
    assert set(document["paths"]) == {"/", "/items", "/items/{partition}", "/items/{partition}/{sort}", "/openapi.json"}
    assert set(parameters(document, "/items/{partition}")) == set(parameters(document, "/items"))
    assert "/items/{partition}/{sort}" not in documented()["paths"]


def test_what_a_table_or_its_settings_do_not_have_is_not_there() -> None:
    asked = parameters(documented(WITHOUT_INDEXES), "/items")
    assert set(controls_of(LIST)) - set(asked) == {"_sort", "_index"}
    document = documented()
    assert "/changes" not in document["paths"]
    assert set(parameters(document, "/items", "header")) == {"Cache-Control"}
    assert set(parameters(documented(**FEED), "/items", "header")) == {"Cache-Control", "If-None-Match"}
    told = document["paths"]["/items"]["get"]["responses"]
    assert set(told) == {"200", "400", "500", "503"}
    assert not {"ETag", "X-Position"} & set(told["200"]["headers"])


def test_it_is_of_the_settings_as_they_are() -> None:
    document = documented(MAX_LIMIT="7", NUMBERS="number", ALLOW_ORIGIN="https://a.example", SCAN="deny")
    asked = parameters(document, "/items")
    assert asked["_limit"] == {"type": "integer", "minimum": 1, "maximum": 7, "default": 7}
    assert asked["_numbers"]["default"] == "number"
    assert "Any other request is a 400 (SCAN=deny)" in document["info"]["description"]
    assert "Any other request reads the whole table" in documented()["info"]["description"]
    headers = document["paths"]["/items"]["get"]["responses"]["200"]["headers"]
    assert headers["Access-Control-Allow-Origin"]["schema"]["const"] == "https://a.example"


def test_what_is_not_published_is_not_told() -> None:
    document = documented(ATTRIBUTES="place,mag")
    asked = parameters(document, "/items")
    assert not [name for name in asked if name.startswith(("net", "time", "alert"))]
    assert "_index" not in asked
    assert Draft202012Validator(asked["_conditions"]).is_valid({"place": "x"})
    assert not Draft202012Validator(asked["_conditions"]).is_valid({"title": "x"})
    assert is_valid(document, "Item", {"idx": "a", "mag": "5", "place": "b"})
    assert not is_valid(document, "Item", {"idx": "a", "title": "c"})
    assert "_conditions" not in parameters(documented(ATTRIBUTES="idx,mag"), "/items")


@pytest.mark.parametrize(
    ("item", "forms"),
    [
        ({"idx": "a", "mag": "5.4"}, {"string", "number"}),
        ({"idx": "a", "gap": 5}, {"number"}),
        ({"idx": {"S": "a"}, "mag": {"N": "5.4"}}, {"typed"}),
        ({"idx": {"N": "5"}}, set()),
        ({"idx": 5}, set()),
        ({}, {"string", "number", "typed"}),
    ],
)
def test_an_item_has_one_of_its_forms(item: Any, forms: set[str]) -> None:
    document = documented(**FEED)
    assert {form for form in ("string", "number", "typed") if is_valid(document, f"Item-{form}", item)} == forms
    assert is_valid(document, "Item", item) == bool(forms)


def test_numbers_of_a_key_are_as_the_setting_has_them() -> None:
    shelves = {
        **ORDERS_TABLE,
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "N"} for n in ("customer", "date")],
    }
    shelves |= {"LocalSecondaryIndexes": [], "GlobalSecondaryIndexes": []}
    change = {"id": "a", "position": 1, "at": "2026-11-24T00:00:00.000Z", "op": "remove"}
    for numbers, key in (("string", "5"), ("number", 5)):
        document = documented(shelves, NUMBERS=numbers, **FEED)
        assert is_valid(document, f"Item-{numbers}", {"customer": key})
        for other in ("5", 5):
            # As NUMBERS and as `_numbers` can have it.
            assert is_valid(document, "Change", {**change, "key": {"customer": other, "date": other}})
        assert not is_valid(document, "Change", {**change, "key": {"customer": None, "date": key}})


@pytest.fixture
def live(dynamodb: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch) -> LiveApi:
    live = LiveApi(dynamodb, load_app, monkeypatch)
    live.put("a", "b", mag={"N": "5"})
    live.deliver()
    live.wait(10)
    return live


def asked_of(live: LiveApi) -> Iterator[tuple[str, HTTPResponse]]:
    """Answers of every kind, each with its path in the document."""
    tag = live.get("/items").headers["ETag"]
    page = live.get("/").headers.get("ETag", "")
    asked = [
        ("/", "/", 200, {}),
        ("/", "/", 200, {"Accept": "text/html"}),
        ("/items", "/items?_limit=1", 200, {}),
        ("/items", "/items?_explain=true", 200, {}),
        ("/items", "/items?_typed=true", 200, {}),
        ("/items", "/items?_numbers=number", 200, {}),
        ("/items", "/items", 304, {"If_None_Match": tag}),
        ("/items", "/items?_limit=0", 400, {}),
        ("/items/{partition}", "/items/a", 200, {}),
        ("/items/{partition}", "/items/none", 404, {}),
        ("/changes", "/changes?_since=0", 200, {}),
        ("/changes", "/changes?_since=0&_typed=true", 200, {}),
        ("/changes", "/changes?_since=99", 410, {}),
        ("/openapi.json", "/openapi.json", 200, {}),
    ]
    for path, url, status, headers in asked:
        yield path, live.get(url, status, **headers)
    explorer = live.get("/", Accept="text/html").headers["ETag"]
    assert explorer != page
    yield "/", live.get("/", 304, Accept="text/html", If_None_Match=explorer)
    live.dynamodb.delete_table(TableName=live.feed)
    live.wait(10)
    yield "/changes", live.get("/changes", 503)


def test_answers_are_as_the_document_has_them(live: LiveApi) -> None:
    document = live.get("/openapi.json").json_body
    carried = set()
    for path, response in asked_of(live):
        told = document["paths"][path]["get"]["responses"][str(response.status_code)]
        if "$ref" in told:
            told = document["components"]["responses"][told["$ref"].rpartition("/")[2]]
        headers = set(response.headers) - {"Content-Type"}
        assert headers <= set(told["headers"])
        assert headers >= {name for name, header in told["headers"].items() if header["required"]}
        for name in headers:
            assert Draft202012Validator(told["headers"][name]["schema"]).is_valid(response.headers[name]), name
        carried |= headers
        if response.status_code != 304:
            (media,) = {response.headers["Content-Type"].partition(";")[0]} & set(told["content"])
            if media != "text/html":
                body = {**told["content"][media]["schema"], "components": document["components"]}
                Draft202012Validator(body).validate(response.json_body)
    assert carried == set(responses.HEADERS)
    assert set(EXPOSED_HEADERS) <= carried


def test_the_reference_has_every_header_and_no_other() -> None:
    with open("docs/api.md") as file:
        (section,) = re.findall(r"^## Headers\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL)
    named = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    (of_explorer,) = re.findall(r"The explorer has (.*)", section)
    assert set(named) | set(re.findall(r"`([^`]+)`", of_explorer)) == set(responses.HEADERS)
    assert set(named[: len(EXPOSED_HEADERS)]) == set(EXPOSED_HEADERS)


def test_a_page_of_another_origin_may_read_it(live: LiveApi) -> None:
    response = live.get("/openapi.json")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json_body["servers"] == [{"url": "./"}]
    described = live.get("/").json_body
    assert described["links"]["openapi"] == "openapi.json"
    assert response.json_body["components"]["schemas"]["Description"]["examples"] == [described]
    plan = live.get("/items?_explain=true").json_body
    assert response.json_body["components"]["schemas"]["Plan"]["examples"] == [plan]
