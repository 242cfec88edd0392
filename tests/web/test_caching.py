"""Cached responses and the change feed, over a real table, its real stream, and the app's handler."""

from __future__ import annotations

import itertools
import logging
from types import ModuleType
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from chalicelib.changes.reader import FeedReader
from chalicelib.dynamodb.botocore_transport import client
from chalicelib.dynamodb.errors import UNREACHABLE, DynamoDBError
from chalicelib.web import caching
from local import sample
from local.stream import Delivery
from tests.conftest import Load, put_items

COUNTER = itertools.count()
READS = ("GetItem", "Query", "Scan")


class Clock:
    """A clock that a test moves forward."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class LiveApi:
    """The app over a table with a stream and a feed."""

    def __init__(self, dynamodb: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch, **environ: str) -> None:
        self.dynamodb, self.table = dynamodb, f"live-{next(COUNTER)}"
        self.feed = f"{self.table}-feed"
        description = dynamodb.create_table(**{**sample.TABLE, "TableName": self.table})["TableDescription"]
        dynamodb.create_table(**sample.feed_table(self.feed))
        self.environ = {"TABLE_NAME": self.table, "FEED_TABLE": self.feed, "STREAM_ARN": description["LatestStreamArn"]}
        self.clock = Clock()
        self.load_app, self.monkeypatch = load_app, monkeypatch
        self.app = self.cold_app(**environ)
        self.http = Client(self.app.app, stage_name="local").http
        self.delivery = Delivery(
            client("dynamodbstreams"),
            description["LatestStreamArn"],
            lambda event: self.app.on_change(event, None),
            1000,
        )

    def cold_app(self, **environ: str) -> ModuleType:
        """Import the app again, as a cold function does. Return its module."""
        app = self.load_app(**self.environ, **environ)
        vars(app.API.cache)["_clock"] = self.clock
        vars(app.API.feed)["_clock"] = self.clock
        vars(app.feed_writer())["_clock"] = self.clock
        return app

    def put(self, *names: str, **attributes: Any) -> None:
        put_items(self.dynamodb, self.table, [{"idx": {"S": name}, **attributes} for name in names])

    def deliver(self) -> None:
        while self.delivery.poll():
            pass

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def get(self, path: str, status: int = 200, **headers: str) -> HTTPResponse:
        response = self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert response.status_code == status, response.body
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return response


@pytest.fixture
def api(dynamodb: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch) -> LiveApi:
    api = LiveApi(dynamodb, load_app, monkeypatch)
    api.put("a", "b", "c", net={"S": "us"}, time={"N": "1"})
    api.deliver()
    api.wait(60)
    return api


def test_unchanged_response_is_a_304_without_reading_the_table(api: LiveApi, calls: list[dict[str, Any]]) -> None:
    first = api.get("/items?_limit=2")
    etag = first.headers["ETag"]
    assert "ETag" in first.headers["Access-Control-Expose-Headers"]
    api.wait(2)
    calls.clear()
    second = api.get("/items?_limit=2", 304, If_None_Match=etag)
    assert second.body == b""
    assert second.headers["ETag"] == etag
    assert second.headers["Cache-Control"] == "no-cache"
    assert [(call["operation"], call["TableName"]) for call in calls] == [("GetItem", api.feed)]
    assert float(second.headers["X-Consumed-Capacity"]) == 1
    # Within FRESHNESS_SECONDS not even the head is read.
    assert api.get("/items?_limit=2", 304, If_None_Match=etag).headers["X-Consumed-Capacity"] == "0"
    assert len(calls) == 1


def test_repeated_request_in_a_warm_function_reads_nothing(api: LiveApi, calls: list[dict[str, Any]]) -> None:
    paths = ("/items?_limit=2", "/items/a", "/items?net=us&_sort=time&_limit=1")
    first = [api.get(path) for path in paths]
    calls.clear()
    second = [api.get(path) for path in paths]
    assert calls == []
    for before, after in zip(first, second, strict=True):
        assert after.body == before.body
        for header in ("ETag", "X-Plan", "Content-Type", "Cache-Control"):
            assert after.headers[header] == before.headers[header]
        assert after.headers.get("Link") == before.headers.get("Link")
        assert after.headers["X-Consumed-Capacity"] == "0"
    assert "Link" in second[0].headers


def test_change_is_in_the_next_response_with_a_new_etag(api: LiveApi) -> None:
    before = api.get("/items?_fields=idx,mag")
    api.put("a", mag={"N": "9"})
    api.deliver()
    api.wait(1)
    after = api.get("/items?_fields=idx,mag", If_None_Match=before.headers["ETag"])
    assert {"idx": "a", "mag": "9"} in after.json_body["items"]
    assert after.headers["ETag"] != before.headers["ETag"]


def test_change_of_another_item_is_a_304_with_a_new_etag(api: LiveApi) -> None:
    etag = api.get("/items/a").headers["ETag"]
    api.put("z")
    api.deliver()
    api.wait(1)
    unchanged = api.get("/items/a", 304, If_None_Match=f'"other", W/{etag}')
    assert unchanged.headers["ETag"] != etag
    assert unchanged.headers["ETag"].partition("-")[2] == etag.partition("-")[2]


def test_etag_is_valid_in_another_function(api: LiveApi, calls: list[dict[str, Any]]) -> None:
    etag = api.get("/items?_limit=2&net=us").headers["ETag"]
    other_http = Client(api.cold_app().app, stage_name="local").http
    calls.clear()
    # The order of the parameters does not matter.
    assert other_http.get("/items?net=us&_limit=2", headers={"If-None-Match": etag}).status_code == 304
    assert {call["operation"] for call in calls} == {"DescribeTable", "GetItem"}


def test_etag_depends_on_the_request_and_the_settings(api: LiveApi) -> None:
    paths = ("/items", "/items?_limit=2", "/items?_numbers=number", "/items/a", "/items/b", "/items?net=us")
    etags = [api.get(path).headers["ETag"] for path in paths]
    http = Client(api.cold_app(ATTRIBUTES="net,time").app, stage_name="local").http
    etags += [http.get(path).headers["ETag"] for path in paths]
    assert len({etag.partition("-")[0] for etag in etags}) == 2 * len(paths)


def test_changes_since_the_position_of_a_response_are_complete(api: LiveApi) -> None:
    # This function still trusts the head that it has read. Another one already knows the change.
    other_http = Client(api.cold_app().app, stage_name="local").http
    assert api.get("/items/a").headers["X-Position"] == "3"
    api.put("a", mag={"N": "9"})
    api.deliver()
    assert other_http.get("/changes").json_body["next"] == 4
    stale = api.get("/items/a")
    assert "mag" not in stale.json_body
    missed = other_http.get(f"/changes?_since={stale.headers['X-Position']}").json_body["changes"]
    assert [change["new"]["mag"] for change in missed] == ["9"]
    api.wait(1)
    fresh = api.get("/items/a", If_None_Match=stale.headers["ETag"])
    assert fresh.headers["X-Position"] == "4"
    assert api.get("/items/a", 304, If_None_Match=fresh.headers["ETag"]).headers["X-Position"] == "4"
    assert "X-Position" in fresh.headers["Access-Control-Expose-Headers"]


def test_if_none_match_star_is_a_304_for_an_existing_item(api: LiveApi) -> None:
    assert api.get("/items/a", 304, If_None_Match="*").body == b""
    api.get("/items/none", 404, If_None_Match="*")


def test_no_cache_bypasses_the_cache(api: LiveApi) -> None:
    etag = api.get("/items/a").headers["ETag"]
    api.put("a", mag={"N": "9"})
    # The change is not delivered: only a read of the table shows it.
    assert "mag" not in api.get("/items/a").json_body
    assert api.get("/items/a", If_None_Match=etag, Cache_Control="no-cache").json_body["mag"] == "9"
    assert api.get("/items/a").json_body["mag"] == "9"


def test_stopped_stream_makes_no_response_older_than_max_stale_seconds(api: LiveApi) -> None:
    etag = api.get("/items/a").headers["ETag"]
    api.put("a", mag={"N": "9"})
    deadline = api.clock.now + 60
    is_renewed = False
    while api.clock.now < deadline:
        api.wait(1)
        response = api.http.get("/items/a", headers={"If-None-Match": etag})
        is_renewed = is_renewed or response.status_code == 200
    assert is_renewed
    assert api.get("/items/a").json_body["mag"] == "9"


def test_max_stale_seconds_limits_the_age_of_a_response(api: LiveApi) -> None:
    http = Client(api.cold_app(MAX_STALE_SECONDS="5").app, stage_name="local").http
    assert "mag" not in http.get("/items/a").json_body
    api.put("a", mag={"N": "9"})
    api.wait(5)
    assert http.get("/items/a").json_body["mag"] == "9"


def test_freshness_seconds_limits_the_reads_of_the_head(api: LiveApi, calls: list[dict[str, Any]]) -> None:
    for seconds, reads in (("0", 3), ("1", 1), ("100", 1)):
        http = Client(api.cold_app(FRESHNESS_SECONDS=seconds).app, stage_name="local").http
        calls.clear()
        for _ in range(3):
            assert http.get("/items/a").status_code == 200
        assert len([call for call in calls if call["TableName"] == api.feed]) == reads


@pytest.mark.parametrize("path", ["/items?net=us&_sort=time", "/items/a?_consistent=false"])
def test_eventually_consistent_response_has_no_etag_after_a_recent_change(api: LiveApi, path: str) -> None:
    assert "ETag" in api.get(path).headers
    api.put("a", net={"S": "us"}, time={"N": "2"})
    api.deliver()
    api.wait(1)
    consistent_headers = api.get("/items/a").headers
    for _ in range(3):
        response = api.get(path)
        assert "ETag" not in response.headers
        assert float(response.headers["X-Consumed-Capacity"]) > 0
        api.wait(1)
    assert "ETag" in consistent_headers
    api.wait(caching.SETTLE_SECONDS)
    assert "ETag" in api.get(path).headers


def test_recreated_feed_changes_every_etag(api: LiveApi) -> None:
    etags = [api.get(path).headers["ETag"] for path in ("/items", "/items/a")]
    api.dynamodb.delete_table(TableName=api.feed)
    api.dynamodb.create_table(**sample.feed_table(api.feed))
    # The function remembers the old feed. A cold one replaces it.
    api.app = api.cold_app()
    api.put("a", "b", "c", mag={"N": "1"})
    api.deliver()
    api.wait(60)
    assert api.get("/changes").json_body["next"] == 3
    new_etags = [api.get(path).headers["ETag"] for path in ("/items", "/items/a")]
    assert not {etag.partition("-")[0] for etag in etags} & {etag.partition("-")[0] for etag in new_etags}


@pytest.mark.parametrize("times_out", [False, True])
def test_unreadable_feed_is_logged_and_items_are_still_served(
    api: LiveApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, times_out: bool
) -> None:
    def timeout(self: FeedReader) -> None:
        raise DynamoDBError(UNREACHABLE, "here")

    api.dynamodb.delete_table(TableName=api.feed)
    if times_out:
        monkeypatch.setattr(FeedReader, "head", timeout)
    with caplog.at_level(logging.WARNING, "tablecast"):
        response = api.get("/items/a")
    assert response.json_body["idx"] == "a"
    assert "ETag" not in response.headers
    assert "The feed cannot be read" in caplog.messages[0]
    assert api.get("/changes", 503).headers["Retry-After"] == ("2" if times_out else "60")


def test_head_is_not_read_with_little_time_left(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("chalicelib.web.api.seconds_left", lambda request: 20.0)
    assert "ETag" not in api.get("/items/a").headers
    assert api.feed not in [call["TableName"] for call in calls]


def test_cache_is_bounded_in_bytes(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "CACHE_BYTES", 3600)
    paths = [f"/items/{name}" for name in "abc"] * 2 + ["/items/c?_fields=idx"]
    for path in paths:
        api.get(path)
    cached = vars(api.app.API.cache)["_answers"]
    assert 1 < len(cached) < 4
    assert sum(page.size for page in cached.values()) == vars(api.app.API.cache)["_bytes"] <= 3600
    api.get("/items/c", Cache_Control="no-cache")
    assert sum(page.size for page in cached.values()) == vars(api.app.API.cache)["_bytes"] <= 3600


def test_changes_are_read_page_by_page(api: LiveApi) -> None:
    start = api.get("/changes").json_body
    assert start == {"changes": [], "next": 3, "more": False}
    api.put("a", mag={"N": "9"})
    api.dynamodb.delete_item(TableName=api.table, Key={"idx": {"S": "b"}})
    api.deliver()
    api.wait(1)
    page = api.get("/changes?_since=3&_limit=1")
    (change,) = page.json_body["changes"]
    assert page.json_body["next"] == 4
    assert page.json_body["more"] is True
    assert list(change) == ["id", "position", "at", "op", "key", "new", "old"]
    assert (change["position"], change["op"], change["key"]) == (4, "modify", {"idx": "a"})
    assert change["new"] == {"idx": "a", "mag": "9"}
    assert change["old"] == {"idx": "a", "net": "us", "time": "1"}
    assert change["at"].endswith("Z")
    assert float(page.headers["X-Consumed-Capacity"]) > 0
    page = api.get("/changes?_since=4")
    assert [change["op"] for change in page.json_body["changes"]] == ["remove"]
    assert (page.json_body["next"], page.json_body["more"]) == (5, False)
    assert api.get("/changes?_since=5").json_body == {"changes": [], "next": 5, "more": False}


def test_polling_an_unchanged_feed_reads_once_a_second(api: LiveApi, calls: list[dict[str, Any]]) -> None:
    for _ in range(4):
        assert api.get("/changes?_since=3").json_body["changes"] == []
    assert len(calls) == 1
    # A position that another function has returned is valid here too.
    api.put("z")
    api.deliver()
    assert api.get("/changes?_since=4").json_body == {"changes": [], "next": 4, "more": False}
    assert api.get("/changes?_since=3").json_body["next"] == 4


def test_position_outside_the_feed_is_a_410(api: LiveApi) -> None:
    api.put("z")
    api.deliver()
    api.wait(30 * 24 * 3600)
    for since in (2, 5):
        response = api.get(f"/changes?_since={since}", 410)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert f"since is {since}" in response.json_body["detail"]


def test_both_images_of_a_change_have_only_published_attributes(api: LiveApi) -> None:
    api.put("a", mag={"N": "9"}, alert={"S": "green"})
    api.deliver()
    http = Client(api.cold_app(ATTRIBUTES="mag", NUMBERS="number").app, stage_name="local").http
    response = http.get("/changes?_since=3")
    assert response.json_body["changes"][0]["new"] == {"idx": "a", "mag": 9}
    assert response.json_body["changes"][0]["old"] == {"idx": "a"}


def test_page_of_changes_is_limited_in_bytes(api: LiveApi) -> None:
    text = "\x01" * 90_000
    api.put("p", "q", "r", "s", "t", title={"S": text})
    api.deliver()
    seen, position, more = [], 3, True
    while more:
        page = api.get(f"/changes?_since={position}")
        assert len(page.body) < 2_100_000
        seen += page.json_body["changes"]
        position, more = page.json_body["next"], page.json_body["more"]
    assert [change["position"] for change in seen] == [4, 5, 6, 7, 8]
    assert all(change["new"]["title"] == text for change in seen)
    assert api.get("/changes?_since=3").json_body["next"] < 8


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("_since=x", "_since is 'x'. Use a whole number from 0"),
        ("_since=-1", "_since is '-1'"),
        ("_since=1.5", "_since is '1.5'"),
        ("_since=9999999999999999", "_since is '9999999999999999'"),
        ("_limit=0", "_limit is '0'. Use a whole number from 1 to 1000"),
        ("_limit=1001", "_limit is '1001'"),
        ("limit=5", "Unknown parameter 'limit'. Use _since, _limit, _numbers, _typed."),
        ("_since=1&_since=2", "_since is given 2 times. Give it once."),
    ],
)
def test_invalid_parameter_of_changes_is_a_400_that_says_what_to_write(api: LiveApi, query: str, detail: str) -> None:
    assert detail in api.get(f"/changes?{query}", 400).json_body["detail"]


def test_changes_without_a_feed_are_a_503_that_says_how_to_enable_it(
    quakes: Any, load_app: Load, calls: list[dict[str, Any]]
) -> None:
    app = load_app()
    assert not hasattr(app, "on_change")
    http = Client(app.app, stage_name="local").http
    response = http.get("/changes?_since=0")
    assert response.status_code == 503
    assert "Its owner turns it on with FEED_TABLE, and with STREAM_ARN" in response.json_body["detail"]
    assert calls == []
    assert "changes" not in http.get("/").json_body["links"]
    listed = http.get("/items?_limit=1", headers={"If-None-Match": '"x"'})
    assert listed.status_code == 200
    assert "ETag" not in listed.headers


def test_description_links_to_the_changes(api: LiveApi) -> None:
    assert api.get("/").json_body["links"]["changes"] == "changes"


def test_handler_raises_a_retryable_error(api: LiveApi) -> None:
    api.dynamodb.delete_table(TableName=api.feed)
    api.app = api.cold_app()
    api.put("a")
    event: dict[str, Any] = {}
    api.delivery = Delivery(client("dynamodbstreams"), api.environ["STREAM_ARN"], event.update, 1000)
    api.deliver()
    with pytest.raises(DynamoDBError, match="ResourceNotFound"):
        api.app.on_change(event, None)
