from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from chalice.test import Client, HTTPResponse

from chalicelib.dynamodb import transport
from chalicelib.dynamodb.client import DynamoDB
from chalicelib.dynamodb.endpoint import connect
from chalicelib.query import cursors
from chalicelib.query.controls import parse
from chalicelib.query.planner import plan_items
from chalicelib.query.plans import ReadRequest
from chalicelib.web.responses import EXPOSED_HEADERS
from tests import faults
from tests.conftest import Get, Load, put_items
from tests.query.test_planner import ORDERS_TABLE

SHELVES_TABLE: dict[str, Any] = {
    "TableName": "shelves",
    "KeySchema": [{"AttributeName": "shelf", "KeyType": "HASH"}, {"AttributeName": "book", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "shelf", "AttributeType": "N"},
        {"AttributeName": "book", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
SPECIAL_KEYS = ["100%", "a+b", "a b", "서울", "🚀", "a/b", 'say "hi"', "%2F", "a,b", "?&=#"]


@pytest.fixture(scope="module")
def shelves(dynamodb: Any) -> str:
    dynamodb.create_table(**SHELVES_TABLE)
    put_items(
        dynamodb,
        "shelves",
        [{"shelf": {"N": "1.5"}, "book": {"S": book}, "pages": {"N": "10"}} for book in SPECIAL_KEYS],
    )
    return "shelves"


@pytest.fixture
def get_shelves(shelves: str, load_app: Load) -> Get:
    http = Client(load_app(TABLE_NAME=shelves).app, stage_name="local").http
    return lambda path: http.get(path)


def body(response: HTTPResponse, status: int = 200) -> Any:
    assert response.status_code == status, response.body
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert json.loads(response.body)
    return response.json_body


def all_pages(get: Get, path: str, **query: str) -> list[Any]:
    """Return the items of all pages."""
    items: list[Any] = []
    next_query: str | None = f"?{urlencode(query)}"
    while next_query:
        page = body(get(path + next_query))
        items += page["items"]
        next_query = page["next"]
    return items


def test_root_describes_the_table(quakes: Any, get: Get) -> None:
    description = body(get("/"))
    assert description["table"] == "study_test"
    assert description["keys"] == {"partition": {"name": "idx", "type": "S"}, "sort": None}
    assert description["indexes"][0] == {
        "name": "by_net",
        "kind": "global",
        "partition": {"name": "net", "type": "S"},
        "sort": {"name": "time", "type": "N"},
        "projection": None,
    }
    assert description["links"] == {"items": "items", "item": "items/{idx}", "openapi": "openapi.json"}
    assert description["operators"]["startswith"] == {
        "description": "starts with",
        "operand": "value",
        "keys": ["B", "S"],
    }
    assert description["operators"]["between"]["operand"] == "low,high"
    assert description["limit"] == {"default": 100, "most": 1000}


def test_filtered_and_sorted_list_has_the_expected_items_in_order(quakes: list[Any], get: Get) -> None:
    expected = [quake for quake in quakes if quake["net"]["S"] == "us" and float(quake["mag"]["N"]) >= 5]
    expected.sort(key=lambda quake: -int(quake["time"]["N"]))
    response = get("/items?net=us&mag__gte=5&_sort=-time")
    assert response.headers["X-Plan"] == "Query index=by_net"
    items = all_pages(get, "/items", net="us", mag__gte="5", _sort="-time", _limit="7")
    assert [item["idx"] for item in items] == [quake["idx"]["S"] for quake in expected]
    assert len(items) == 39


@pytest.mark.parametrize("limit", [1, 10, 100, 569, 853, 1000])
def test_every_item_is_returned_once_under_any_limit(quakes: list[Any], get: Get, limit: int) -> None:
    items = all_pages(get, "/items", _limit=str(limit), _fields="idx")
    assert sorted(item["idx"] for item in items) == sorted(quake["idx"]["S"] for quake in quakes)


def test_headers_have_the_plan_and_its_cost(quakes: Any, get: Get) -> None:
    response = get("/items?_limit=2")
    body(response)
    assert response.headers["X-Plan"] == "Scan"
    assert float(response.headers["X-Consumed-Capacity"]) > 0
    assert response.headers["Server-Timing"].startswith("dynamodb;dur=")
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Link"] == f'<{response.json_body["next"]}>; rel="next"'
    assert response.headers["Access-Control-Expose-Headers"] == ",".join(EXPOSED_HEADERS)
    assert "Link" not in get("/items?idx=nothing").headers


def test_another_origin_may_read_responses_and_errors(quakes: Any, load_app: Load) -> None:
    http = Client(load_app(ALLOW_ORIGIN="https://example.org").app, stage_name="local").http
    for path, status in (("/items?_limit=1", 200), ("/items?_limit=x", 400), ("/items/none", 404)):
        response = http.get(path)
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"


def test_item_is_found_by_its_key(quakes: list[Any], get: Get) -> None:
    key = quakes[0]["idx"]["S"]
    response = get(f"/items/{quote(key)}")
    assert body(response)["idx"] == key
    assert response.headers["X-Plan"] == "GetItem"
    assert body(get(f"/items/{quote(key)}?_fields=mag,geometry.coordinates[2]")) == {
        "mag": "2",
        "geometry": {"coordinates": ["26.49"]},
    }
    assert body(get(f"/items/{quote(key)}?_explain=true"))["plan"] == "GetItem"


def test_item_without_the_fields_asked_for_is_an_empty_object(quakes: Any, get: Get) -> None:
    path = f"/items/{quakes[0]['idx']['S']}"
    for fields in ("nope", "geometry.nope"):
        response = get(f"{path}?_fields={fields}")
        assert (response.status_code, response.body) == (200, b"{}")


def test_missing_item_is_a_404(quakes: Any, get: Get, get_shelves: Get) -> None:
    assert body(get("/items/nothing"), 404)["detail"] == "There is no item with idx 'nothing'."
    assert "has no sort key" in body(get("/items/a/b"), 404)["detail"]
    assert body(get_shelves("/items/1/none"), 404)["detail"] == "There is no item with shelf '1' and book 'none'."


def test_partition_of_a_table_with_a_sort_key_is_a_list(get_shelves: Get) -> None:
    listed = all_pages(get_shelves, "/items/1.5", _limit="3")
    assert [item["book"] for item in listed] == sorted(SPECIAL_KEYS)
    assert body(get_shelves("/items/1.50?book__startswith=a&_sort=-book&_limit=1"))["items"][0]["book"] == "a/b"
    assert body(get_shelves("/items/2"))["items"] == []
    assert get_shelves("/items/1.5").headers["X-Plan"] == "Query"


@pytest.mark.parametrize("book", SPECIAL_KEYS)
def test_path_is_decoded_exactly_once(get_shelves: Get, book: str) -> None:
    # A slash in a path cannot be routed reliably. The query takes such a key.
    if "/" not in book:
        assert body(get_shelves(f"/items/1.5/{quote(book, safe='')}"))["book"] == book
    found = body(get_shelves(f"/items?{urlencode({'shelf': '1.5', 'book': json.dumps(book)})}"))
    assert [item["book"] for item in found["items"]] == [book]


def test_numbers_are_exact_in_both_formats(quakes: list[Any], get: Get, load_app: Load) -> None:
    key = quote(quakes[0]["idx"]["S"])
    assert b'"-118.6671667"' in get(f"/items/{key}").body
    assert b"[-118.6671667,34.4945,26.49]" in get(f"/items/{key}?_numbers=number").body
    http = Client(load_app(NUMBERS="number").app, stage_name="local").http
    assert b'"mag":2,' in http.get(f"/items/{key}").body
    assert b'"mag":2,' in http.get("/items?mag=2").body


def test_item_has_every_type_of_the_sample(quakes: Any, get: Get) -> None:
    (quake,) = body(get("/items?id=us1000chln"))["items"]
    assert quake["mag"] == "5.4"
    assert quake["mmi"] is None
    assert quake["tsunami"] is False
    assert sorted(quake["types"]) == ["dyfi", "geoserve", "moment-tensor", "origin", "phase-data"]
    assert quake["geometry"] == {"type": "Point", "coordinates": ["121.7566", "23.942", "8.62"]}
    assert "alert" not in quake


def test_filter_matches_nested_values_and_sets(quakes: list[Any], get: Get) -> None:
    deep_quakes = [quake for quake in quakes if float(quake["geometry"]["M"]["coordinates"]["L"][2]["N"]) > 500]
    found = all_pages(get, "/items", **{"geometry.coordinates[2]__gt": "500"})
    assert sorted(item["idx"] for item in found) == sorted(quake["idx"]["S"] for quake in deep_quakes)
    felt_quakes = [quake for quake in quakes if "dyfi" in quake["types"]["SS"]]
    assert len(all_pages(get, "/items", types__contains="dyfi")) == len(felt_quakes) > 0


def test_only_published_attributes_are_returned(quakes: Any, load_app: Load) -> None:
    http = Client(load_app(ATTRIBUTES="mag,place").app, stage_name="local").http
    description = body(http.get("/"))
    assert description["attributes"] == ["idx", "mag", "place"]
    assert description["indexes"] == []
    (item,) = body(http.get("/items?_limit=1"))["items"]
    assert set(item) == {"idx", "mag", "place"}
    assert set(body(http.get(f"/items/{quote(item['idx'])}"))) == {"idx", "mag", "place"}
    for query in ("net=us", "_fields=net", "net__exists=true", "_sort=time", "_index=by_net", "geometry.type=Point"):
        assert http.get(f"/items?{query}").status_code == 400


def test_max_limit_limits_the_items_of_a_response(quakes: Any, load_app: Load) -> None:
    http = Client(load_app(MAX_LIMIT="3").app, stage_name="local").http
    assert body(http.get("/items"))["count"] == 3
    assert "from 1 to 3" in body(http.get("/items?_limit=4"), 400)["detail"]


def test_explain_returns_the_plan_without_a_read(quakes: Any, get: Get) -> None:
    response = get("/items?net=us&_sort=time&_explain=true")
    assert body(response)["plan"] == response.headers["X-Plan"] == "Query index=by_net"
    assert "X-Consumed-Capacity" not in response.headers


CURSOR_REFUSED = "_cursor does not belong to this request"
INVALID_REQUESTS = [
    ("/items?_page=2", "Unknown parameter '_page'"),
    ("/items?mag__gte=big", "'big' is not a number"),
    ("/items?place__exists=maybe", "is not valid. Use true or false"),
    ("/items?_limit=0", "from 1 to 1000"),
    ("/items?_limit=abc", "from 1 to 1000"),
    ("/items?_limit=1e9", "from 1 to 1000"),
    ("/items?_cursor=garbage", CURSOR_REFUSED),
    ("/items?_cursor=", CURSOR_REFUSED),
    ("/items?time=yesterday", "time is a number, but 'yesterday' is not a number"),
    ("/items?_sort=place", "Cannot sort by 'place'"),
    ("/items?net=us&_sort=mag", "Sortable here: time"),
    ("/items?_sort=", "Cannot sort by ''"),
    ("/items?_index=by_me", "Use by_net, by_type_and_size, by_alert"),
    ("/items?_index=by_alert&gap=5", "by_alert cannot filter by gap"),
    ("/items?_index=by_alert&_fields=gap", "by_alert projects none of the _fields"),
    ("/items?_fields=", "_fields names no attribute"),
    (f"/items?mag={'1' * 39}", "a number of 39 digits; DynamoDB keeps 38"),
    ("/items?idx=", "is a key and cannot be empty"),
    (f"/items?idx={'x' * 2049}", "at most 2048 bytes. This value has 2049"),
    (f"/items/{'x' * 2049}", "at most 2048 bytes. This value has 2049"),
    ("/items?" + "&".join(f"a{number}=x" for number in range(400)), "DynamoDB takes 4096 and 300"),
    ("/items/%FF", "is not percent-encoded UTF-8"),
    ("/items/a?mag=5", "Unknown parameter 'mag'"),
    ("/items?a..b=1", "is not a path"),
]


@pytest.mark.parametrize(("path", "detail"), INVALID_REQUESTS)
def test_invalid_request_is_a_400_that_says_what_to_write(quakes: Any, get: Get, path: str, detail: str) -> None:
    response = get(path)
    problem = body(response, 400)
    assert detail in problem["detail"]
    assert problem["status"] == 400
    assert response.headers["Content-Type"] == "application/problem+json"


def test_invalid_key_in_a_path_is_a_400_that_names_its_type(get_shelves: Get) -> None:
    assert "shelf is a number, but 'top' is not a number" in body(get_shelves("/items/top"), 400)["detail"]
    assert "shelf is a number" in body(get_shelves("/items/top/a"), 400)["detail"]


def test_long_value_of_a_non_key_attribute_is_accepted(quakes: Any, get: Get) -> None:
    assert body(get(f"/items?place={'x' * 4096}"))["items"] == []


def test_edited_cursor_or_one_of_another_query_is_a_400(quakes: Any, get: Get, shelves: str, load_app: Load) -> None:
    next_query = body(get("/items?net=us&_sort=time&_limit=5"))["next"]
    cursor = next_query.split("_cursor=")[1]
    assert body(get(f"/items{next_query}"))["count"] == 5
    assert body(get(f"/items?net=us&_sort=time&_limit=50&_cursor={cursor}"))["count"] == 50
    for query in (
        "net=ci&_sort=time",
        "net=us&_sort=-time",
        "net=us&_sort=time&mag__gt=1",
        "_limit=5",
        "_index=by_net",
    ):
        assert CURSOR_REFUSED in body(get(f"/items?{query}&_cursor={cursor}"), 400)["detail"]
    for edited in (cursor[:-1], cursor[:10], f"A{cursor}", cursor[::-1]):
        assert CURSOR_REFUSED in body(get(f"/items?net=us&_sort=time&_cursor={edited}"), 400)["detail"]
    other_http = Client(load_app(TABLE_NAME=shelves).app, stage_name="local").http
    assert CURSOR_REFUSED in body(other_http.get(f"/items?_cursor={cursor}"), 400)["detail"]


def test_forged_cursor_refused_by_dynamodb_is_a_400(quakes: Any, load_app: Load) -> None:
    # The checksum is not a signature: DynamoDB refuses a start key outside the query.
    app = load_app()
    schema, query = app.API.table.schema(), {"net": ["us"], "_sort": ["time"], "time__gt": ["5"]}
    plan = plan_items(ReadRequest(schema, parse(query, schema, app.SETTINGS), app.SETTINGS))
    forged = cursors.encode({"idx": {"S": "a"}, "net": {"S": "us"}, "time": {"N": "1"}}, plan.start_keys, plan.identity)
    response = Client(app.app).http.get(f"/items?{urlencode(query, doseq=True)}&_cursor={forged}")
    assert CURSOR_REFUSED in body(response, 400)["detail"]


def test_item_fetched_through_a_local_index_is_reduced_to_the_fields(dynamodb: Any, load_app: Load) -> None:
    dynamodb.create_table(**ORDERS_TABLE, BillingMode="PAY_PER_REQUEST")
    notes: list[dict[str, Any]] = [
        {"M": {"by": {"S": "x"}, "on": {"S": "paper"}}},
        {"M": {"by": {"S": "x"}}},
        {"M": {"by": {"S": "y"}, "on": {"S": "screen"}}},
    ]
    common = {"customer": {"S": "anna"}}
    orders = [{**common, "date": {"S": str(n)}, "total": {"N": str(n)}, "note": note} for n, note in enumerate(notes)]
    put_items(dynamodb, "orders", orders)
    http = Client(load_app(TABLE_NAME="orders").app, stage_name="local").http
    response = http.get("/items/anna?_sort=-total&note.by=x&_fields=note.on,date")
    assert response.headers["X-Plan"] == "Query index=by_total"
    assert body(response)["items"] == [{"date": "1"}, {"date": "0", "note": {"on": "paper"}}]
    full_items = body(http.get("/items/anna?_sort=total&note.by=y"))["items"]
    assert full_items == [{"customer": "anna", "date": "2", "total": "2", "note": {"by": "y", "on": "screen"}}]


def test_long_next_is_only_in_the_body(dynamodb: Any, load_app: Load) -> None:
    dynamodb.create_table(**{**SHELVES_TABLE, "TableName": "long"})
    books = ["\x01" * 1000 + digit for digit in "123"]
    put_items(dynamodb, "long", [{"shelf": {"N": "1"}, "book": {"S": book}} for book in books])
    http = Client(load_app(TABLE_NAME="long").app, stage_name="local").http
    response = http.get("/items/1?_limit=1")
    assert len(response.json_body["next"]) > 6_000
    assert "Link" not in response.headers
    assert [item["book"] for item in all_pages(http.get, "/items/1", _limit="1")] == books


def test_next_repeats_the_parameters_of_the_request(quakes: Any, get: Get) -> None:
    parameters = {"place__startswith": "1", "title__contains": "& +%/서", "_limit": "1"}
    assert body(get(f"/items?{urlencode(parameters)}"))["next"] is None
    parameters["title__contains"] = "km "
    next_query = body(get(f"/items?{urlencode(parameters)}"))["next"]
    # A space is written as %20: a proxy may leave a plus undecoded.
    assert next_query.startswith("?place__startswith=1&title__contains=km%20&_limit=1&_cursor=")
    assert len(all_pages(get, "/items", **{**parameters, "_limit": "100"})) > 100


def test_throttled_page_with_a_cursor_is_a_503(quakes: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    app = load_app()
    http = Client(app.app, stage_name="local").http
    next_query = body(http.get("/items?_limit=5"))["next"]
    with faults.scripted_server((400, faults.error("ThrottlingException", "slow down"))) as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        monkeypatch.setattr(transport, "ATTEMPTS", 1)
        vars(app.API.table)["_dynamodb"] = DynamoDB(connect(os.environ))
        assert "throttling" in body(http.get(f"/items{next_query}"), 503)["detail"]


def test_error_of_chalice_is_a_problem(quakes: Any, load_app: Load) -> None:
    response = Client(load_app().app).http.post("/items", body=b"{}", headers={"Content-Type": "application/json"})
    problem = body(response, 405)
    assert problem["detail"] == "Unsupported method: POST."
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Allow"] == "GET"
