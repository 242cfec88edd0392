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

FEED_SETTINGS: dict[str, str] = {"FEED_TABLE": "a-feed"}

PLAN = {"plan": "Scan", "reasons": [], "request": {}, "residual": []}


def published(table: dict[str, Any], settings: Settings) -> TableSchema:
    schema = read(table)
    return access_of(settings, schema.table.keys).schema(schema)


def documented(table: Any = sample.TABLE, **environ: str) -> Any:
    settings = read_settings({"TABLE_NAME": table["TableName"], **environ})
    return json.loads(orjson.dumps(document.document(published(table, settings), settings, PLAN)))


def parameters(document: Any, path: str, location: str = "query") -> dict[str, Any]:
    return {
        parameter["name"]: parameter["schema"]
        for parameter in document["paths"][path]["get"]["parameters"]
        if parameter["in"] == location
    }


def is_valid(document: Any, name: str, value: Any) -> bool:
    return bool(Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document}).is_valid(value))


WITHOUT_INDEXES = {**sample.TABLE, "GlobalSecondaryIndexes": []}
WITHOUT_ANY_INDEX = {**ORDERS_TABLE, "LocalSecondaryIndexes": [], "GlobalSecondaryIndexes": []}
TABLES: list[tuple[dict[str, Any], dict[str, str]]] = [
    (sample.TABLE, {}),
    (sample.TABLE, FEED_SETTINGS),
    (sample.TABLE, {"ATTRIBUTES": "place,mag,geometry"}),
    (sample.TABLE, {"ATTRIBUTES": "idx"}),
    (
        sample.TABLE,
        {**FEED_SETTINGS, "NUMBERS": "number", "SCAN": "deny", "MAX_LIMIT": "7", "ALLOW_ORIGIN": "https://a.example"},
    ),
    (WITHOUT_INDEXES, {}),
    (ORDERS_TABLE, FEED_SETTINGS),
    (WITHOUT_ANY_INDEX, {}),
]


@pytest.mark.parametrize(("table", "environ"), TABLES)
def test_document_is_valid_openapi(table: dict[str, Any], environ: dict[str, str]) -> None:
    document = documented(table, **environ)
    validate(document)
    schemas = document["components"]["schemas"]
    for name in ("Description", "Plan", "Problem"):
        assert is_valid(document, name, schemas[name]["examples"][0])


def test_document_has_exactly_the_parameters_and_operators() -> None:
    schemas = parameters(documented(**FEED_SETTINGS), "/items")
    others = schemas.pop("_conditions")
    assert [name for name in schemas if name.startswith("_")] == list(controls_of(LIST))
    conditions = [split_name(name) for name in schemas if not name.startswith("_")]
    types = {"S": set(OPERATORS), "N": set(OPERATORS) - {"startswith", "contains"}}
    for attribute, key_type in sample.TYPES.items():
        assert {operator.key for name, operator in conditions if name == attribute} == types[key_type]
    assert {name for name, _ in conditions} == set(sample.TYPES)
    for operator in OPERATORS:
        value = {"exists": True, "between": "a,b"}.get(operator, "a")
        assert Draft202012Validator(others).is_valid({f"place__{operator}": value})
    assert list(parameters(documented(**FEED_SETTINGS), "/changes")) == list(controls_of(CHANGES))
    assert list(parameters(documented(**FEED_SETTINGS), "/items/{partition}")) == list(controls_of(ITEM))


def test_reference_lists_exactly_the_parameters_and_operators() -> None:
    with open("docs/api.md") as file:
        rows = re.findall(r"^\| `([^`]+)` \|", file.read(), re.MULTILINE)
    paths = list(documented(ORDERS_TABLE, **FEED_SETTINGS)["paths"])
    headers = [row for row in rows if re.match(r"[A-Z]", row)]
    assert rows == [*paths, *OPERATORS, *controls_of(LIST), *headers, *controls_of(CHANGES)]


def test_parameter_schemas_follow_the_declared_types() -> None:
    schemas = parameters(documented(), "/items")
    assert Draft202012Validator(schemas["mag__gte"]).is_valid("5.25")
    assert not Draft202012Validator(schemas["mag__gte"]).is_valid("big")
    assert schemas["idx"]["maxLength"] == 2048
    assert schemas["_sort"]["enum"] == ["time", "-time", "mag", "-mag"]
    assert schemas["_index"]["enum"] == ["by_net", "by_type_and_size", "by_alert"]
    segments = parameters(documented(ORDERS_TABLE), "/items/{partition}/{sort}", "path")
    assert {name: schema["maxLength"] for name, schema in segments.items()} == {"partition": 2048, "sort": 1024}


