"""Appends a batch of the stream to the feed. Only the handler imports it.

The head moves and the entry is filed in one transaction, on condition that the head is still where it was. So positions
have no gap and appear in order, and a change that is delivered again is found and left out.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.changes.entries import Change, EntryNotVisible, EntryReader, Head, entry_items, head_item
from chalicelib.changes.records import changes_of
from chalicelib.dynamodb.client import DynamoDB
from chalicelib.dynamodb.errors import DynamoDBError
from chalicelib.settings import Settings

# An entry is written after its changes were made. Clocks may differ, and creation times be rounded, by this much.
MARGIN_SECONDS = 60

# The most changes in an entry, and bytes of JSON before compression; one change may have any size.
ENTRY_CHANGES = 1000
ENTRY_BYTES = 1_000_000

# The ids that a warm function remembers: some 30 MB.
REMEMBERED = 200_000

# The attempts of an append while others move the head, and the longest pause between them.
ATTEMPTS = 12
BACKOFF_SECONDS = 1.0

_REFUSED = {"ConditionalCheckFailed", "TransactionConflict"}


class Contended(Exception):
    """Others moved the head each time. Lambda delivers the batch again."""


class _Memory:
    """`created`: the id and time of each change in the feed, up to `head`, that was created at `floor` or later."""

    def __init__(self, head: Head, floor: float) -> None:
        self.head, self.floor = head, floor
        self.created: dict[str, float] = {}

    def add(self, created: Mapping[str, float]) -> None:
        self.created.update((id, at) for id, at in created.items() if at >= self.floor)
        if len(self.created) > REMEMBERED:
            # Changes of one time stay or go together: the floor separates them.
            self.floor = sorted(self.created.values())[len(self.created) // 2] + 0.001
            self.created = {id: at for id, at in self.created.items() if at >= self.floor}


class FeedWriter:
    """The feed of the published table, and what this function has filed lately. `clock`: seconds since 1970."""

    def __init__(
        self,
        settings: Settings,
        dynamodb: DynamoDB,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._clock = clock
        self._sleep = sleep
        self._memory: _Memory | None = None
        self._alone = True

    def append(self, event: Mapping[str, Any]) -> None:
        """File those changes of `event`, a batch of the stream, that the feed lacks, in their order.

        Raise DynamoDBError or Contended if a later delivery of the same batch can succeed.
        """
        for batch in _batches(changes_of(event, self._settings)):
            self._append(batch)

    def _append(self, batch: Sequence[Change]) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(random.uniform(0, min(BACKOFF_SECONDS, 0.02 * 2**attempt)))
            try:
                missing, memory = self._find_unrecorded(batch, again=attempt > 0 or not self._alone)
            except EntryNotVisible:
                continue
            if not missing:
                return
            at = max(self._clock(), memory.head.at)
            head = Head(memory.head.position + len(missing), memory.head.epoch or uuid.uuid4().hex, at)
            if self._commit_entry(missing, memory.head, head):
                memory.head = head
                memory.add({change.id: change.created for change in missing})
                return
        raise Contended(f"others moved the head of the feed {ATTEMPTS} times; {len(batch)} changes are not filed")

    def _find_unrecorded(self, batch: Sequence[Change], again: bool) -> tuple[list[Change], _Memory]:
        """Return those of `batch` that the feed lacks, and the memory whose head that is true for.

        A warm function that writes alone reads nothing for this. `again`: others may have moved the head.
        """
        oldest = min(change.created for change in batch)
        wanted = {change.id for change in batch}
        memory = self._memory
        if memory and oldest >= memory.floor and not again:
            return [change for change in batch if change.id not in memory.created], memory
        reader = EntryReader(self._settings, self._dynamodb, self._clock)
        head = reader.head()
        # While others write too, a look before the write costs less than a refused one.
        self._alone = memory is None or head.position == memory.head.position
        if memory and oldest >= memory.floor and memory.head.epoch == head.epoch:
            start = memory.head.position
        else:
            # No entry has a change that was made after it was written.
            start = reader.position_before(oldest - MARGIN_SECONDS, head.position)
            memory = _Memory(head, oldest)
        found = wanted & memory.created.keys()
        for entry in reader.entries(start, head.position, bodies=False):
            found |= wanted & entry.created.keys()
            if found == wanted:
                return [], memory
            memory.add(entry.created)
        memory.head = head
        self._memory = memory
        return [change for change in batch if change.id not in found], memory

    def _commit_entry(self, changes: Sequence[Change], before: Head, head: Head) -> bool:
        """File the entry and move the head from `before` to `head`, both or neither. Return False if it has moved."""
        condition: dict[str, Any] = {
            "ConditionExpression": "attribute_not_exists(#feed)",
            "ExpressionAttributeNames": {"#feed": "feed"},
        }
        if before.epoch:
            condition = {
                "ConditionExpression": "#head = :head AND #epoch = :epoch",
                "ExpressionAttributeNames": {"#head": "head", "#epoch": "epoch"},
                "ExpressionAttributeValues": {":head": {"N": str(before.position)}, ":epoch": {"S": before.epoch}},
            }
        feed = self._settings.table_name
        puts = [{"Item": head_item(feed, head), **condition}]
        puts += [{"Item": item} for item in entry_items(changes, feed, before.position + 1, head)]
        transaction = [{"Put": {"TableName": self._settings.feed_table, **put}} for put in puts]
        try:
            self._dynamodb.call("TransactWriteItems", TransactItems=transaction)
        except DynamoDBError as error:
            # A throttled transaction is Lambda's to deliver again.
            if _REFUSED.intersection(error.reasons):
                return False
            raise
        return True


def _batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Yield `changes`, each once, in runs that fit into an entry."""
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
