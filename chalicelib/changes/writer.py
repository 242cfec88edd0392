"""The change feed: append a batch of the stream, read since a position. docs/feed.md has its layout and its limits.

A position is the number of a change: the first ever is 1, each next one more. Position 0 is the head, which tells the
last. An entry is a batch, or part of one, filed under the position of its last change; the head moves and the entry
comes in one transaction, on condition that the head is still where it was. So positions have no gap and appear in
order, and what is delivered again is found and left out.
"""

from __future__ import annotations

import base64
import math
import random
import time
import uuid
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from chalicelib.changes.records import Change
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.errors import DynamoDBError
from chalicelib.dynamodb.items import TypedItem
from chalicelib.problems import Problem
from chalicelib.settings import Settings

# Not under 25 hours: a stream keeps a record for 24, and until then it can be delivered again.
RETENTION_SECONDS = 7 * 24 * 3600

# An entry is written after its changes were made. So much may clocks differ, and creation times be rounded.
MARGIN_SECONDS = 60

# An entry: so many changes, and bytes of JSON before they are compressed, or one change of any size. An item of
# DynamoDB's is at most 400 KB, so what is more is cut into parts.
ENTRY_CHANGES = 1000
ENTRY_BYTES = 1_000_000
PART_BYTES = 280_000

# A reader asks for few entries first, and for more each time, as one entry may be all it wants, or one of many.
FIRST_ENTRIES, GROWTH = 2, 4

# A read ends with the entry that reaches this, of JSON.
READ_BYTES = 2_000_000

# The ids that a warm function remembers: some 30 MB.
REMEMBERED = 200_000

# How often an append is tried while others move the head, and the most it waits before it tries again.
ATTEMPTS = 12
BACKOFF_SECONDS = 1.0

_REFUSED = {"ConditionalCheckFailed", "TransactionConflict"}


@dataclass(frozen=True)
class Head:
    """`position` of the last change, and when it was written (`at`, seconds since 1970). `epoch`: what tells this feed
    from another of its name; None before its first change."""

    position: int = 0
    epoch: str | None = None
    at: float = 0.0


@dataclass(frozen=True)
class Changes:
    """Changes as they were filed, each with its "id", "position" and "created". `following`: the position to go on
    from."""

    changes: list[dict[str, Any]]
    following: int


class Contended(Exception):
    """Others moved the head each time. Delivered again, the batch gets another chance."""


class _Unsettled(Exception):
    """A Query does not show yet what the head says is there: only GetItem is serializable with a transaction
    (developer guide, "Isolation levels")."""


@dataclass(frozen=True)
class _Entry:
    """`created`: the time of each change by its id, in their order. `bodies`: what they are, where that was read, of
    `size` bytes."""

    first: int
    position: int
    created: dict[str, float]
    bodies: list[dict[str, Any]]
    size: int

    def changes(self) -> list[dict[str, Any]]:
        return [
            {"id": one, "position": position, "created": at, **body}
            for position, ((one, at), body) in enumerate(
                zip(self.created.items(), self.bodies, strict=True), self.first
            )
        ]


