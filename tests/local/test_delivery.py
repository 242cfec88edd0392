"""local/stream.py delivers by Lambda's rules. The records are of a real stream. The tests simulate several shards, and
iterators that expire: the embedded AWS has neither."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError

from chalicelib.dynamodb.botocore_transport import client
from local import sample
from local.stream import Delivery
from tests.conftest import put_items

COUNTER = itertools.count()


class Table:
    def __init__(self, dynamodb: Any) -> None:
        self.dynamodb, self.name = dynamodb, f"stream-{next(COUNTER)}"
        made = dynamodb.create_table(**{**sample.TABLE, "TableName": self.name})["TableDescription"]
        self.arn = made["LatestStreamArn"]
        self.streams = client("dynamodbstreams")

    def put(self, *names: str) -> None:
        put_items(self.dynamodb, self.name, [{"idx": {"S": name}, "mag": {"N": "1"}} for name in names])


@pytest.fixture
def table(dynamodb: Any) -> Table:
    return Table(dynamodb)


class Handler:
    """Records the events that it receives, and fails `failures` times."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.records: list[dict[str, Any]] = []
        self.failures = 0

    def __call__(self, event: dict[str, Any]) -> None:
        self.batches.append([record["dynamodb"]["Keys"]["idx"]["S"] for record in event["Records"]])
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not now")
        self.records += event["Records"]

    @property
    def names(self) -> list[str]:
        return [record["dynamodb"]["Keys"]["idx"]["S"] for record in self.records]


class Wrapper:
    """A stream's client; subclasses replace some of its calls."""

    def __init__(self, streams: Any) -> None:
        self.streams = streams

    def __getattr__(self, name: str) -> Any:
        return getattr(self.streams, name)


def test_records_come_in_order_and_in_lambdas_format(table: Table) -> None:
    handler = Handler()
    delivery = Delivery(table.streams, table.arn, handler, 2)
    assert delivery.poll() == 0
    table.put("a", "b", "c")
    assert [delivery.poll() for _ in range(3)] == [2, 1, 0]
    assert handler.batches == [["a", "b"], ["c"]]
    record = handler.records[0]
    assert record["eventSourceARN"] == table.arn
    assert record["eventName"] == "INSERT"
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], int | float)
    assert record["dynamodb"]["NewImage"] == {"idx": {"S": "a"}, "mag": {"N": "1"}}


def test_failed_batch_is_repeated_until_accepted(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    handler = Handler()
    delivery = Delivery(table.streams, table.arn, handler, 2)
    table.put("a", "b", "c")
    handler.failures = 2
    assert [delivery.poll() for _ in range(4)] == [0, 0, 2, 1]
    assert handler.batches == [["a", "b"], ["a", "b"], ["a", "b"], ["c"]]
    assert "on_change: RuntimeError('not now'). The batch will be repeated." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "batches"),
    [
        ("ExpiredIteratorException", [["a"], ["b", "c"]]),
        # A trimmed stream is continued from the oldest record that is left.
        ("TrimmedDataAccessException", [["a"], ["a", "b", "c"]]),
    ],
)
def test_invalid_iterator_is_replaced(table: Table, code: str, batches: list[list[str]]) -> None:
    class Expiring(Wrapper):
        expired = False

        def get_records(self, **request: Any) -> Any:
            if self.expired:
                self.expired = False
                raise ClientError({"Error": {"Code": code}}, "GetRecords")
            return self.streams.get_records(**request)

    handler, streams = Handler(), Expiring(table.streams)
    delivery = Delivery(streams, table.arn, handler, 10)
    table.put("a")
    delivery.poll()
    table.put("b", "c")
    streams.expired = True
    assert delivery.poll() == 0
    assert delivery.poll() == len(batches[1])
    assert handler.batches == batches


def test_next_delivery_continues_after_the_checkpoint(table: Table) -> None:
    handler = Handler()
    first = Delivery(table.streams, table.arn, handler, 2)
    table.put("a", "b", "c", "d")
    first.poll()
    handler.failures = 1
    first.poll()
    second = Delivery(table.streams, table.arn, handler, 2, orjson.loads(orjson.dumps(first.checkpoint)))
    second.poll()
    table.put("e")
    second.poll()
    assert handler.batches == [["a", "b"], ["c", "d"], ["c", "d"], ["e"]]


