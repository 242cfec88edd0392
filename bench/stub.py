"""A DynamoDB that answers at once: canned bytes over HTTP, from a process of its own. `python -m bench.stub PORT`."""

from __future__ import annotations

import asyncio
import sys
import zlib
from typing import Any

import orjson

from chalicelib.wire import TypedItem
from local import sample

PAGE_BYTES = 1_000_000
FEED_TABLE = "feed"
STREAM_ARN = f"arn:aws:dynamodb:us-east-1:123456789012:table/{sample.TABLE['TableName']}/stream/bench"


def items(size: int) -> list[TypedItem]:
    """Quakes, again and again under other keys, of `size` bytes of DynamoDB's JSON."""
    quakes = sample.items()
    repeated: list[TypedItem] = []
    while size > 0:
        quake = quakes[len(repeated) % len(quakes)]
        item = {**quake, "idx": {"S": f"{quake['idx']['S']}-{len(repeated)}"}}
        size -= len(orjson.dumps(item))
        repeated.append(item)
    return repeated


def bodies() -> dict[str, bytes]:
    """Operation, with the feed's table where it is of that -> the body of its answer."""
    page = items(PAGE_BYTES)
    consumed = {"TableName": sample.TABLE["TableName"], "CapacityUnits": 128.0}
    answers: dict[str, dict[str, Any]] = {
        "DescribeTable": {"Table": {**sample.TABLE, "TableStatus": "ACTIVE"}},
        "GetItem": {"Item": page[0], "ConsumedCapacity": {**consumed, "CapacityUnits": 0.5}},
        # The head of a feed that nothing has come to yet.
        f"GetItem {FEED_TABLE}": {"ConsumedCapacity": {"TableName": FEED_TABLE, "CapacityUnits": 1.0}},
        "TransactWriteItems": {},
        "Scan": {
            "Items": page,
            "Count": len(page),
            "ScannedCount": len(page),
            "LastEvaluatedKey": {"idx": page[-1]["idx"]},
            "ConsumedCapacity": consumed,
        },
    }
    return {operation: orjson.dumps(answer) for operation, answer in answers.items()}


class Connection(asyncio.Protocol):
    """HTTP/1.1 with as little as it takes: a request is done with when its Content-Length has come."""

    answers: dict[bytes, bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(body) >= int(fields[b"content-length"]):
            self.received = b""
            operation = fields[b"x-amz-target"].partition(b".")[2]
            # Head and body in one write: two would wait for a delayed ACK.
            of_feed = operation + b" " + FEED_TABLE.encode() if f'"{FEED_TABLE}"'.encode() in body else operation
            self.transport.write(self.answers.get(of_feed, self.answers[operation]))  # type: ignore[attr-defined]


async def serve(port: int) -> None:
    Connection.answers = {
        operation.lower().encode(): b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n%s" % (zlib.crc32(body), len(body), body)
        for operation, body in bodies().items()
    }
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
