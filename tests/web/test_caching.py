"""The stream feeds every answer: a real table, its real stream, the app's own handler."""

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
    """The time, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class LiveApi:
    """A table with a stream and a feed, and the app over them."""

    def __init__(self, dynamodb: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch, **environ: str) -> None:
        self.dynamodb, self.table = dynamodb, f"live-{next(COUNTER)}"
        self.feed = f"{self.table}-feed"
        made = dynamodb.create_table(**{**sample.TABLE, "TableName": self.table})["TableDescription"]
        dynamodb.create_table(**sample.feed_table(self.feed))
        self.environ = {"TABLE_NAME": self.table, "FEED_TABLE": self.feed, "STREAM_ARN": made["LatestStreamArn"]}
        self.clock = Clock()
        self.load_app, self.monkeypatch = load_app, monkeypatch
        self.app = self.function(**environ)
        self.http = Client(self.app.app, stage_name="local").http
        self.stream = Delivery(
            client("dynamodbstreams"), made["LatestStreamArn"], lambda event: self.app.on_change(event, None), 1000
        )

    def function(self, **environ: str) -> ModuleType:
        """A cold function of the app."""
        app = self.load_app(**self.environ, **environ)
        vars(app.API.cache)["_clock"] = self.clock
        vars(app.API.feed)["_clock"] = self.clock
        vars(app.feed_writer())["_clock"] = self.clock
        return app

    def put(self, *names: str, **attributes: Any) -> None:
        put_items(self.dynamodb, self.table, [{"idx": {"S": name}, **attributes} for name in names])

    def deliver(self) -> None:
        while self.stream.poll():
            pass

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def get(self, path: str, status: int = 200, **headers: str) -> HTTPResponse:
        response = self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert response.status_code == status, response.body
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return response


@pytest.fixture
def live(dynamodb: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch) -> LiveApi:
    world = LiveApi(dynamodb, load_app, monkeypatch)
    world.put("a", "b", "c", net={"S": "us"}, time={"N": "1"})
    world.deliver()
    world.wait(60)
    return world


def test_what_has_not_changed_is_a_304_without_a_read_of_the_table(live: LiveApi, calls: list[dict[str, Any]]) -> None:
    first = live.get("/items?_limit=2")
    tag = first.headers["ETag"]
    assert "ETag" in first.headers["Access-Control-Expose-Headers"]
    live.wait(2)
    calls.clear()
    second = live.get("/items?_limit=2", 304, If_None_Match=tag)
    assert second.body == b""
    assert second.headers["ETag"] == tag
    assert second.headers["Cache-Control"] == "no-cache"
    assert [(call["operation"], call["TableName"]) for call in calls] == [("GetItem", live.feed)]
    assert float(second.headers["X-Consumed-Capacity"]) == 1
    # Within FRESHNESS_SECONDS not even the head is read.
    assert live.get("/items?_limit=2", 304, If_None_Match=tag).headers["X-Consumed-Capacity"] == "0"
    assert len(calls) == 1


def test_a_second_get_in_a_warm_function_reads_no_item(live: LiveApi, calls: list[dict[str, Any]]) -> None:
    paths = ("/items?_limit=2", "/items/a", "/items?net=us&_sort=time&_limit=1")
    first = [live.get(path) for path in paths]
    calls.clear()
    second = [live.get(path) for path in paths]
    assert calls == []
    for before, after in zip(first, second, strict=True):
        assert after.body == before.body
        for header in ("ETag", "X-Plan", "Content-Type", "Cache-Control"):
            assert after.headers[header] == before.headers[header]
        assert after.headers.get("Link") == before.headers.get("Link")
        assert after.headers["X-Consumed-Capacity"] == "0"
    assert "Link" in second[0].headers


def test_a_change_is_in_the_next_answer_under_another_tag(live: LiveApi) -> None:
    before = live.get("/items?_fields=idx,mag")
    live.put("a", mag={"N": "9"})
    live.deliver()
    live.wait(1)
    after = live.get("/items?_fields=idx,mag", If_None_Match=before.headers["ETag"])
    assert {"idx": "a", "mag": "9"} in after.json_body["items"]
    assert after.headers["ETag"] != before.headers["ETag"]


def test_a_change_elsewhere_makes_another_tag_of_the_same_answer_and_is_a_304_still(live: LiveApi) -> None:
    tag = live.get("/items/a").headers["ETag"]
    live.put("z")
    live.deliver()
    live.wait(1)
    again = live.get("/items/a", 304, If_None_Match=f'"other", W/{tag}')
    assert again.headers["ETag"] != tag
    assert again.headers["ETag"].partition("-")[2] == tag.partition("-")[2]


def test_another_function_knows_a_tag_as_well(live: LiveApi, calls: list[dict[str, Any]]) -> None:
    tag = live.get("/items?_limit=2&net=us").headers["ETag"]
    other = Client(live.function().app, stage_name="local").http
    calls.clear()
    # The order of parameters makes no other request.
    assert other.get("/items?net=us&_limit=2", headers={"If-None-Match": tag}).status_code == 304
    assert {call["operation"] for call in calls} == {"DescribeTable", "GetItem"}


def test_another_request_or_another_setting_has_another_tag(live: LiveApi) -> None:
    paths = ("/items", "/items?_limit=2", "/items?_numbers=number", "/items/a", "/items/b", "/items?net=us")
    tags = [live.get(path).headers["ETag"] for path in paths]
    http = Client(live.function(ATTRIBUTES="net,time").app, stage_name="local").http
    tags += [http.get(path).headers["ETag"] for path in paths]
    assert len({tag.partition("-")[0] for tag in tags}) == 2 * len(paths)


def test_to_follow_from_the_position_of_an_answer_misses_nothing(live: LiveApi) -> None:
    # Another function knows of a change that this one, which trusts its head for a while, does not.
    other = Client(live.function().app, stage_name="local").http
    assert live.get("/items/a").headers["X-Position"] == "3"
    live.put("a", mag={"N": "9"})
    live.deliver()
    assert other.get("/changes").json_body["next"] == 4
    old = live.get("/items/a")
    assert "mag" not in old.json_body
    missed = other.get(f"/changes?_since={old.headers['X-Position']}").json_body["changes"]
    assert [change["new"]["mag"] for change in missed] == ["9"]
    live.wait(1)
    again = live.get("/items/a", If_None_Match=old.headers["ETag"])
    assert again.headers["X-Position"] == "4"
    assert live.get("/items/a", 304, If_None_Match=again.headers["ETag"]).headers["X-Position"] == "4"
    assert "X-Position" in again.headers["Access-Control-Expose-Headers"]


def test_whatever_version_a_client_has_may_be_what_it_asks_for(live: LiveApi) -> None:
    assert live.get("/items/a", 304, If_None_Match="*").body == b""
    live.get("/items/none", 404, If_None_Match="*")


def test_no_cache_goes_around_the_cache(live: LiveApi) -> None:
    tag = live.get("/items/a").headers["ETag"]
    live.put("a", mag={"N": "9"})
    # Not delivered: nothing but a read of the table can tell.
    assert "mag" not in live.get("/items/a").json_body
    assert live.get("/items/a", If_None_Match=tag, Cache_Control="no-cache").json_body["mag"] == "9"
    assert live.get("/items/a").json_body["mag"] == "9"


def test_where_the_stream_has_stopped_no_answer_is_older_than_max_stale_seconds(live: LiveApi) -> None:
    tag = live.get("/items/a").headers["ETag"]
    live.put("a", mag={"N": "9"})
    until = live.clock.now + 60
    seen = False
    while live.clock.now < until:
        live.wait(1)
        response = live.http.get("/items/a", headers={"If-None-Match": tag})
        seen = seen or response.status_code == 200
    assert seen
    assert live.get("/items/a").json_body["mag"] == "9"


def test_how_stale_an_answer_may_be_is_the_owners_to_say(live: LiveApi) -> None:
    http = Client(live.function(MAX_STALE_SECONDS="5").app, stage_name="local").http
    assert "mag" not in http.get("/items/a").json_body
    live.put("a", mag={"N": "9"})
    live.wait(5)
    assert http.get("/items/a").json_body["mag"] == "9"


def test_how_long_a_head_is_trusted_is_the_owners_to_say(live: LiveApi, calls: list[dict[str, Any]]) -> None:
    for seconds, heads in (("0", 3), ("1", 1), ("100", 1)):
        http = Client(live.function(FRESHNESS_SECONDS=seconds).app, stage_name="local").http
        calls.clear()
        for _ in range(3):
            assert http.get("/items/a").status_code == 200
        assert len([call for call in calls if call["TableName"] == live.feed]) == heads


@pytest.mark.parametrize("path", ["/items?net=us&_sort=time", "/items/a?_consistent=false"])
def test_an_eventually_consistent_answer_has_no_tag_while_the_head_has_just_moved(live: LiveApi, path: str) -> None:
    assert "ETag" in live.get(path).headers
    live.put("a", net={"S": "us"}, time={"N": "2"})
    live.deliver()
    live.wait(1)
    calm = live.get("/items/a").headers
    for _ in range(3):
        moved = live.get(path)
        assert "ETag" not in moved.headers
        assert float(moved.headers["X-Consumed-Capacity"]) > 0
        live.wait(1)
    assert "ETag" in calm
    live.wait(caching.SETTLE_SECONDS)
    assert "ETag" in live.get(path).headers


def test_a_feed_made_again_changes_every_tag(live: LiveApi) -> None:
    tags = [live.get(path).headers["ETag"] for path in ("/items", "/items/a")]
    live.dynamodb.delete_table(TableName=live.feed)
    live.dynamodb.create_table(**sample.feed_table(live.feed))
    # The function remembers the feed that was: another one takes over.
    live.app = live.function()
    live.put("a", "b", "c", mag={"N": "1"})
    live.deliver()
    live.wait(60)
    assert live.get("/changes").json_body["next"] == 3
    again = [live.get(path).headers["ETag"] for path in ("/items", "/items/a")]
    assert not {tag.partition("-")[0] for tag in tags} & {tag.partition("-")[0] for tag in again}


@pytest.mark.parametrize("slow", [False, True])
def test_a_feed_that_cannot_be_read_is_no_reason_not_to_answer(
    live: LiveApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    def timeout(self: FeedReader) -> None:
        raise DynamoDBError(UNREACHABLE, "here")

    live.dynamodb.delete_table(TableName=live.feed)
    if slow:
        monkeypatch.setattr(FeedReader, "head", timeout)
    with caplog.at_level(logging.WARNING, "tablecast"):
        response = live.get("/items/a")
    assert response.json_body["idx"] == "a"
    assert "ETag" not in response.headers
    assert "The feed cannot be read" in caplog.messages[0]
    assert live.get("/changes", 503).headers["Retry-After"] == ("2" if slow else "60")


def test_with_little_time_left_the_head_is_not_asked_for(
    live: LiveApi, monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("chalicelib.web.api.seconds_left", lambda request: 20.0)
    assert "ETag" not in live.get("/items/a").headers
    assert live.feed not in [call["TableName"] for call in calls]


def test_what_is_kept_is_bounded_in_bytes(live: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "CACHE_BYTES", 3600)
    paths = [f"/items/{name}" for name in "abc"] * 2 + ["/items/c?_fields=idx"]
    for path in paths:
        live.get(path)
    kept = vars(live.app.API.cache)["_answers"]
    assert 1 < len(kept) < 4
    assert sum(page.size for page in kept.values()) == vars(live.app.API.cache)["_bytes"] <= 3600
    live.get("/items/c", Cache_Control="no-cache")
    assert sum(page.size for page in kept.values()) == vars(live.app.API.cache)["_bytes"] <= 3600


def test_changes_are_followed(live: LiveApi) -> None:
    now = live.get("/changes").json_body
    assert now == {"changes": [], "next": 3, "more": False}
    live.put("a", mag={"N": "9"})
    live.dynamodb.delete_item(TableName=live.table, Key={"idx": {"S": "b"}})
    live.deliver()
    live.wait(1)
    page = live.get("/changes?_since=3&_limit=1")
    (change,) = page.json_body["changes"]
    assert page.json_body["next"] == 4
    assert page.json_body["more"] is True
    assert list(change) == ["id", "position", "at", "op", "key", "new", "old"]
    assert (change["position"], change["op"], change["key"]) == (4, "modify", {"idx": "a"})
    assert change["new"] == {"idx": "a", "mag": "9"}
    assert change["old"] == {"idx": "a", "net": "us", "time": "1"}
    assert change["at"].endswith("Z")
    assert float(page.headers["X-Consumed-Capacity"]) > 0
    page = live.get("/changes?_since=4")
    assert [change["op"] for change in page.json_body["changes"]] == ["remove"]
    assert (page.json_body["next"], page.json_body["more"]) == (5, False)
    assert live.get("/changes?_since=5").json_body == {"changes": [], "next": 5, "more": False}


def test_following_a_feed_that_stands_still_costs_a_function_one_read_a_second(
    live: LiveApi, calls: list[dict[str, Any]]
) -> None:
    for _ in range(4):
        assert live.get("/changes?_since=3").json_body["changes"] == []
    assert len(calls) == 1
    # What another function has given out already is no position ahead of the feed.
    live.put("z")
    live.deliver()
    assert live.get("/changes?_since=4").json_body == {"changes": [], "next": 4, "more": False}
    assert live.get("/changes?_since=3").json_body["next"] == 4


def test_a_position_that_is_not_kept_is_gone(live: LiveApi) -> None:
    live.put("z")
    live.deliver()
    live.wait(30 * 24 * 3600)
    for since in (2, 5):
        response = live.get(f"/changes?_since={since}", 410)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert f"since is {since}" in response.json_body["detail"]


def test_changes_hold_what_is_published_also_of_before(live: LiveApi) -> None:
    live.put("a", mag={"N": "9"}, alert={"S": "green"})
    live.deliver()
    http = Client(live.function(ATTRIBUTES="mag", NUMBERS="number").app, stage_name="local").http
    response = http.get("/changes?_since=3")
    assert response.json_body["changes"][0]["new"] == {"idx": "a", "mag": 9}
    assert response.json_body["changes"][0]["old"] == {"idx": "a"}


def test_an_answer_of_changes_is_as_long_as_lambda_lets_it(live: LiveApi) -> None:
    text = "\x01" * 90_000
    live.put("p", "q", "r", "s", "t", title={"S": text})
    live.deliver()
    seen, following, more = [], 3, True
    while more:
        page = live.get(f"/changes?_since={following}")
        assert len(page.body) < 2_100_000
        seen += page.json_body["changes"]
        following, more = page.json_body["next"], page.json_body["more"]
    assert [change["position"] for change in seen] == [4, 5, 6, 7, 8]
    assert all(change["new"]["title"] == text for change in seen)
    assert live.get("/changes?_since=3").json_body["next"] < 8


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
def test_bad_parameters_of_changes_are_told_what_would_be_right(live: LiveApi, query: str, detail: str) -> None:
    assert detail in live.get(f"/changes?{query}", 400).json_body["detail"]


def test_without_a_feed_changes_say_how_to_turn_it_on(quakes: Any, load_app: Load, calls: list[dict[str, Any]]) -> None:
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


def test_a_feed_is_in_the_description_of_the_table(live: LiveApi) -> None:
    assert live.get("/").json_body["links"]["changes"] == "changes"


def test_the_handler_raises_what_a_retry_can_mend(live: LiveApi) -> None:
    live.dynamodb.delete_table(TableName=live.feed)
    live.app = live.function()
    live.put("a")
    event: dict[str, Any] = {}
    live.stream = Delivery(client("dynamodbstreams"), live.environ["STREAM_ARN"], event.update, 1000)
    live.deliver()
    with pytest.raises(DynamoDBError, match="ResourceNotFound"):
        live.app.on_change(event, None)
