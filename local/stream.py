"""`python -m local.stream CHECKPOINT`: deliver the table's stream to `app.on_change` by Lambda's rules.

Records of a shard come in order, and a shard after its parent. A batch is repeated until it succeeds. An expired
iterator is replaced by one after the last record that was read. The file CHECKPOINT tells the next process where to
continue.
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
MAX_RECORDS = 1000  # The most that GetRecords takes.

Handler = Callable[[dict[str, Any]], object]
Checkpoint = dict[str, str]  # shard id -> sequence number of the last record that the handler accepted


@dataclass
class Shard:
    """`last_read`: sequence number of the last record that was read. `batch`: records that the handler has not
    accepted yet."""

    id: str
    parent: str | None
    last_read: str | None = None
    iterator: str | None = None
    batch: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False


class Delivery:
    """Deliver the stream `arn` to `handler`, which rejects a batch by raising. `streams`: a client for dynamodbstreams.

    `checkpoint`: where to continue; updated as batches are accepted.
    """

    def __init__(
        self, streams: Any, arn: str, handler: Handler, batch_size: int, checkpoint: Checkpoint | None = None
    ) -> None:
        self._streams = streams
        self._arn = arn
        self._handler = handler
        self._batch_size = min(batch_size, MAX_RECORDS)
        self._shards: dict[str, Shard] = {}
        self.checkpoint = {} if checkpoint is None else checkpoint

    def poll(self) -> int:
        """Offer the handler one batch of each shard that has one. Return the number of records that it accepted."""
        self._find_shards()
        return sum(self._deliver(shard) for shard in self._shards.values() if self._is_due(shard))

    def _is_due(self, shard: Shard) -> bool:
        parent = self._shards.get(shard.parent or "")
        return not shard.ended and (parent is None or parent.ended)

    def _find_shards(self) -> None:
        start: dict[str, str] = {}
        while True:
            description = self._call("describe_stream", StreamArn=self._arn, **start)["StreamDescription"]
            for shard in description["Shards"]:
                name = shard["ShardId"]
                self._shards.setdefault(name, Shard(name, shard.get("ParentShardId"), self.checkpoint.get(name)))
            if "LastEvaluatedShardId" not in description:
                return
            start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    def _deliver(self, shard: Shard) -> int:
        if not shard.batch and not self._read(shard):
            return 0
        try:
            self._handler({"Records": shard.batch})
        except Exception as error:
            print(f"on_change: {error!r}. The batch will be repeated.", file=sys.stderr, flush=True)
            return 0
        accepted, shard.batch = shard.batch, []
        self.checkpoint[shard.id] = accepted[-1]["dynamodb"]["SequenceNumber"]
        return len(accepted)

    def _read(self, shard: Shard) -> bool:
        """Read the next batch of the shard; return whether there is one."""
        try:
            iterator = shard.iterator or self._iterator(shard)
            answer = self._call("get_records", ShardIterator=iterator, Limit=self._batch_size)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("ExpiredIteratorException", "TrimmedDataAccessException"):
                raise
            shard.iterator = None
            if code == "TrimmedDataAccessException":
                shard.last_read = None  # Continue with the oldest record that is left.
            return False
        # Lambda adds the ARN to the records of GetRecords.
        shard.batch = [{**record, "eventSourceARN": self._arn} for record in answer["Records"]]
        if shard.batch:
            shard.last_read = shard.batch[-1]["dynamodb"]["SequenceNumber"]
        shard.iterator = answer.get("NextShardIterator")
        shard.ended = shard.iterator is None and not shard.batch
        return bool(shard.batch)

    def _iterator(self, shard: Shard) -> str:
        start: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard.last_read:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": shard.last_read}
        answer = self._call("get_shard_iterator", StreamArn=self._arn, ShardId=shard.id, **start)
        iterator: str = answer["ShardIterator"]
        return iterator

    def _call(self, method: str, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = orjson.loads(getattr(self._streams, method)(**request)["body"])
        return answer


def main() -> None:
    """Deliver the stream until interrupted."""
    import app

    (source,) = (source for source in app.app.event_sources if isinstance(source, DynamoDBEventConfig))
    context = LambdaContext("on_change", memory_size=512)
    file = pathlib.Path(sys.argv[1])
    delivery = Delivery(
        client("dynamodbstreams"),
        source.stream_arn,
        lambda event: app.on_change(event, context),
        source.batch_size,
        orjson.loads(file.read_bytes()) if file.exists() else None,
    )
    while True:
        try:
            accepted = delivery.poll()
        except (BotoCoreError, ClientError) as error:
            print(f"The stream: {error}. Trying again.", file=sys.stderr, flush=True)
            accepted = 0
        if accepted:
            file.write_bytes(orjson.dumps(delivery.checkpoint))
        else:
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
