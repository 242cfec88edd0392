"""Layout of the feed's table: head, entries, positions (docs/feed.md).

A position is the number of a change: the first is 1, each next one is one more. The item at position 0 is the head,
which has the last position. An entry is a batch of changes, or a part of one, filed at the position of its last
change.
"""

from __future__ import annotations

import base64
import math
import zlib
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.items import TypedItem
from chalicelib.settings import Settings

# At least 25 hours: a stream keeps a record for 24 hours, and can deliver it again within them.
RETENTION_SECONDS = 7 * 24 * 3600

# An item of DynamoDB has at most 400 KB, so a larger entry is cut into parts.
PART_BYTES = 280_000

# A reader asks for few entries first, and for more each time: one entry may be all it needs, or one of many.
FIRST_ENTRIES, GROWTH = 2, 4


class Change(NamedTuple):
    """A change to file. `id`: the eventID of its stream record. `created`: seconds since 1970. `body`: JSON, {"op",
    "key", "new"?, "old"?}, in DynamoDB's JSON, without hidden attributes."""

    id: str
    created: float
    body: bytes


class Head(NamedTuple):
    """`position` of the last change, and when it was written (`at`, seconds since 1970). `epoch`: a random text that
    tells this feed from another of its name; None before the first change."""

    position: int = 0
    epoch: str | None = None
    at: float = 0.0


class Entry(NamedTuple):
    """`created`: the id of each change and its time, in order. `bodies`: the changes' JSON, where it was read, of
    `size` bytes."""

    first: int
    position: int
    created: dict[str, float]
    bodies: list[dict[str, Any]]
    size: int

    def changes(self) -> list[dict[str, Any]]:
        filed = zip(self.created.items(), self.bodies, strict=True)
        return [
            {"id": id, "position": position, "created": created, **body}
            for position, ((id, created), body) in enumerate(filed, self.first)
        ]


class EntryNotVisible(Exception):
    """A Query does not return an entry that the head covers: only GetItem is serializable with a transaction (developer
    guide, "Isolation levels")."""


def key(feed: str, position: int | str) -> TypedItem:
    return {"feed": {"S": feed}, "position": {"N": str(position)}}


def head_item(feed: str, head: Head) -> TypedItem:
    return {
        **key(feed, 0),
        "head": {"N": str(head.position)},
        "epoch": {"S": head.epoch},
        "at": {"N": f"{head.at:.3f}"},
    }


def entry_items(changes: Sequence[Change], feed: str, first: int, head: Head) -> list[dict[str, Any]]:
    """Return the items that file `changes` in `feed`, at the positions from `first` to that of `head`."""
    body = zlib.compress(b"[" + b",".join(change.body for change in changes) + b"]")
    ids = zlib.compress(orjson.dumps([[change.id, change.created] for change in changes]))
    written = {"at": {"N": f"{head.at:.3f}"}, "expires": {"N": str(int(head.at) + RETENTION_SECONDS)}}
    *parts, last = [body[start : start + PART_BYTES] for start in range(0, len(body), PART_BYTES)]
    # The parts come just before the last one, after every earlier position.
    items = [
        {**key(feed, f"{head.position - 1}.{number:03}"), **written, "changes": {"B": part}}
        for number, part in enumerate(parts, 1)
    ]
    filed = {"first": {"N": str(first)}, "ids": {"B": ids}, "changes": {"B": last}}
    return [*items, {**key(feed, head.position), **written, **filed}]


def _entry(item: TypedItem, body: bytes) -> Entry:
    """Return the entry that `item` ends. `body`: the joined parts of its changes; empty if they were not read."""
    created = dict(orjson.loads(zlib.decompress(base64.b64decode(item["ids"]["B"]))))
    text = zlib.decompress(body) if body else b"[]"
    return Entry(int(item["first"]["N"]), int(item["position"]["N"]), created, orjson.loads(text), len(text))


