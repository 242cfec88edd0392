"""A DynamoDB that answers at once, over HTTP and from a process of its own: `python -m bench.stub PORT [URL]`.

Every read of a table is of the same page of quakes: its first items, as many as Limit says, or what a filter leaves of
a megabyte. With URL, the answers are those of the DynamoDB there, each asked for once and kept, so that its own time is
no part of what is measured. GET tells what has been taken since the last GET.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import orjson

from bench.units import item_size, read_units, write_units
from chalicelib.dynamodb.items import TypedItem
from local import sample

PAGE_BYTES = 1_000_000
TABLE = sample.TABLE["TableName"]
FEED_TABLE = "feed"

# What a filter leaves of each megabyte that is read for it.
FILTERED_PAGE = 20
FILTER = ("status", "reviewed")


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


@functools.cache
def page() -> list[TypedItem]:
    return items(PAGE_BYTES)


@functools.cache
def filtered() -> list[TypedItem]:
    name, value = FILTER
    return [item for item in page() if item[name] == {"S": value}]


@dataclass
class Taken:
    """What requests took: `read_bytes` of answers, and units as DynamoDB counts them."""

    calls: int = 0
    read_bytes: int = 0
    read_units: float = 0.0
    write_units: int = 0


@functools.cache
def scanned(limit: int, matching: bool, start: str | None, consistent: bool, told: bool) -> tuple[bytes, float]:
    """The body of the answer to a Scan, and its read units. `told`: whether it tells what it consumed."""
    if matching:
        keys = [item["idx"]["S"] for item in filtered()]
        first = keys.index(start) + 1 if start in keys else 0
        found, size = filtered()[first : first + FILTERED_PAGE], 2**20
    else:
        found = page()[:limit]
        size = sum(map(item_size, found))
    units = read_units(size, consistent)
    answer = {
        "Items": found,
        "Count": len(found),
        "ScannedCount": len(page()) if matching else len(found),
        "LastEvaluatedKey": {"idx": found[-1]["idx"]},
        **_consumed(TABLE, units, told),
    }
    return orjson.dumps(answer), units


def _consumed(table: str, units: float, told: bool) -> dict[str, Any]:
    return {"ConsumedCapacity": {"TableName": table, "CapacityUnits": units}} if told else {}


def answered(operation: str, request: Mapping[str, Any], taken: Taken) -> bytes:
    """The body of the answer; adds to `taken` what it took."""
    told = "ReturnConsumedCapacity" in request
    consistent = request.get("ConsistentRead", False)
    taken.calls += 1
    match operation:
        case "DescribeTable":
            body = orjson.dumps({"Table": {**sample.TABLE, "TableStatus": "ACTIVE"}})
        case "GetItem":
            # The feed's head is not there: nothing has come to it yet.
            item = {} if request["TableName"] == FEED_TABLE else {"Item": page()[0]}
            units = read_units(item_size(item.get("Item", {})), consistent)
            taken.read_units += units
            body = orjson.dumps({**item, **_consumed(request["TableName"], units, told)})
        case "Scan":
            start = request.get("ExclusiveStartKey", {}).get("idx", {}).get("S")
            matching = "FilterExpression" in request
            body, units = scanned(request.get("Limit", sys.maxsize), matching, start, consistent, told)
            taken.read_units += units
        case "TransactWriteItems":
            taken.write_units += write_units([one["Put"]["Item"] for one in request["TransactItems"]], True)
            body = b"{}"
        case "BatchWriteItem":
            put = [one["PutRequest"]["Item"] for table in request["RequestItems"].values() for one in table]
            taken.write_units += write_units(put)
            body = b'{"UnprocessedItems":{}}'
        case _:
            raise ValueError(f"the stub knows no {operation}")
    taken.read_bytes += len(body)
    return body


@functools.cache
def forwarded(url: str, operation: str, sent: bytes) -> tuple[bytes, float]:
    """The body of the answer of the DynamoDB at `url`, and the read units of the items in it."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
    with urllib.request.urlopen(urllib.request.Request(url, sent, headers)) as response:
        body = response.read()
    answer = orjson.loads(body)
    if "Table" in answer:
        return body, 0.0
    size = sum(map(item_size, answer.get("Items", [answer.get("Item", {})])))
    return body, read_units(size, orjson.loads(sent).get("ConsistentRead", False))


class Connection(asyncio.Protocol):
    """HTTP/1.1 with as little as it takes: a request is done with when its Content-Length has come."""

    url: str | None = None
    taken = Taken()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        fields = {name.lower(): value.strip() for name, _, value in lines}
        if len(body) < int(fields.get(b"content-length", 0)):
            return
        self.received = b""
        if head.startswith(b"GET"):
            answer = orjson.dumps(astuple(Connection.taken))
            Connection.taken = Taken()
        else:
            operation = fields[b"x-amz-target"].decode().partition(".")[2]
            answer = self.answer(operation, body)
        # Head and body in one write: two would wait for a delayed ACK.
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
            b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n%s" % (zlib.crc32(answer), len(answer), answer)
        )

    def answer(self, operation: str, sent: bytes) -> bytes:
        if self.url is None:
            return answered(operation, orjson.loads(sent), self.taken)
        body, units = forwarded(self.url, operation, sent)
        self.taken.calls += 1
        self.taken.read_bytes += len(body)
        self.taken.read_units += units
        return body


async def serve(port: int, url: str | None) -> None:
    Connection.url = url
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
