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


class World:
    """The feed of a new table, and functions that write to it and read it."""

    def __init__(self, client: Any, **environ: str) -> None:
        self.client = client
        self.settings = feed_settings(f"world-{next(COUNTER)}", **environ)
        self.clock = Clock()
        self.slept: list[float] = []

    def function(self, dynamodb: DynamoDB | None = None) -> FeedWriter:
        """A cold function."""
        return FeedWriter(self.settings, dynamodb or DynamoDB(self.client), self.clock, self.slept.append)

    def reader(self, dynamodb: DynamoDB | None = None) -> FeedReader:
        return FeedReader(self.settings, dynamodb or DynamoDB(self.client), self.clock)

    def records(self, number: int, **made: Any) -> list[dict[str, Any]]:
        created = int(self.clock.now)
        return [stream_record(table=self.settings.table_name, **{"created": created, **made}) for _ in range(number)]

    def append(self, records: list[dict[str, Any]], function: FeedWriter | None = None) -> None:
        (function or self.function()).append({"Records": records})

    def read(self, since: int, limit: int = 1000, dynamodb: DynamoDB | None = None) -> Changes:
        reader = self.reader(dynamodb)
        changes, _ = reader.read(since, limit, reader.head()[0])
        return changes

    def ids(self, since: int = 0) -> list[str]:
        return [change["id"] for change in self.read(since).changes]


@pytest.fixture
def world(client: Any) -> World:
    return World(client)


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [one["eventID"] for one in records]