def test_other_error_is_raised(table: Table) -> None:
    delivery = Delivery(table.streams, table.arn.replace(table.name, "none"), Handler(), 10)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        delivery.poll()

    class Denied(Wrapper):
        def get_records(self, **request: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetRecords")

    with pytest.raises(ClientError, match="AccessDenied"):
        Delivery(Denied(table.streams), table.arn, Handler(), 10).poll()


# Shards with their parents, and the first characters of the keys of their records.
SHARDS = (("low", "parent"), ("high", "parent"), ("orphan", "trimmed"), ("parent", None))
KEYS_OF = {"parent": "abc", "low": "defghijklm", "high": "nopqrstuvwxyz", "orphan": "0123456789"}


class Sharded(Wrapper):
    """The stream's only shard as four: a parent, the two that it was split into, and one whose parent was trimmed."""

    def answer(self, body: dict[str, Any]) -> dict[str, bytes]:
        return {"body": orjson.dumps(body)}

    def describe_stream(self, ExclusiveStartShardId: str | None = None, **request: Any) -> Any:
        names = [name for name, _ in SHARDS]
        start = names.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId else 0
        page = [
            {"ShardId": name, **({"ParentShardId": parent} if parent else {})}
            for name, parent in SHARDS[start : start + 2]
        ]
        last = {"LastEvaluatedShardId": page[-1]["ShardId"]} if start + 2 < len(names) else {}
        return self.answer({"StreamDescription": {"Shards": page, **last}})

    def get_shard_iterator(self, ShardId: str, SequenceNumber: str = "", **request: Any) -> Any:
        return self.answer({"ShardIterator": f"{ShardId}/{SequenceNumber}"})

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        shard, after = ShardIterator.split("/")
        request = {"StreamArn": self.arn, "ShardId": self.real, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = orjson.loads(self.streams.get_shard_iterator(**request)["body"])["ShardIterator"]
        records = orjson.loads(self.streams.get_records(ShardIterator=iterator)["body"])["Records"]
        mine = [
            record
            for record in records
            if record["dynamodb"]["Keys"]["idx"]["S"][0] in KEYS_OF[shard]
            and record["dynamodb"]["SequenceNumber"] > after
        ][:Limit]
        last = mine[-1]["dynamodb"]["SequenceNumber"] if mine else after
        # The parent is closed: after its last record there is no iterator.
        ended = shard == "parent" and len(mine) < Limit
        return self.answer({"Records": mine, **({} if ended else {"NextShardIterator": f"{shard}/{last}"})})

    def __init__(self, table: Table) -> None:
        super().__init__(table.streams)
        self.arn = table.arn
        described = orjson.loads(table.streams.describe_stream(StreamArn=table.arn)["body"])
        self.real = described["StreamDescription"]["Shards"][0]["ShardId"]


def test_shard_is_delivered_after_its_parent_and_in_order(table: Table) -> None:
    handler = Handler()
    table.put("d1", "n1", "a1", "01", "b1", "n2", "c1", "d2", "a2", "02")
    delivery = Delivery(Sharded(table), table.arn, handler, 2)
    handler.failures = 3
    for _ in range(12):
        delivery.poll()
    names = handler.names
    assert sorted(names) == sorted(["d1", "n1", "a1", "01", "b1", "n2", "c1", "d2", "a2", "02"])
    for shard in KEYS_OF.values():
        mine = [name for name in names if name[0] in shard]
        assert mine == [name for name in ["d1", "n1", "a1", "01", "b1", "n2", "c1", "d2", "a2", "02"] if name in mine]
    assert max(map(names.index, ("a1", "b1", "c1", "a2"))) < min(map(names.index, ("d1", "d2", "n1", "n2")))


def test_closed_stream_is_delivered_to_its_end(table: Table) -> None:
    handler = Handler()
    table.put("a", "b", "c")
    table.dynamodb.update_table(TableName=table.name, StreamSpecification={"StreamEnabled": False})
    delivery = Delivery(table.streams, table.arn, handler, 2)
    for _ in range(5):
        delivery.poll()
    assert handler.batches == [["a", "b"], ["c"]]
