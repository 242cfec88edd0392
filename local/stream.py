"""`python -m local.stream CHECKPOINT`: delivers the table's stream to `app.on_change` by the rules Lambda has for it.

The shards' records come in order, a shard after its parent, and the same batch again until it succeeds. An iterator
that has expired is made again behind the last record that was read. CHECKPOINT, a file, tells the next process where to
go on.
"""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import DynamoDBEventConfig
from chalice.local import LambdaContext

from chalicelib.dynamodb.botocore_transport import client

POLL_SECONDS = 0.2
MOST_OF_A_READ = 1000  # GetRecords'

Handler = Callable[[dict[str, Any]], object]


@dataclass
class Shard:
    """`batch`: read and not yet taken. `after`: the sequence number of the last record that was read."""

    id: str
    parent: str | None
    iterator: str | None = None
    after: str | None = None
    batch: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False


class Delivery:
    """The stream `arn`, on its way to `handler`. `streams`: a client as `connect` makes it. `taken`: the sequence
    number of the last record of each shard that was taken, before now and from now on."""

    def __init__(
        self, streams: Any, arn: str, handler: Handler, batch_size: int, taken: dict[str, str] | None = None
    ) -> None:
        self._streams = streams
        self._arn = arn
        self._handler = handler
        self._batch_size = min(batch_size, MOST_OF_A_READ)
        self._shards: dict[str, Shard] = {}
        self.taken = {} if taken is None else taken

    def turn(self) -> int:
        """Offers a batch of each shard that has one; how many records were taken."""
        self._look_for_shards()
        return sum(self._turn_of(shard) for shard in self._shards.values() if not shard.ended and self._may(shard))

    def _may(self, shard: Shard) -> bool:
        parent = self._shards.get(shard.parent or "")
        return parent is None or parent.ended

    def _look_for_shards(self) -> None:
        start: dict[str, str] = {}
        while True:
            described = self._call("describe_stream", StreamArn=self._arn, **start)["StreamDescription"]
            for shard in described["Shards"]:
                name = shard["ShardId"]
                self._shards.setdefault(name, Shard(name, shard.get("ParentShardId"), after=self.taken.get(name)))
            if "LastEvaluatedShardId" not in described:
                return
            start = {"ExclusiveStartShardId": described["LastEvaluatedShardId"]}

    def _turn_of(self, shard: Shard) -> int:
        if not shard.batch and not self._read(shard):
            return 0
        try:
            self._handler({"Records": shard.batch})
        except Exception as error:
            print(f"on_change: {error!r}: the same batch again in a moment", file=sys.stderr, flush=True)
            return 0
        taken, shard.batch = shard.batch, []
        self.taken[shard.id] = taken[-1]["dynamodb"]["SequenceNumber"]
        return len(taken)

    def _read(self, shard: Shard) -> bool:
        """Reads the next batch; whether there is one."""
        try:
            iterator = shard.iterator or self._iterator(shard)
            answer = self._call("get_records", ShardIterator=iterator, Limit=self._batch_size)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("ExpiredIteratorException", "TrimmedDataAccessException"):
                raise
            shard.iterator = None
            if code == "TrimmedDataAccessException":
                shard.after = None  # The oldest that is left is the next.
            return False
        # What Lambda adds to a record of GetRecords.
        shard.batch = [{**record, "eventSourceARN": self._arn} for record in answer["Records"]]
        if shard.batch:
            shard.after = shard.batch[-1]["dynamodb"]["SequenceNumber"]
        shard.iterator = answer.get("NextShardIterator")
        shard.ended = shard.iterator is None and not shard.batch
        return bool(shard.batch)

    def _iterator(self, shard: Shard) -> str:
        where: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard.after:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": shard.after}
        iterator: str = self._call("get_shard_iterator", StreamArn=self._arn, ShardId=shard.id, **where)[
            "ShardIterator"
        ]
        return iterator

    def _call(self, method: str, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = orjson.loads(getattr(self._streams, method)(**request)["body"])
        return answer


def main() -> None:
    import app

    (source,) = (one for one in app.app.event_sources if isinstance(one, DynamoDBEventConfig))
    context = LambdaContext("on_change", memory_size=512)
    checkpoint = pathlib.Path(sys.argv[1])
    delivery = Delivery(
        client("dynamodbstreams"),
        source.stream_arn,
        lambda event: app.on_change(event, context),
        source.batch_size,
        orjson.loads(checkpoint.read_bytes()) if checkpoint.exists() else None,
    )
    while True:
        try:
            taken = delivery.turn()
        except (BotoCoreError, ClientError) as error:
            print(f"the stream: {error}: once more in a moment", file=sys.stderr, flush=True)
            taken = 0
        if taken:
            checkpoint.write_bytes(orjson.dumps(delivery.taken))
        else:
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
