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

SHELVES: dict[str, Any] = {
    "TableName": "shelves",
    "KeySchema": [{"AttributeName": "shelf", "KeyType": "HASH"}, {"AttributeName": "book", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "shelf", "AttributeType": "N"},
        {"AttributeName": "book", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
ODD = ["100%", "a+b", "a b", "서울", "🚀", "a/b", 'say "hi"', "%2F", "a,b", "?&=#"]


@pytest.fixture(scope="module")
def shelves(dynamodb: Any) -> str:
    dynamodb.create_table(**SHELVES)
    put_items(dynamodb, "shelves", [{"shelf": {"N": "1.5"}, "book": {"S": book}, "pages": {"N": "10"}} for book in ODD])
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


def joined(get: Get, path: str, **query: str) -> list[Any]:
    """The items of every page."""
    items: list[Any] = []
    following: str | None = f"?{urlencode(query)}"
    while following:
        page = body(get(path + following))
        items += page["items"]
        following = page["next"]
    return items


def test_the_root_describes_the_table(quakes: Any, get: Get) -> None:
    described = body(get("/"))
    assert described["table"] == "study_test"
    assert described["keys"] == {"partition": {"name": "idx", "type": "S"}, "sort": None}
    assert described["indexes"][0] == {
        "name": "by_net",
        "kind": "global",
        "partition": {"name": "net", "type": "S"},
        "sort": {"name": "time", "type": "N"},
        "projection": None,
    }
    assert described["links"] == {"items": "items", "item": "items/{idx}", "openapi": "openapi.json"}
    assert described["operators"]["startswith"] == {
        "description": "starts with",
        "operand": "value",
        "keys": ["B", "S"],
    }
    assert described["operators"]["between"]["operand"] == "low,high"
    assert described["limit"] == {"default": 100, "most": 1000}


def test_every_quake_of_a_network_above_five_latest_first(quakes: list[Any], get: Get) -> None:
    strong = [quake for quake in quakes if quake["net"]["S"] == "us" and float(quake["mag"]["N"]) >= 5]
    strong.sort(key=lambda quake: -int(quake["time"]["N"]))
    response = get("/items?net=us&mag__gte=5&_sort=-time")
    assert response.headers["X-Plan"] == "Query index=by_net"
    items = joined(get, "/items", net="us", mag__gte="5", _sort="-time", _limit="7")
    assert [item["idx"] for item in items] == [quake["idx"]["S"] for quake in strong]
    assert len(items) == 39


@pytest.mark.parametrize("limit", [1, 10, 100, 569, 853, 1000])
def test_every_item_comes_once_whatever_the_limit(quakes: list[Any], get: Get, limit: int) -> None:
    items = joined(get, "/items", _limit=str(limit), _fields="idx")
    assert sorted(item["idx"] for item in items) == sorted(quake["idx"]["S"] for quake in quakes)


def test_headers_tell_the_plan_and_its_cost(quakes: Any, get: Get) -> None:
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


def test_another_origin_may_read_answers_and_errors_alike(quakes: Any, load_app: Load) -> None:
    http = Client(load_app(ALLOW_ORIGIN="https://example.org").app, stage_name="local").http
    for path, status in (("/items?_limit=1", 200), ("/items?_limit=x", 400), ("/items/none", 404)):
        response = http.get(path)
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"


def test_an_item_is_found_by_its_key(quakes: list[Any], get: Get) -> None:
    key = quakes[0]["idx"]["S"]
    response = get(f"/items/{quote(key)}")
    assert body(response)["idx"] == key
    assert response.headers["X-Plan"] == "GetItem"
    assert body(get(f"/items/{quote(key)}?_fields=mag,geometry.coordinates[2]")) == {
        "mag": "2",
        "geometry": {"coordinates": ["26.49"]},
    }
    assert body(get(f"/items/{quote(key)}?_explain=true"))["plan"] == "GetItem"


def test_what_is_not_there_is_a_404(quakes: Any, get: Get, get_shelves: Get) -> None:
    assert body(get("/items/nothing"), 404)["detail"] == "There is no item with idx 'nothing'."
    assert "has no sort key" in body(get("/items/a/b"), 404)["detail"]
    assert body(get_shelves("/items/1/none"), 404)["detail"] == "There is no item with shelf '1' and book 'none'."


def test_a_table_with_a_sort_key_has_lists_of_its_partitions(get_shelves: Get) -> None:
    listed = joined(get_shelves, "/items/1.5", _limit="3")
    assert [item["book"] for item in listed] == sorted(ODD)
    assert body(get_shelves("/items/1.50?book__startswith=a&_sort=-book&_limit=1"))["items"][0]["book"] == "a/b"
    assert body(get_shelves("/items/2"))["items"] == []
    assert get_shelves("/items/1.5").headers["X-Plan"] == "Query"


@pytest.mark.parametrize("book", ODD)
def test_a_path_is_decoded_exactly_once(get_shelves: Get, book: str) -> None:
    # A slash cannot be routed reliably, so that such a key is asked for in the query.
    if "/" not in book:
        assert body(get_shelves(f"/items/1.5/{quote(book, safe='')}"))["book"] == book
    found = body(get_shelves(f"/items?{urlencode({'shelf': '1.5', 'book': json.dumps(book)})}"))
    assert [item["book"] for item in found["items"]] == [book]


def test_numbers_are_exact_either_way(quakes: list[Any], get: Get, load_app: Load) -> None:
    key = quote(quakes[0]["idx"]["S"])
    assert b'"-118.6671667"' in get(f"/items/{key}").body
    assert b"[-118.6671667,34.4945,26.49]" in get(f"/items/{key}?_numbers=number").body
    http = Client(load_app(NUMBERS="number").app, stage_name="local").http
    assert b'"mag":2,' in http.get(f"/items/{key}").body
    assert b'"mag":2,' in http.get("/items?mag=2").body


def test_every_type_of_the_sample_is_there(quakes: Any, get: Get) -> None:
    (quake,) = body(get("/items?id=us1000chln"))["items"]
    assert quake["mag"] == "5.4"
    assert quake["mmi"] is None
    assert quake["tsunami"] is False
    assert sorted(quake["types"]) == ["dyfi", "geoserve", "moment-tensor", "origin", "phase-data"]
    assert quake["geometry"] == {"type": "Point", "coordinates": ["121.7566", "23.942", "8.62"]}
    assert "alert" not in quake


def test_nested_values_and_sets_are_filtered(quakes: list[Any], get: Get) -> None:
    deep = [q for q in quakes if float(q["geometry"]["M"]["coordinates"]["L"][2]["N"]) > 500]
    found = joined(get, "/items", **{"geometry.coordinates[2]__gt": "500"})
    assert sorted(item["idx"] for item in found) == sorted(quake["idx"]["S"] for quake in deep)
    felt = [quake for quake in quakes if "dyfi" in quake["types"]["SS"]]
    assert len(joined(get, "/items", types__contains="dyfi")) == len(felt) > 0


def test_only_what_is_published_leaves(quakes: Any, load_app: Load) -> None:
    http = Client(load_app(ATTRIBUTES="mag,place").app, stage_name="local").http
    described = body(http.get("/"))
    assert described["attributes"] == ["idx", "mag", "place"]
    assert described["indexes"] == []
    (item,) = body(http.get("/items?_limit=1"))["items"]
    assert set(item) == {"idx", "mag", "place"}
    assert set(body(http.get(f"/items/{quote(item['idx'])}"))) == {"idx", "mag", "place"}
    for query in ("net=us", "_fields=net", "net__exists=true", "_sort=time", "_index=by_net", "geometry.type=Point"):
        assert http.get(f"/items?{query}").status_code == 400


def test_the_most_that_one_answer_holds_is_the_owners_to_say(quakes: Any, load_app: Load) -> None:
    http = Client(load_app(MAX_LIMIT="3").app, stage_name="local").http
    assert body(http.get("/items"))["count"] == 3
    assert "from 1 to 3" in body(http.get("/items?_limit=4"), 400)["detail"]


def test_a_plan_is_explained_and_nothing_read(quakes: Any, get: Get) -> None:
    response = get("/items?net=us&_sort=time&_explain=true")
    assert body(response)["plan"] == response.headers["X-Plan"] == "Query index=by_net"
    assert "X-Consumed-Capacity" not in response.headers


CURSOR = "_cursor does not belong to this request"
BAD = [
    ("/items?_page=2", "Unknown parameter '_page'"),
    ("/items?mag__gte=big", "'big' is not a number"),
    ("/items?place__exists=maybe", "is not valid. Use true or false"),
    ("/items?_limit=0", "from 1 to 1000"),
    ("/items?_limit=abc", "from 1 to 1000"),
    ("/items?_limit=1e9", "from 1 to 1000"),
    ("/items?_cursor=garbage", CURSOR),
    ("/items?_cursor=", CURSOR),
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


@pytest.mark.parametrize(("path", "detail"), BAD)
def test_bad_input_is_told_what_would_be_right(quakes: Any, get: Get, path: str, detail: str) -> None:
    response = get(path)
    problem = body(response, 400)
    assert detail in problem["detail"]
    assert problem["status"] == 400
    assert response.headers["Content-Type"] == "application/problem+json"


def test_wrong_keys_in_a_path_are_told_what_would_be_right(get_shelves: Get) -> None:
    assert "shelf is a number, but 'top' is not a number" in body(get_shelves("/items/top"), 400)["detail"]
    assert "shelf is a number" in body(get_shelves("/items/top/a"), 400)["detail"]


def test_a_value_may_be_long_where_it_is_no_key(quakes: Any, get: Get) -> None:
    assert body(get(f"/items?place={'x' * 4096}"))["items"] == []


def test_a_cursor_is_of_its_own_query_and_untouched(quakes: Any, get: Get, shelves: str, load_app: Load) -> None:
    following = body(get("/items?net=us&_sort=time&_limit=5"))["next"]
    mark = following.split("_cursor=")[1]
    assert body(get(f"/items{following}"))["count"] == 5
    assert body(get(f"/items?net=us&_sort=time&_limit=50&_cursor={mark}"))["count"] == 50
    for query in (
        "net=ci&_sort=time",
        "net=us&_sort=-time",
        "net=us&_sort=time&mag__gt=1",
        "_limit=5",
        "_index=by_net",
    ):
        assert CURSOR in body(get(f"/items?{query}&_cursor={mark}"), 400)["detail"]
    for edited in (mark[:-1], mark[:10], f"A{mark}", mark[::-1]):
        assert CURSOR in body(get(f"/items?net=us&_sort=time&_cursor={edited}"), 400)["detail"]
    other = Client(load_app(TABLE_NAME=shelves).app, stage_name="local").http
    assert CURSOR in body(other.get(f"/items?_cursor={mark}"), 400)["detail"]


def test_a_forged_cursor_is_refused_by_dynamodb_and_told_so(quakes: Any, load_app: Load) -> None:
    # The checksum is not a signature: DynamoDB refuses a start key outside the query.
    app = load_app()
    schema, query = app.API.table.schema(), {"net": ["us"], "_sort": ["time"], "time__gt": ["5"]}
    plan = plan_items(ReadRequest(schema, parse(query, schema, app.SETTINGS), app.SETTINGS))
    forged = cursors.encode({"idx": {"S": "a"}, "net": {"S": "us"}, "time": {"N": "1"}}, plan.start_keys, plan.identity)
    response = Client(app.app).http.get(f"/items?{urlencode(query, doseq=True)}&_cursor={forged}")
    assert CURSOR in body(response, 400)["detail"]


def test_what_a_local_index_fetches_goes_out_as_narrow_as_asked(dynamodb: Any, load_app: Load) -> None:
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
    whole = body(http.get("/items/anna?_sort=total&note.by=y"))["items"]
    assert whole == [{"customer": "anna", "date": "2", "total": "2", "note": {"by": "y", "on": "screen"}}]


def test_a_next_as_long_as_its_keys_is_in_the_body_alone(dynamodb: Any, load_app: Load) -> None:
    dynamodb.create_table(**{**SHELVES, "TableName": "long"})
    books = ["\x01" * 1000 + digit for digit in "123"]
    put_items(dynamodb, "long", [{"shelf": {"N": "1"}, "book": {"S": book}} for book in books])
    http = Client(load_app(TABLE_NAME="long").app, stage_name="local").http
    response = http.get("/items/1?_limit=1")
    assert len(response.json_body["next"]) > 6_000
    assert "Link" not in response.headers
    assert [item["book"] for item in joined(http.get, "/items/1", _limit="1")] == books


def test_a_next_says_what_was_asked_again(quakes: Any, get: Get) -> None:
    asked = {"place__startswith": "1", "title__contains": "& +%/서", "_limit": "1"}
    assert body(get(f"/items?{urlencode(asked)}"))["next"] is None
    asked["title__contains"] = "km "
    following = body(get(f"/items?{urlencode(asked)}"))["next"]
    # No plus for a space: what stands between may leave a plus as it is.
    assert following.startswith("?place__startswith=1&title__contains=km%20&_limit=1&_cursor=")
    assert len(joined(get, "/items", **{**asked, "_limit": "100"})) > 100


def test_another_refusal_of_a_page_is_not_blamed_on_its_cursor(
    quakes: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = load_app()
    http = Client(app.app, stage_name="local").http
    following = body(http.get("/items?_limit=5"))["next"]
    with faults.scripted_server((400, faults.error("ThrottlingException", "slow down"))) as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        monkeypatch.setattr(transport, "ATTEMPTS", 1)
        vars(app.API.table)["_dynamodb"] = DynamoDB(connect(os.environ))
        assert "throttling" in body(http.get(f"/items{following}"), 503)["detail"]


def test_an_error_of_chalices_own_is_a_problem_too(quakes: Any, load_app: Load) -> None:
    response = Client(load_app().app).http.post("/items", body=b"{}", headers={"Content-Type": "application/json"})
    problem = body(response, 405)
    assert problem["detail"] == "Unsupported method: POST."
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Allow"] == "GET"