def test_table_with_a_sort_key_has_a_path_for_its_partitions() -> None:
    document = documented(ORDERS_TABLE)
    assert set(document["paths"]) == {"/", "/items", "/items/{partition}", "/items/{partition}/{sort}", "/openapi.json"}
    assert set(parameters(document, "/items/{partition}")) == set(parameters(document, "/items"))
    assert "/items/{partition}/{sort}" not in documented()["paths"]


def test_absent_feature_is_not_documented() -> None:
    schemas = parameters(documented(WITHOUT_INDEXES), "/items")
    assert set(controls_of(LIST)) - set(schemas) == {"_sort", "_index"}
    document = documented()
    assert "/changes" not in document["paths"]
    assert set(parameters(document, "/items", "header")) == {"Cache-Control"}
    assert set(parameters(documented(**FEED_SETTINGS), "/items", "header")) == {"Cache-Control", "If-None-Match"}
    documented_responses = document["paths"]["/items"]["get"]["responses"]
    assert set(documented_responses) == {"200", "400", "500", "503"}
    assert not {"ETag", "X-Position"} & set(documented_responses["200"]["headers"])


def test_document_follows_the_settings() -> None:
    document = documented(MAX_LIMIT="7", NUMBERS="number", ALLOW_ORIGIN="https://a.example", SCAN="deny")
    schemas = parameters(document, "/items")
    assert schemas["_limit"] == {"type": "integer", "minimum": 1, "maximum": 7, "default": 7}
    assert schemas["_numbers"]["default"] == "number"
    assert "Any other request is a 400 (SCAN=deny)" in document["info"]["description"]
    assert "Any other request reads the whole table" in documented()["info"]["description"]
    headers = document["paths"]["/items"]["get"]["responses"]["200"]["headers"]
    assert headers["Access-Control-Allow-Origin"]["schema"]["const"] == "https://a.example"


def test_unpublished_attribute_is_not_documented() -> None:
    document = documented(ATTRIBUTES="place,mag")
    schemas = parameters(document, "/items")
    assert not [name for name in schemas if name.startswith(("net", "time", "alert"))]
    assert "_index" not in schemas
    assert Draft202012Validator(schemas["_conditions"]).is_valid({"place": "x"})
    assert not Draft202012Validator(schemas["_conditions"]).is_valid({"title": "x"})
    assert is_valid(document, "Item", {"idx": "a", "mag": "5", "place": "b"})
    assert not is_valid(document, "Item", {"idx": "a", "title": "c"})
    assert "_conditions" not in parameters(documented(ATTRIBUTES="idx,mag"), "/items")


@pytest.mark.parametrize(
    ("item", "formats"),
    [
        ({"idx": "a", "mag": "5.4"}, {"string", "number"}),
        ({"idx": "a", "gap": 5}, {"number"}),
        ({"idx": {"S": "a"}, "mag": {"N": "5.4"}}, {"typed"}),
        ({"idx": {"N": "5"}}, set()),
        ({"idx": 5}, set()),
        ({}, {"string", "number", "typed"}),
    ],
)
def test_item_schema_accepts_only_its_formats(item: Any, formats: set[str]) -> None:
    document = documented(**FEED_SETTINGS)
    assert {
        item_format for item_format in ("string", "number", "typed") if is_valid(document, f"Item-{item_format}", item)
    } == formats
    assert is_valid(document, "Item", item) == bool(formats)


def test_number_key_follows_the_setting() -> None:
    number_keys = {
        **ORDERS_TABLE,
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "N"} for n in ("customer", "date")],
    }
    number_keys |= {"LocalSecondaryIndexes": [], "GlobalSecondaryIndexes": []}
    change = {"id": "a", "position": 1, "at": "2026-11-24T00:00:00.000Z", "op": "remove"}
    for numbers, key in (("string", "5"), ("number", 5)):
        document = documented(number_keys, NUMBERS=numbers, **FEED_SETTINGS)
        assert is_valid(document, f"Item-{numbers}", {"customer": key})
        for other_format in ("5", 5):
            # NUMBERS or `_numbers` may select either.
            assert is_valid(document, "Change", {**change, "key": {"customer": other_format, "date": other_format}})
        assert not is_valid(document, "Change", {**change, "key": {"customer": None, "date": key}})


