"""A DynamoDB over HTTP that answers at once: `python -m bench.stub PORT [URL]`.

Every read returns the same page of quakes: its first items up to Limit, or FILTERED_PAGE items per megabyte if there is
a filter. With URL, the answers come from the DynamoDB there and are cached, so that its time is not measured. GET
returns the usage since the last GET.
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

# The filter, and how many items of each megabyte match it.
FILTERED_PAGE = 20
FILTER = ("status", "reviewed")


def items(size: int) -> list[TypedItem]:
    """Return quakes of `size` bytes of DynamoDB's JSON in total, repeated under new keys."""
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
def filtered_items() -> list[TypedItem]:
    name, value = FILTER
    return [item for item in page() if item[name] == {"S": value}]


@dataclass
class Usage:
    """Calls of the stub, `read_bytes` of its answers, and units as DynamoDB counts them."""

    calls: int = 0
    read_bytes: int = 0
    read_units: float = 0.0
    write_units: int = 0


@functools.cache
def _scan(limit: int, filtered: bool, start: str | None, consistent: bool, report: bool) -> tuple[bytes, float]:
    """Return the answer to a Scan, and its read units. `report`: whether the answer contains them."""
    if filtered:
        keys = [item["idx"]["S"] for item in filtered_items()]
        first = keys.index(start) + 1 if start in keys else 0
        found, size = filtered_items()[first : first + FILTERED_PAGE], 2**20
    else:
        found = page()[:limit]
        size = sum(map(item_size, found))
    units = read_units(size, consistent)
    answer = {
        "Items": found,
        "Count": len(found),
        "ScannedCount": len(page()) if filtered else len(found),
        "LastEvaluatedKey": {"idx": found[-1]["idx"]},
        **_capacity(TABLE, units, report),
    }
    return orjson.dumps(answer), units


def _capacity(table: str, units: float, report: bool) -> dict[str, Any]:
    return {"ConsumedCapacity": {"TableName": table, "CapacityUnits": units}} if report else {}


def answer(operation: str, request: Mapping[str, Any], usage: Usage) -> bytes:
    """Return the body of the answer, and add what it used to `usage`."""
    report = "ReturnConsumedCapacity" in request
    consistent = request.get("ConsistentRead", False)
    usage.calls += 1
    match operation:
        case "DescribeTable":
            body = orjson.dumps({"Table": {**sample.TABLE, "TableStatus": "ACTIVE"}})
        case "GetItem":
            # The feed has no head yet.
            item = {} if request["TableName"] == FEED_TABLE else {"Item": page()[0]}
            units = read_units(item_size(item.get("Item", {})), consistent)
            usage.read_units += units
            body = orjson.dumps({**item, **_capacity(request["TableName"], units, report)})
        case "Scan":
            start = request.get("ExclusiveStartKey", {}).get("idx", {}).get("S")
            is_filtered = "FilterExpression" in request
            body, units = _scan(request.get("Limit", sys.maxsize), is_filtered, start, consistent, report)
            usage.read_units += units
        case "TransactWriteItems":
            usage.write_units += write_units([write["Put"]["Item"] for write in request["TransactItems"]], True)
            body = b"{}"
        case "BatchWriteItem":
            writes = [write for table in request["RequestItems"].values() for write in table]
            usage.write_units += write_units([write["PutRequest"]["Item"] for write in writes])
            body = b'{"UnprocessedItems":{}}'
        case _:
            raise ValueError(f"the stub does not support {operation}")
    usage.read_bytes += len(body)
    return body


@functools.cache
def _forward(url: str, operation: str, request: bytes) -> tuple[bytes, float]:
    """Return the answer of the DynamoDB at `url`, and the read units of the items in it."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
    with urllib.request.urlopen(urllib.request.Request(url, request, headers)) as response:
        body = response.read()
    answer = orjson.loads(body)
    if "Table" in answer:
        return body, 0.0
    size = sum(map(item_size, answer.get("Items", [answer.get("Item", {})])))
    return body, read_units(size, orjson.loads(request).get("ConsistentRead", False))


class Connection(asyncio.Protocol):
    """A minimal HTTP/1.1 server: a request is complete once its Content-Length has arrived."""

    url: str | None = None
    usage = Usage()

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
            body = orjson.dumps(astuple(Connection.usage))
            Connection.usage = Usage()
        else:
            operation = fields[b"x-amz-target"].decode().partition(".")[2]
            body = self._answer(operation, body)
        # Head and body in one write: the second of two would wait for a delayed ACK.
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
            b"x-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n%s" % (zlib.crc32(body), len(body), body)
        )

    def _answer(self, operation: str, request: bytes) -> bytes:
        if self.url is None:
            return answer(operation, orjson.loads(request), self.usage)
        body, units = _forward(self.url, operation, request)
        self.usage.calls += 1
        self.usage.read_bytes += len(body)
        self.usage.read_units += units
        return body


async def serve(port: int, url: str | None) -> None:
    """Serve on `port` until interrupted."""
    Connection.url = url
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