@dataclass
class _Memory:
    """`created`: the time of each change that is in the feed up to `head` and was created at `floor` or later, by its
    id."""

    head: Head
    floor: float
    created: dict[str, float] = field(default_factory=dict)

    def add(self, created: Mapping[str, float]) -> None:
        self.created.update((one, at) for one, at in created.items() if at >= self.floor)
        if len(self.created) > REMEMBERED:
            # One time's changes go or stay together, or the floor would not be one.
            self.floor = sorted(self.created.values())[len(self.created) // 2] + 0.001
            self.created = {one: at for one, at in self.created.items() if at >= self.floor}


class Feed:
    """The feed of the published table. `clock`: seconds since 1970."""

    def __init__(
        self,
        settings: Settings,
        dynamodb: DynamoDB,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = settings.feed_table
        self._name = settings.table_name
        self._dynamodb = dynamodb
        self._clock = clock
        self._sleep = sleep
        self._memory: _Memory | None = None
        self._alone = True

    def head(self) -> tuple[Head, Cost]:
        item, cost = self._item(0)
        if not item:
            return Head(), cost
        return Head(int(item["head"]["N"]), item["epoch"]["S"], float(item["at"]["N"])), cost

    def append(self, changes: Sequence[Change]) -> None:
        """Files those of `changes` that are not in the feed yet, in their order. Raises only what a retry can mend."""
        for batch in _batches(changes):
            self._append(batch)

    def _append(self, batch: Sequence[Change]) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(random.uniform(0, min(BACKOFF_SECONDS, 0.02 * 2**attempt)))
            try:
                missing, memory = self._look(batch, again=attempt > 0 or not self._alone)
            except _Unsettled:
                continue
            if not missing:
                return
            at = max(self._clock(), memory.head.at)
            head = Head(memory.head.position + len(missing), memory.head.epoch or uuid.uuid4().hex, at)
            if self._filed(missing, memory.head, head):
                memory.head = head
                memory.add({change.id: change.created for change in missing})
                return
        raise Contended(f"the feed's head moved {ATTEMPTS} times while {len(batch)} changes were to be filed")

    def _look(self, batch: Sequence[Change], again: bool) -> tuple[list[Change], _Memory]:
        """Those of `batch` that are not in the feed up to the head of the memory beside them.

        A warm function that writes alone reads nothing for this. `again`: others may have moved the head.
        """
        oldest = min(change.created for change in batch)
        wanted = {change.id for change in batch}
        memory = self._memory
        if memory and oldest >= memory.floor and not again:
            return [change for change in batch if change.id not in memory.created], memory
        head, _ = self.head()
        # Where others write too, to look first costs less than to be refused.
        self._alone = memory is None or head.position == memory.head.position
        if memory and oldest >= memory.floor and memory.head.epoch == head.epoch:
            start = memory.head.position
        else:
            # No entry holds a change that was made after it was written.
            start = self._before(oldest - MARGIN_SECONDS, head.position)
            memory = _Memory(head, oldest)
        found = wanted & memory.created.keys()
        for entry in self._entries(start, head.position, [], bodies=False):
            found |= wanted & entry.created.keys()
            if found == wanted:
                return [], memory
            memory.add(entry.created)
        memory.head = head
        self._memory = memory
        return [change for change in batch if change.id not in found], memory

    def _filed(self, changes: Sequence[Change], before: Head, head: Head) -> bool:
        """Moves the head from `before` to `head` and files the entry, both or none; False where it was not there."""
        moved = {
            **_key(self._name, 0),
            "head": {"N": str(head.position)},
            "epoch": {"S": head.epoch},
            "at": {"N": f"{head.at:.3f}"},
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#feed)"}
        names = {"#feed": "feed"}
        if before.epoch:
            condition = {
                "ConditionExpression": "#head = :head AND #epoch = :epoch",
                "ExpressionAttributeValues": {":head": {"N": str(before.position)}, ":epoch": {"S": before.epoch}},
            }
            names = {"#head": "head", "#epoch": "epoch"}
        puts = [{"Item": moved, "ExpressionAttributeNames": names, **condition}]
        puts += [{"Item": item} for item in entry_items(changes, self._name, before.position + 1, head)]
        try:
            self._dynamodb.call(
                "TransactWriteItems", TransactItems=[{"Put": {"TableName": self._table, **put}} for put in puts]
            )
        except DynamoDBError as error:
            # All reasons, one an item; the answer to a throttled one is Lambda's, to deliver it again.
            if _REFUSED.intersection(error.reasons):
                return False
            raise
        return True

    def read(self, since: int, limit: int, head: Head) -> tuple[Changes, Cost]:
        """Up to `limit` changes after position `since`, and up to `head`.

        Problem 410: some of them are no longer kept. 0 is before all that there ever was, and asks for what is kept.
        """
        if since > head.position:
            raise _gone(f"since is {since}, and the last change of this feed is {head.position}")
        position, size = since, 0
        changes: list[dict[str, Any]] = []
        costs: list[Cost] = []
        try:
            for entry in self._entries(since, head.position, costs, limit):
                if since and entry.first > position + 1:
                    raise _gone(f"since is {since}, and the oldest change that is kept is {entry.first}")
                position = max(position, entry.first - 1)
                some = entry.changes()[position + 1 - entry.first :][: limit - len(changes)]
                changes += some
                position += len(some)
                size += entry.size
                if len(changes) == limit or size >= READ_BYTES:
                    break
            else:
                if since and position < head.position:
                    raise _gone(f"since is {since}, and no change of that time is kept")
                position = head.position
        except _Unsettled:
            pass  # What was read is right, and the rest is there in a moment.
        return Changes(changes, position), sum(costs, Cost())

    def _entries(
        self, after: int, upto: int, costs: list[Cost], limit: int | None = None, bodies: bool = True
    ) -> Iterator[_Entry]:
        """The entries that are kept of positions above `after`, to `upto`, in order. Adds to `costs` what it took.

        What lacks between them has expired. _Unsettled: it has not, and cannot be seen yet.
        """
        if after >= upto:
            return
        names = ("position", "expires", "first", "ids", *(("changes",) if bodies else ()))
        reached, now = after, self._clock()
        parts = b""
        for item in self._items(after, upto, names, costs, limit):
            if float(item["expires"]["N"]) <= now:
                # More of those may follow: TTL takes days to delete them.
                kept = self._before(now - RETENTION_SECONDS + 1, upto)
                yield from self._entries(kept, upto, costs, limit, bodies)
                return
            if bodies:
                parts += base64.b64decode(item["changes"]["B"])
            if "first" in item:
                first = int(item["first"]["N"])
                if first > reached + 1 and self._is_there(first - 1, costs):
                    raise _Unsettled
                reached = int(item["position"]["N"])
                created = dict(orjson.loads(zlib.decompress(base64.b64decode(item["ids"]["B"]))))
                text = zlib.decompress(parts) if bodies else b"[]"
                yield _Entry(first, reached, created, orjson.loads(text), len(text))
                parts = b""
        if reached < upto and self._is_there(upto, costs):
            raise _Unsettled

    def _items(
        self, after: int, upto: int, names: Sequence[str], costs: list[Cost], limit: int | None
    ) -> Iterator[TypedItem]:
        request: dict[str, Any] = {
            "KeyConditionExpression": "#feed = :feed AND #position BETWEEN :after AND :upto",
            "ProjectionExpression": ", ".join(f"#{name}" for name in names),
            "ExpressionAttributeNames": {f"#{name}": name for name in ("feed", *names)},
            "ExpressionAttributeValues": {
                ":feed": {"S": self._name},
                ":after": {"N": f"{after}.0001"},
                ":upto": {"N": str(upto)},
            },
            **({"Limit": min(limit, FIRST_ENTRIES)} if limit else {}),
        }
        while True:
            answer, cost = self._dynamodb.call("Query", TableName=self._table, ConsistentRead=True, **request)
            costs.append(cost)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            if limit:
                request["Limit"] = min(limit, request["Limit"] * GROWTH)

    def _before(self, time: float, upto: int) -> int:
        """The position, up to `upto`, above which all was written at `time` or later: entries are in order of time."""

        def written_above(position: int) -> float:
            first = next(self._items(position, upto, ("position", "at"), [], 1), None)
            return float(first["at"]["N"]) if first else math.inf

        return bisect_left(range(upto), time, key=written_above)

    def _is_there(self, position: int, costs: list[Cost]) -> bool:
        """Whether the entry filed under `position` is kept."""
        item, cost = self._item(position) if position else (None, Cost())
        costs.append(cost)
        return item is not None and float(item["expires"]["N"]) > self._clock()

    def _item(self, position: int) -> tuple[TypedItem | None, Cost]:
        key = _key(self._name, position)
        answer, cost = self._dynamodb.call("GetItem", TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item"), cost


def entry_items(changes: Sequence[Change], feed: str, first: int, head: Head) -> list[dict[str, Any]]:
    """The items that file `changes`, from position `first` to the `head` that they make, in the feed of that name."""
    body = zlib.compress(b"[" + b",".join(change.body for change in changes) + b"]")
    ids = zlib.compress(orjson.dumps([[change.id, change.created] for change in changes]))
    written = {"at": {"N": f"{head.at:.3f}"}, "expires": {"N": str(int(head.at) + RETENTION_SECONDS)}}
    *parts, last = [body[start : start + PART_BYTES] for start in range(0, len(body), PART_BYTES)]
    # The parts stand just before the last, above any position that was given out before.
    items = [
        {**_key(feed, f"{head.position - 1}.{number:03}"), **written, "changes": {"B": part}}
        for number, part in enumerate(parts, 1)
    ]
    filed = {"first": {"N": str(first)}, "ids": {"B": ids}, "changes": {"B": last}}
    return [*items, {**_key(feed, head.position), **written, **filed}]


def _key(feed: str, position: int | str) -> TypedItem:
    return {"feed": {"S": feed}, "position": {"N": str(position)}}


def _batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """`changes`, each once, in runs that an entry takes."""
    batch: list[Change] = []
    size = 0
    for change in {change.id: change for change in changes}.values():
        if batch and (len(batch) == ENTRY_CHANGES or size + len(change.body) > ENTRY_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(change)
        size += len(change.body)
    if batch:
        yield batch


def _gone(what: str) -> Problem:
    return Problem(410, f"{what}: read /items anew, and follow from the X-Position of the answer.")