@pytest.fixture
def api(dynamodb: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch) -> LiveApi:
    api = LiveApi(dynamodb, load_app, monkeypatch)
    api.put("a", "b", mag={"N": "5"})
    api.deliver()
    api.wait(10)
    return api


def responses_of(api: LiveApi) -> Iterator[tuple[str, HTTPResponse]]:
    """Yield responses of every kind, each with its path in the document."""
    items_etag = api.get("/items").headers["ETag"]
    description_etag = api.get("/").headers.get("ETag", "")
    requests = [
        ("/", "/", 200, {}),
        ("/", "/", 200, {"Accept": "text/html"}),
        ("/items", "/items?_limit=1", 200, {}),
        ("/items", "/items?_explain=true", 200, {}),
        ("/items", "/items?_typed=true", 200, {}),
        ("/items", "/items?_numbers=number", 200, {}),
        ("/items", "/items", 304, {"If_None_Match": items_etag}),
        ("/items", "/items?_limit=0", 400, {}),
        ("/items/{partition}", "/items/a", 200, {}),
        ("/items/{partition}", "/items/none", 404, {}),
        ("/changes", "/changes?_since=0", 200, {}),
        ("/changes", "/changes?_since=0&_typed=true", 200, {}),
        ("/changes", "/changes?_since=99", 410, {}),
        ("/openapi.json", "/openapi.json", 200, {}),
    ]
    for path, url, status, headers in requests:
        yield path, api.get(url, status, **headers)
    explorer_etag = api.get("/", Accept="text/html").headers["ETag"]
    assert explorer_etag != description_etag
    yield "/", api.get("/", 304, Accept="text/html", If_None_Match=explorer_etag)
    api.dynamodb.delete_table(TableName=api.feed)
    api.wait(10)
    yield "/changes", api.get("/changes", 503)


def test_responses_match_the_document(api: LiveApi) -> None:
    document = api.get("/openapi.json").json_body
    seen_headers = set()
    for path, response in responses_of(api):
        documented_response = document["paths"][path]["get"]["responses"][str(response.status_code)]
        if "$ref" in documented_response:
            documented_response = document["components"]["responses"][documented_response["$ref"].rpartition("/")[2]]
        headers = set(response.headers) - {"Content-Type"}
        assert headers <= set(documented_response["headers"])
        assert headers >= {name for name, header in documented_response["headers"].items() if header["required"]}
        for name in headers:
            assert Draft202012Validator(documented_response["headers"][name]["schema"]).is_valid(
                response.headers[name]
            ), name
        seen_headers |= headers
        if response.status_code != 304:
            (media_type,) = {response.headers["Content-Type"].partition(";")[0]} & set(documented_response["content"])
            if media_type != "text/html":
                body = {**documented_response["content"][media_type]["schema"], "components": document["components"]}
                Draft202012Validator(body).validate(response.json_body)
    assert seen_headers == set(responses.HEADERS)
    assert set(EXPOSED_HEADERS) <= seen_headers


def test_reference_lists_exactly_the_headers() -> None:
    with open("docs/api.md") as file:
        (section,) = re.findall(r"^## Headers\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL)
    listed = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    (explorer_text,) = re.findall(r"The explorer has (.*)", section)
    assert set(listed) | set(re.findall(r"`([^`]+)`", explorer_text)) == set(responses.HEADERS)
    assert set(listed[: len(EXPOSED_HEADERS)]) == set(EXPOSED_HEADERS)


def test_document_is_readable_from_another_origin(api: LiveApi) -> None:
    response = api.get("/openapi.json")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json_body["servers"] == [{"url": "./"}]
    description = api.get("/").json_body
    assert description["links"]["openapi"] == "openapi.json"
    assert response.json_body["components"]["schemas"]["Description"]["examples"] == [description]
    plan = api.get("/items?_explain=true").json_body
    assert response.json_body["components"]["schemas"]["Plan"]["examples"] == [plan]
