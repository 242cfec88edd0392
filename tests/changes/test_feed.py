from __future__ import annotations

import base64
import itertools
import json
import os
import zlib
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib.changes import entries, writer
from chalicelib.changes.reader import Changes, FeedReader
from chalicelib.changes.writer import Contended, FeedWriter
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.endpoint import connect
from chalicelib.dynamodb.errors import DynamoDBError
from chalicelib.problems import Problem
from local import sample
from tests.changes.test_records import feed_settings, stream_record

COUNTER = itertools.count()
NOW = 1_800_000_000.5
DAY = 24 * 3600


@pytest.fixture(scope="module")
def client(dynamodb: Any) -> Any:
    dynamodb.create_table(**sample.feed_table("feed"))
    return connect(os.environ)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Feed:
    """The feed of a new table, with its writers and readers."""

    def __init__(self, client: Any, **environ: str) -> None:
        self.client = client
        self.settings = feed_settings(f"world-{next(COUNTER)}", **environ)
        self.clock = Clock()
        self.pauses: list[float] = []

    def new_writer(self, dynamodb: DynamoDB | None = None) -> FeedWriter:
        """Return the writer of a cold function."""
        return FeedWriter(self.settings, dynamodb or DynamoDB(self.client), self.clock, self.pauses.append)

    def reader(self, dynamodb: DynamoDB | None = None) -> FeedReader:
        return FeedReader(self.settings, dynamodb or DynamoDB(self.client), self.clock)

    def records(self, number: int, **fields: Any) -> list[dict[str, Any]]:
        created = int(self.clock.now)
        return [stream_record(table=self.settings.table_name, **{"created": created, **fields}) for _ in range(number)]

    def append(self, records: list[dict[str, Any]], feed_writer: FeedWriter | None = None) -> None:
        (feed_writer or self.new_writer()).append({"Records": records})

    def read(self, since: int, limit: int = 1000, dynamodb: DynamoDB | None = None) -> Changes:
        reader = self.reader(dynamodb)
        changes, _ = reader.read(since, limit, reader.head()[0])
        return changes

    def event_ids(self, since: int = 0) -> list[str]:
        return [change["id"] for change in self.read(since).changes]


@pytest.fixture
def feed(client: Any) -> Feed:
    return Feed(client)


def event_ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["eventID"] for record in records]