def joined(batches: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [one for batch in batches for one in batch]


def test_changes_come_back_as_they_went_in(world: World) -> None:
    first = world.records(1, new={"mag": {"N": "5"}}, op="INSERT")
    second = world.records(2)
    world.append(first)
    world.append(second)
    one, two, three = world.read(0).changes
    assert one == {
        "id": first[0]["eventID"],
        "position": 1,
        "created": int(NOW),
        "op": "insert",
        "key": {"idx": {"S": "a"}},
        "new": {"idx": {"S": "a"}, "mag": {"N": "5"}},
    }
    assert [two["position"], three["position"]] == [2, 3]
    assert world.read(1) == Changes([two, three], 3)
    assert world.read(1, 1) == Changes([two], 2)
    assert world.read(2) == Changes([three], 3)
    assert world.read(3) == Changes([], 3)


def test_a_feed_that_nothing_came_to_is_at_0(world: World) -> None:
    assert world.read(0) == Changes([], 0)
    world.append([])
    assert world.reader().head()[0] == entries.Head(0, None, 0.0)


def test_a_warm_function_writes_without_a_read(world: World, calls: list[dict[str, Any]]) -> None:
    function = world.function()
    world.append(world.records(3), function)
    assert [call["operation"] for call in calls] == ["GetItem", "TransactWriteItems"]
    calls.clear()
    world.clock.now += 1
    world.append(world.records(3), function)
    assert [call["operation"] for call in calls] == ["TransactWriteItems"]


def test_a_warm_function_reads_only_what_others_wrote(world: World, calls: list[dict[str, Any]]) -> None:
    one, two, theirs = world.function(), world.function(), world.records(3)
    world.append(world.records(3), one)
    world.append(theirs, two)
    calls.clear()
    world.append(theirs + world.records(1), one)
    assert [call["operation"] for call in calls] == ["TransactWriteItems", "GetItem", "Query", "TransactWriteItems"]
    assert calls[2]["ExpressionAttributeValues"][":after"] == {"N": "3.0001"}
    assert len(world.ids()) == 7


def test_functions_that_write_side_by_side_look_before_they_write(world: World, calls: list[dict[str, Any]]) -> None:
    functions = [world.function(), world.function()]
    for turn in range(8):
        world.append(world.records(1), functions[turn % 2])
    # Each is refused once, and then knows that it is not alone.
    assert [call["operation"] for call in calls].count("TransactWriteItems") == 8 + 2
    assert [call["operation"] for call in calls[-3:]] == ["GetItem", "Query", "TransactWriteItems"]
    calls.clear()
    for _ in range(3):
        world.append(world.records(1), functions[0])
    assert [call["operation"] for call in calls] == [
        *("GetItem", "Query", "TransactWriteItems"),
        *("GetItem", "TransactWriteItems"),
        "TransactWriteItems",
    ]


def test_a_reader_asks_for_no_more_entries_than_it_takes_to_fill_its_answer(
    world: World, calls: list[dict[str, Any]]
) -> None:
    for _ in range(30):
        world.append(world.records(1))
    world.append(world.records(50))
    calls.clear()
    assert len(world.read(0, 20).changes) == 20
    assert [call["Limit"] for call in calls if call["operation"] == "Query"] == [2, 8, 20]
    calls.clear()
    assert len(world.read(30, 20).changes) == 20
    assert [call["Limit"] for call in calls if call["operation"] == "Query"] == [2]


def test_what_comes_again_after_a_day_is_found_without_reading_the_day(
    world: World, calls: list[dict[str, Any]]
) -> None:
    # As when the event source is created again, from the stream's oldest record.
    batches = []
    for _ in range(40):
        batches.append(world.records(2))
        world.append(batches[-1])
        world.clock.now += 1800
    calls.clear()
    world.append(batches[3])
    reads = [call for call in calls if call["operation"] == "Query" and "Limit" not in call]
    assert len(reads) == 1
    assert len(calls) < 12
    assert world.ids() == ids(joined(batches))


def test_a_record_twice_in_one_batch_is_one_change(world: World) -> None:
    records = world.records(2)
    world.append(records + records[:1])
    assert world.ids() == ids(records)


def test_ten_thousand_records_in_a_batch(world: World, calls: list[dict[str, Any]]) -> None:
    records = world.records(10_000, new={"text": {"S": "x" * 100}})
    world.append(records)
    assert [call["operation"] for call in calls].count("TransactWriteItems") == 10
    world.append(records)
    assert [call["operation"] for call in calls].count("TransactWriteItems") == 10
    following, seen = 0, []
    while following < 10_000:
        page = world.read(following, 999)
        assert 0 < len(page.changes) <= 999
        seen += page.changes
        following = page.next_position
    assert [change["id"] for change in seen] == ids(records)
    assert [change["position"] for change in seen] == list(range(1, 10_001))


def test_a_change_of_two_images_of_400_kb_is_kept_whole(world: World) -> None:
    # Random bytes, which no compression makes smaller.
    blobs = [base64.b64encode(os.urandom(390_000)).decode() for _ in range(4)]
    small = world.records(2)
    big = [world.records(1, old={"b": {"B": b}}, new={"b": {"B": a}})[0] for a, b in (blobs[:2], blobs[2:])]
    world.append([small[0], *big, small[1]])
    # Delivered again, to a cold function, it is found across DynamoDB's pages of 1 MB.
    world.append([small[0], *big, small[1]])
    assert world.reader().head()[0].position == 4
    assert world.ids(0)[:1] == ids(small)[:1]
    changes = world.read(1, 1).changes + world.read(2, 1).changes
    assert [change["new"]["b"]["B"] for change in changes] == [blobs[0], blobs[2]]
    assert [change["old"]["b"]["B"] for change in changes] == [blobs[1], blobs[3]]
    # A read ends with what makes it large.
    assert [change["position"] for change in world.read(0).changes] == [1, 2, 3]
    assert [change["position"] for change in world.read(3).changes] == [4]


def test_a_function_forgets_the_oldest_it_remembers(
    world: World, monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(writer, "REMEMBERED", 10)
    function, batches = world.function(), []
    for _ in range(12):
        batches.append(world.records(2))
        world.append(batches[-1], function)
        world.clock.now += 1
        assert len(vars(function)["_memory"].created) <= 10
    for batch in batches:
        world.append(batch, function)
    assert world.ids() == ids(joined(batches))


class Faulty(DynamoDB):
    """A DynamoDB whose answers `change` sees first."""

    def __init__(self, client: Any, change: Callable[[str, dict[str, Any], dict[str, Any]], None]) -> None:
        super().__init__(client)
        self.change = change

    def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        answer, cost = super().call(operation, **request)
        self.change(operation, request, answer)
        return answer, cost


def hiding(world: World, position: str, times: int) -> Faulty:
    """What a transaction's isolation allows: a Query that does not show yet what GetItem does."""
    left = [times]

    def hide(operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if operation == "Query" and left[0]:
            left[0] -= 1
            answer["Items"] = [item for item in answer["Items"] if item["position"]["N"] != position]

    return Faulty(world.client, hide)


@pytest.mark.parametrize(("hidden", "since", "seen"), [("2", 0, []), ("4", 0, [1, 2]), ("6", 2, [3, 4]), ("6", 4, [])])
def test_a_reader_waits_for_what_cannot_be_seen_yet(world: World, hidden: str, since: int, seen: list[int]) -> None:
    for _ in range(3):
        world.append(world.records(2))
    page = world.read(since, dynamodb=hiding(world, hidden, 1))
    assert [change["position"] for change in page.changes] == seen
    assert page.next_position == (seen or [since])[-1]
    assert [change["position"] for change in world.read(page.next_position).changes] == list(
        range(page.next_position + 1, 7)
    )


@pytest.mark.parametrize("hidden", ["2", "4", "6"])
def test_a_writer_waits_for_what_cannot_be_seen_yet(world: World, hidden: str) -> None:
    batches = [world.records(2) for _ in range(3)]
    for batch in batches:
        world.append(batch)
    more = world.records(1)
    # The search for the start reads first, and can be misled too.
    for times in range(1, 5):
        world.append(joined(batches) + more, world.function(hiding(world, hidden, times)))
    assert world.ids() == ids(joined(batches) + more)


def test_a_reader_behind_the_oldest_entry_is_told_so(world: World) -> None:
    world.append(world.records(3))
    world.clock.now += 6 * DAY
    world.append(world.records(2))
    assert len(world.read(1).changes) == 4
    world.clock.now += 2 * DAY
    # Whether TTL has come to delete what has expired, within days, makes no difference.
    for _ in range(2):
        with pytest.raises(Problem, match=r"_since is 1, but the oldest change that is kept is 4\. Read") as gone:
            world.read(1)
        assert gone.value.status == 410
        assert [change["position"] for change in world.read(3).changes] == [4, 5]
        assert [change["position"] for change in world.read(0).changes] == [4, 5]
        boto3.client("dynamodb").delete_item(
            TableName="feed", Key={"feed": {"S": world.settings.table_name}, "position": {"N": "3"}}
        )


def test_entries_that_expired_under_a_shorter_retention_are_skipped(
    world: World, monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]
) -> None:
    world.append(world.records(3))
    world.clock.now += 6 * DAY
    world.append(world.records(2))
    world.clock.now += 2 * DAY
    # By the longer retention the first entry is not old enough to start after it.
    monkeypatch.setattr(entries, "RETENTION_SECONDS", 30 * DAY)
    calls.clear()
    assert [change["position"] for change in world.read(0).changes] == [4, 5]
    assert len(calls) < 10


def test_a_feed_that_was_quiet_for_longer_than_it_keeps_goes_on_where_it_was(world: World) -> None:
    function = world.function()
    world.append(world.records(3), function)
    epoch = world.reader().head()[0].epoch
    world.clock.now += 30 * DAY
    with pytest.raises(Problem, match="_since is 2, but no change of that time is kept"):
        world.read(2)
    assert world.read(0) == Changes([], 3)
    assert world.read(3) == Changes([], 3)
    boto3.client("dynamodb").delete_item(
        TableName="feed", Key={"feed": {"S": world.settings.table_name}, "position": {"N": "3"}}
    )
    assert world.read(0) == Changes([], 3)
    world.append(world.records(1))
    world.append(world.records(1), function)
    assert [change["position"] for change in world.read(3).changes] == [4, 5]
    head, _ = world.reader().head()
    assert (head.position, head.epoch) == (5, epoch)


def test_a_position_that_was_never_given_is_gone_too(world: World) -> None:
    world.append(world.records(3))
    with pytest.raises(Problem, match="_since is 4, but the last change of this feed is 3") as gone:
        world.read(4)
    assert gone.value.status == 410


def test_a_function_notices_that_the_feed_was_made_again(world: World) -> None:
    function = world.function()
    world.append(world.records(2), function)
    for position in ("0", "2"):
        key = {"feed": {"S": world.settings.table_name}, "position": {"N": position}}
        boto3.client("dynamodb").delete_item(TableName="feed", Key=key)
    # As many as before, so that the head alone would not tell.
    others, own = world.records(2), world.records(1)
    world.append(others)
    world.append(own, function)
    assert world.ids() == ids(others + own)


def test_an_append_gives_up_where_others_always_come_first(world: World) -> None:
    other = world.function()

    def first(operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if operation == "GetItem":
            world.append(world.records(1), other)

    with pytest.raises(Contended, match="others moved the head of the feed 12 times; 2 changes are not filed"):
        world.append(world.records(2), world.function(Faulty(world.client, first)))
    assert len(world.slept) == writer.ATTEMPTS - 1
    assert sum(world.slept) < writer.ATTEMPTS * writer.BACKOFF_SECONDS


def test_what_a_retry_can_mend_is_raised(world: World) -> None:
    throttled = DynamoDBError("TransactionCanceledException", "", 400, ("None", "ThrottlingError"))

    class Throttled(DynamoDB):
        def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
            if operation == "TransactWriteItems":
                raise throttled
            return super().call(operation, **request)

    with pytest.raises(DynamoDBError, match="TransactionCanceledException"):
        world.append(world.records(1), world.function(Throttled(world.client)))
    assert world.read(0) == Changes([], 0)


def test_an_entry_says_when_it_may_go(world: World, dynamodb: Any) -> None:
    world.append(world.records(1))
    mine = {":feed": {"S": world.settings.table_name}}
    head, entry = dynamodb.query(
        TableName="feed", KeyConditionExpression="feed = :feed", ExpressionAttributeValues=mine
    )["Items"]
    assert "expires" not in head
    assert int(entry["expires"]["N"]) == int(NOW) + entries.RETENTION_SECONDS
    assert entries.RETENTION_SECONDS >= 25 * 3600
    assert json.loads(zlib.decompress(entry["changes"]["B"]))[0]["op"] == "modify"