class EntryReader:
    """Reads the feed of the published table once. `cost`: of its reads so far. `clock`: seconds since 1970."""

    def __init__(self, settings: Settings, dynamodb: DynamoDB, clock: Callable[[], float]) -> None:
        self._table = settings.feed_table
        self._feed = settings.table_name
        self._dynamodb = dynamodb
        self._clock = clock
        self.cost = Cost()

    def head(self) -> Head:
        item = self._item(0)
        return Head(int(item["head"]["N"]), item["epoch"]["S"], float(item["at"]["N"])) if item else Head()

    def entries(self, after: int, upto: int, limit: int | None = None, bodies: bool = True) -> Iterator[Entry]:
        """Yield the entries with positions above `after`, to `upto`, in order. Gaps between them have expired.

        Raise EntryNotVisible if an entry is kept and a Query does not return it yet.
        """
        start: int | None = after
        for skips in (False, True):
            if start is None or start >= upto:
                return
            start = yield from self._kept(start, upto, limit, bodies, skips)

    def _kept(
        self, after: int, upto: int, limit: int | None, bodies: bool, skips: bool
    ) -> Generator[Entry, None, int | None]:
        """Yield entries, and return None.

        The first pass ends at an expired entry, and returns the position where the kept ones start. The second pass
        skips those that have expired by then.
        """
        names = ("position", "expires", "first", "ids", *(("changes",) if bodies else ()))
        reached, now, parts = after, self._clock(), b""
        for item in self._items(after, upto, names, limit):
            if float(item["expires"]["N"]) <= now:
                if not skips:
                    # TTL deletes them days later: there may be many.
                    return self.position_before(now - RETENTION_SECONDS + 1, upto)
                continue
            parts += base64.b64decode(item["changes"]["B"]) if bodies else b""
            if "first" not in item:
                continue
            entry = _entry(item, parts)
            if entry.first > reached + 1 and self._is_kept(entry.first - 1):
                raise EntryNotVisible
            reached, parts = entry.position, b""
            yield entry
        if reached < upto and self._is_kept(upto):
            raise EntryNotVisible
        return None

    def position_before(self, time: float, upto: int) -> int:
        """Return the position, up to `upto`, after which all entries were written at `time` or later."""

        def written_above(position: int) -> float:
            first = next(self._items(position, upto, ("position", "at"), 1), None)
            return float(first["at"]["N"]) if first else math.inf

        # Entries are in the order of their time.
        return bisect_left(range(upto), time, key=written_above)

    def _items(self, after: int, upto: int, names: Sequence[str], limit: int | None) -> Iterator[TypedItem]:
        request: dict[str, Any] = {
            "KeyConditionExpression": "#feed = :feed AND #position BETWEEN :after AND :upto",
            "ProjectionExpression": ", ".join(f"#{name}" for name in names),
            "ExpressionAttributeNames": {f"#{name}": name for name in ("feed", *names)},
            "ExpressionAttributeValues": {
                ":feed": {"S": self._feed},
                ":after": {"N": f"{after}.0001"},
                ":upto": {"N": str(upto)},
            },
            **({"Limit": min(limit, FIRST_ENTRIES)} if limit else {}),
        }
        while True:
            answer, cost = self._dynamodb.call("Query", TableName=self._table, ConsistentRead=True, **request)
            self.cost += cost
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            if limit:
                request["Limit"] = min(limit, request["Limit"] * GROWTH)

    def _is_kept(self, position: int) -> bool:
        """Return whether an entry is filed at `position` and has not expired."""
        item = self._item(position) if position else None
        return item is not None and float(item["expires"]["N"]) > self._clock()

    def _item(self, position: int) -> TypedItem | None:
        request = {"TableName": self._table, "Key": key(self._feed, position), "ConsistentRead": True}
        answer, cost = self._dynamodb.call("GetItem", **request)
        self.cost += cost
        return answer.get("Item")
