from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import pytest

from chalicelib.changes.records import changes_of
from chalicelib.settings import Settings, read

COUNTER = itertools.count(1)
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/{}/stream/2026-11-23T00:00:00.000"


def feed_settings(table: str = "study_test", **environ: str) -> Settings:
    return read({"TABLE_NAME": table, "FEED_TABLE": "feed", **environ})


def stream_record(
    key: str = "a", table: str = "study_test", created: float = 1_800_000_000, op: str = "MODIFY", **images: Any
) -> dict[str, Any]:
    """Return a stream record in Lambda's format. `images`: new and old, without the key."""
    keys = {"idx": {"S": key}}
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": created,
        "Keys": keys,
        "SequenceNumber": "1",
        "SizeBytes": 1,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    for name, image in (("new", "NewImage"), ("old", "OldImage")):
        if name in images:
            stream[image] = {**keys, **images[name]}
    return {
        "eventID": f"{next(COUNTER):032x}",
        "eventName": op,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": stream,
        "eventSourceARN": ARN.format(table),
    }


def test_record_becomes_a_change_with_its_images() -> None:
    modified = stream_record(new={"mag": {"N": "5"}}, old={"mag": {"N": "4"}})
    (change,) = changes_of({"Records": [modified]}, feed_settings())
    assert (change.id, change.created) == (modified["eventID"], 1_800_000_000)
    assert json.loads(change.body) == {
        "op": "modify",
        "key": {"idx": {"S": "a"}},
        "new": {"idx": {"S": "a"}, "mag": {"N": "5"}},
        "old": {"idx": {"S": "a"}, "mag": {"N": "4"}},
    }


def test_keys_only_stream_gives_changes_without_images() -> None:
    changes = changes_of({"Records": [stream_record(op="INSERT"), stream_record(op="REMOVE")]}, feed_settings())
    assert [json.loads(change.body) for change in changes] == [
        {"op": "insert", "key": {"idx": {"S": "a"}}},
        {"op": "remove", "key": {"idx": {"S": "a"}}},
    ]


def test_expired_item_is_a_remove() -> None:
    expired = stream_record(op="REMOVE", old={"mag": {"N": "5"}})
    expired["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    (change,) = changes_of({"Records": [expired]}, feed_settings())
    assert json.loads(change.body)["op"] == "remove"
    assert json.loads(change.body)["old"]["mag"] == {"N": "5"}


def test_change_has_only_published_attributes() -> None:
    modified = stream_record(new={"mag": {"N": "5"}, "secret": {"S": "x"}}, old={"secret": {"S": "y"}})
    (change,) = changes_of({"Records": [modified]}, feed_settings(ATTRIBUTES="mag,place"))
    assert json.loads(change.body)["new"] == {"idx": {"S": "a"}, "mag": {"N": "5"}}
    assert json.loads(change.body)["old"] == {"idx": {"S": "a"}}
    assert b"secret" not in change.body


def test_records_of_another_table_are_left_out_with_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "tablecast"):
        assert changes_of({"Records": [stream_record(table="orders")] * 3}, feed_settings()) == []
    assert caplog.messages == ["left out: 3 changes of table 'orders'; this is the feed of 'study_test'"]


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Records": None}])
def test_empty_event_has_no_changes(event: dict[str, Any]) -> None:
    assert changes_of(event, feed_settings()) == []


def record_without(name: str) -> dict[str, Any]:
    incomplete = stream_record()
    del (incomplete if name in incomplete else incomplete["dynamodb"])[name]
    return incomplete


def record_with(**fields: Any) -> dict[str, Any]:
    record = stream_record()
    record["dynamodb"] |= fields
    return record


MALFORMED: list[Any] = [
    None,
    "text",
    {},
    *map(record_without, ("eventID", "eventName", "dynamodb", "eventSourceARN", "Keys", "ApproximateCreationDateTime")),
    {**stream_record(), "eventSourceARN": "nonsense"},
    {**stream_record(), "eventName": "TRUNCATE"},
    {**stream_record(), "eventID": 5},
    {**stream_record(), "eventID": ""},
    {**stream_record(), "eventID": "x" * 1000},
    {**stream_record(), "eventID": "\ud800"},
    record_with(ApproximateCreationDateTime="soon"),
    record_with(ApproximateCreationDateTime=-1),
    record_with(ApproximateCreationDateTime=1e15),
    record_with(ApproximateCreationDateTime=float("nan")),
    record_with(Keys="a"),
    record_with(NewImage=["a"]),
    record_with(NewImage={"idx": "untyped"}),
    record_with(NewImage={"n": {"N": 5}}),
    record_with(NewImage={"s": {"S": "\ud800"}}),
]


@pytest.mark.parametrize("malformed", MALFORMED, ids=repr)
def test_malformed_record_is_logged_once_and_the_rest_is_kept(malformed: Any, caplog: pytest.LogCaptureFixture) -> None:
    before, after = stream_record(), stream_record()
    with caplog.at_level(logging.ERROR, "tablecast"):
        changes = changes_of({"Records": [before, malformed, after]}, feed_settings())
    assert [change.id for change in changes] == [before["eventID"], after["eventID"]]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("left out: not a record of a DynamoDB stream")