def flattened(batches: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [record for batch in batches for record in batch]


def test_changes_are_read_as_they_were_written(feed: Feed) -> None:
    first = feed.records(1, new={"mag": {"N": "5"}}, op="INSERT")
    second = feed.records(2)
    feed.append(first)
    feed.append(second)
    first_change, second_change, third_change = feed.read(0).changes
    assert first_change == {
        "id": first[0]["eventID"],
        "position": 1,
        "created": int(NOW),
        "op": "insert",
        "key": {"idx": {"S": "a"}},
        "new": {"idx": {"S": "a"}, "mag": {"N": "5"}},
    }
    assert [second_change["position"], third_change["position"]] == [2, 3]
    assert feed.read(1) == Changes([second_change, third_change], 3)
    assert feed.read(1, 1) == Changes([second_change], 2)
    assert feed.read(2) == Changes([third_change], 3)
    assert feed.read(3) == Changes([], 3)


def test_empty_feed_is_at_position_0(feed: Feed) -> None:
    assert feed.read(0) == Changes([], 0)
    feed.append([])
    assert feed.reader().head()[0] == entries.Head(0, None, 0.0)


def test_warm_writer_writes_without_reading(feed: Feed, calls: list[dict[str, Any]]) -> None:
    feed_writer = feed.new_writer()
    feed.append(feed.records(3), feed_writer)
    assert [call["operation"] for call in calls] == ["GetItem", "TransactWriteItems"]
    calls.clear()
    feed.clock.now += 1
    feed.append(feed.records(3), feed_writer)
    assert [call["operation"] for call in calls] == ["TransactWriteItems"]


def test_warm_writer_reads_only_entries_of_other_writers(feed: Feed, calls: list[dict[str, Any]]) -> None:
    this_writer, other_writer, other_records = feed.new_writer(), feed.new_writer(), feed.records(3)
    feed.append(feed.records(3), this_writer)
    feed.append(other_records, other_writer)
    calls.clear()
    feed.append(other_records + feed.records(1), this_writer)
    assert [call["operation"] for call in calls] == ["TransactWriteItems", "GetItem", "Query", "TransactWriteItems"]
    assert calls[2]["ExpressionAttributeValues"][":after"] == {"N": "3.0001"}
    assert len(feed.event_ids()) == 7


def test_concurrent_writers_read_before_they_write(feed: Feed, calls: list[dict[str, Any]]) -> None:
    feed_writers = [feed.new_writer(), feed.new_writer()]
    for turn in range(8):
        feed.append(feed.records(1), feed_writers[turn % 2])
    # Each writer is refused once. From then on it reads before it writes.
    assert [call["operation"] for call in calls].count("TransactWriteItems") == 8 + 2
    assert [call["operation"] for call in calls[-3:]] == ["GetItem", "Query", "TransactWriteItems"]
    calls.clear()
    for _ in range(3):
        feed.append(feed.records(1), feed_writers[0])
    assert [call["operation"] for call in calls] == [
        *("GetItem", "Query", "TransactWriteItems"),
        *("GetItem", "TransactWriteItems"),
        "TransactWriteItems",
    ]


def test_reader_requests_only_the_entries_that_fill_its_page(feed: Feed, calls: list[dict[str, Any]]) -> None:
    for _ in range(30):
        feed.append(feed.records(1))
    feed.append(feed.records(50))
    calls.clear()
    assert len(feed.read(0, 20).changes) == 20
    assert [call["Limit"] for call in calls if call["operation"] == "Query"] == [2, 8, 20]
    calls.clear()
    assert len(feed.read(30, 20).changes) == 20
    assert [call["Limit"] for call in calls if call["operation"] == "Query"] == [2]


def test_batch_repeated_after_a_day_is_found_in_few_reads(feed: Feed, calls: list[dict[str, Any]]) -> None:
    # A recreated event source starts at the stream's oldest record.
    batches = []
    for _ in range(40):
        batches.append(feed.records(2))
        feed.append(batches[-1])
        feed.clock.now += 1800
    calls.clear()
    feed.append(batches[3])
    reads = [call for call in calls if call["operation"] == "Query" and "Limit" not in call]
    assert len(reads) == 1
    assert len(calls) < 12
    assert feed.event_ids() == event_ids(flattened(batches))


def test_record_repeated_in_one_batch_is_one_change(feed: Feed) -> None:
    records = feed.records(2)
    feed.append(records + records[:1])
    assert feed.event_ids() == event_ids(records)


def test_batch_of_ten_thousand_records_is_written_once_and_read_in_pages(
    feed: Feed, calls: list[dict[str, Any]]
) -> None:
    records = feed.records(10_000, new={"text": {"S": "x" * 100}})
    feed.append(records)
    assert [call["operation"] for call in calls].count("TransactWriteItems") == 10
    feed.append(records)
    assert [call["operation"] for call in calls].count("TransactWriteItems") == 10
    position, seen = 0, []
    while position < 10_000:
        page = feed.read(position, 999)
        assert 0 < len(page.changes) <= 999
        seen += page.changes
        position = page.next_position
    assert [change["id"] for change in seen] == event_ids(records)
    assert [change["position"] for change in seen] == list(range(1, 10_001))


def test_change_with_two_images_of_400_kb_is_stored_whole(feed: Feed) -> None:
    # Random bytes do not compress.
    blobs = [base64.b64encode(os.urandom(390_000)).decode() for _ in range(4)]
    small = feed.records(2)
    big = [feed.records(1, old={"b": {"B": b}}, new={"b": {"B": a}})[0] for a, b in (blobs[:2], blobs[2:])]
    feed.append([small[0], *big, small[1]])
    # A cold function finds the repeated batch across DynamoDB's pages of 1 MB.
    feed.append([small[0], *big, small[1]])
    assert feed.reader().head()[0].position == 4
    assert feed.event_ids(0)[:1] == event_ids(small)[:1]
    changes = feed.read(1, 1).changes + feed.read(2, 1).changes
    assert [change["new"]["b"]["B"] for change in changes] == [blobs[0], blobs[2]]
    assert [change["old"]["b"]["B"] for change in changes] == [blobs[1], blobs[3]]
    # A page ends with the change that makes it large.
    assert [change["position"] for change in feed.read(0).changes] == [1, 2, 3]
    assert [change["position"] for change in feed.read(3).changes] == [4]


def test_memory_of_a_writer_is_bounded(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(writer, "REMEMBERED", 10)
    feed_writer, batches = feed.new_writer(), []
    for _ in range(12):
        batches.append(feed.records(2))
        feed.append(batches[-1], feed_writer)
        feed.clock.now += 1
        assert len(vars(feed_writer)["_memory"].created) <= 10
    for batch in batches:
        feed.append(batch, feed_writer)
    assert feed.event_ids() == event_ids(flattened(batches))


class Faulty(DynamoDB):
    """A DynamoDB whose responses pass through `alter`."""

    def __init__(self, client: Any, alter: Callable[[str, dict[str, Any], dict[str, Any]], None]) -> None:
        super().__init__(client)
        self.alter = alter

    def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        response, cost = super().call(operation, **request)
        self.alter(operation, request, response)
        return response, cost


def hiding_entry(feed: Feed, position: str, times: int) -> Faulty:
    """Return a DynamoDB whose first `times` queries lack the entry at `position`.

    The isolation of transactions allows that: a Query may not show yet what GetItem shows.
    """
    remaining = [times]

    def hide(operation: str, request: dict[str, Any], response: dict[str, Any]) -> None:
        if operation == "Query" and remaining[0]:
            remaining[0] -= 1
            response["Items"] = [item for item in response["Items"] if item["position"]["N"] != position]

    return Faulty(feed.client, hide)


@pytest.mark.parametrize(("hidden", "since", "seen"), [("2", 0, []), ("4", 0, [1, 2]), ("6", 2, [3, 4]), ("6", 4, [])])
def test_reader_waits_for_an_entry_that_is_not_visible_yet(
    feed: Feed, hidden: str, since: int, seen: list[int]
) -> None:
    for _ in range(3):
        feed.append(feed.records(2))
    page = feed.read(since, dynamodb=hiding_entry(feed, hidden, 1))
    assert [change["position"] for change in page.changes] == seen
    assert page.next_position == (seen or [since])[-1]
    assert [change["position"] for change in feed.read(page.next_position).changes] == list(
        range(page.next_position + 1, 7)
    )


@pytest.mark.parametrize("hidden", ["2", "4", "6"])
def test_writer_waits_for_an_entry_that_is_not_visible_yet(feed: Feed, hidden: str) -> None:
    batches = [feed.records(2) for _ in range(3)]
    for batch in batches:
        feed.append(batch)
    new_records = feed.records(1)
    # The search for the start reads first and may miss the entry too.
    for times in range(1, 5):
        feed.append(flattened(batches) + new_records, feed.new_writer(hiding_entry(feed, hidden, times)))
    assert feed.event_ids() == event_ids(flattened(batches) + new_records)


def test_position_before_the_oldest_change_is_a_410(feed: Feed) -> None:
    feed.append(feed.records(3))
    feed.clock.now += 6 * DAY
    feed.append(feed.records(2))
    assert len(feed.read(1).changes) == 4
    feed.clock.now += 2 * DAY
    # TTL deletes an expired entry within days. The response is the same before and after.
    for _ in range(2):
        with pytest.raises(Problem, match=r"_since is 1, but the oldest change that is kept is 4\. Read") as error:
            feed.read(1)
        assert error.value.status == 410
        assert [change["position"] for change in feed.read(3).changes] == [4, 5]
        assert [change["position"] for change in feed.read(0).changes] == [4, 5]
        boto3.client("dynamodb").delete_item(
            TableName="feed", Key={"feed": {"S": feed.settings.table_name}, "position": {"N": "3"}}
        )


def test_entries_expired_under_a_shorter_retention_are_skipped(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]
) -> None:
    feed.append(feed.records(3))
    feed.clock.now += 6 * DAY
    feed.append(feed.records(2))
    feed.clock.now += 2 * DAY
    # Under the longer retention the first entry is too new for the search to start after it.
    monkeypatch.setattr(entries, "RETENTION_SECONDS", 30 * DAY)
    calls.clear()
    assert [change["position"] for change in feed.read(0).changes] == [4, 5]
    assert len(calls) < 10


def test_feed_without_changes_beyond_its_retention_continues_at_its_position(feed: Feed) -> None:
    feed_writer = feed.new_writer()
    feed.append(feed.records(3), feed_writer)
    epoch = feed.reader().head()[0].epoch
    feed.clock.now += 30 * DAY
    with pytest.raises(Problem, match="_since is 2, but no change of that time is kept"):
        feed.read(2)
    assert feed.read(0) == Changes([], 3)
    assert feed.read(3) == Changes([], 3)
    boto3.client("dynamodb").delete_item(
        TableName="feed", Key={"feed": {"S": feed.settings.table_name}, "position": {"N": "3"}}
    )
    assert feed.read(0) == Changes([], 3)
    feed.append(feed.records(1))
    feed.append(feed.records(1), feed_writer)
    assert [change["position"] for change in feed.read(3).changes] == [4, 5]
    head, _ = feed.reader().head()
    assert (head.position, head.epoch) == (5, epoch)


def test_position_after_the_last_change_is_a_410(feed: Feed) -> None:
    feed.append(feed.records(3))
    with pytest.raises(Problem, match="_since is 4, but the last change of this feed is 3") as error:
        feed.read(4)
    assert error.value.status == 410


def test_writer_notices_a_recreated_feed(feed: Feed) -> None:
    feed_writer = feed.new_writer()
    feed.append(feed.records(2), feed_writer)
    for position in ("0", "2"):
        key = {"feed": {"S": feed.settings.table_name}, "position": {"N": position}}
        boto3.client("dynamodb").delete_item(TableName="feed", Key=key)
    # As many changes as before: the position of the head alone shows no difference.
    other_records, own_records = feed.records(2), feed.records(1)
    feed.append(other_records)
    feed.append(own_records, feed_writer)
    assert feed.event_ids() == event_ids(other_records + own_records)


def test_append_that_loses_every_attempt_fails(feed: Feed) -> None:
    other_writer = feed.new_writer()

    def write_first(operation: str, request: dict[str, Any], response: dict[str, Any]) -> None:
        if operation == "GetItem":
            feed.append(feed.records(1), other_writer)

    with pytest.raises(Contended, match="others moved the head of the feed 12 times; 2 changes are not filed"):
        feed.append(feed.records(2), feed.new_writer(Faulty(feed.client, write_first)))
    assert len(feed.pauses) == writer.ATTEMPTS - 1
    assert sum(feed.pauses) < writer.ATTEMPTS * writer.BACKOFF_SECONDS


def test_retryable_error_is_raised(feed: Feed) -> None:
    throttled = DynamoDBError("TransactionCanceledException", "", 400, ("None", "ThrottlingError"))

    class Throttled(DynamoDB):
        def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
            if operation == "TransactWriteItems":
                raise throttled
            return super().call(operation, **request)

    with pytest.raises(DynamoDBError, match="TransactionCanceledException"):
        feed.append(feed.records(1), feed.new_writer(Throttled(feed.client)))
    assert feed.read(0) == Changes([], 0)


def test_entry_has_an_expiry_time(feed: Feed, dynamodb: Any) -> None:
    feed.append(feed.records(1))
    values = {":feed": {"S": feed.settings.table_name}}
    head, entry = dynamodb.query(
        TableName="feed", KeyConditionExpression="feed = :feed", ExpressionAttributeValues=values
    )["Items"]
    assert "expires" not in head
    assert int(entry["expires"]["N"]) == int(NOW) + entries.RETENTION_SECONDS
    assert entries.RETENTION_SECONDS >= 25 * 3600
    assert json.loads(zlib.decompress(entry["changes"]["B"]))[0]["op"] == "modify"
