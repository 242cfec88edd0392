"""The change feed as the API reads it: its head, and the changes since a position."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from chalicelib.changes.entries import EntryNotVisible, EntryReader, Head
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.problems import Problem
from chalicelib.settings import Settings

# A read ends with the entry that reaches this size, in JSON.
READ_BYTES = 2_000_000


class Changes(NamedTuple):
    """Changes as they were filed, each with its "id", "position" and "created". `next_position`: where to continue."""

    changes: list[dict[str, Any]]
    next_position: int


class FeedReader:
    """The feed of the published table. `clock`: seconds since 1970."""

    def __init__(self, settings: Settings, dynamodb: DynamoDB, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._clock = clock

    def head(self) -> tuple[Head, Cost]:
        reader = EntryReader(self._settings, self._dynamodb, self._clock)
        return reader.head(), reader.cost

    def read(self, since: int, limit: int, head: Head) -> tuple[Changes, Cost]:
        """Return up to `limit` changes after position `since`, up to `head`, and their cost.

        `since` 0 is before the first change of all, and asks for those that are kept. Raise Problem(410) if changes
        after another `since` are no longer kept.
        """
        if since > head.position:
            raise _gone(f"_since is {since}, but the last change of this feed is {head.position}")
        reader = EntryReader(self._settings, self._dynamodb, self._clock)
        position, size = since, 0
        changes: list[dict[str, Any]] = []
        try:
            for entry in reader.entries(since, head.position, limit):
                if since and entry.first > position + 1:
                    raise _gone(f"_since is {since}, but the oldest change that is kept is {entry.first}")
                position = max(position, entry.first - 1)
                some = entry.changes()[position + 1 - entry.first :][: limit - len(changes)]
                changes += some
                position += len(some)
                size += entry.size
                if len(changes) == limit or size >= READ_BYTES:
                    break
            else:
                if since and position < head.position:
                    raise _gone(f"_since is {since}, but no change of that time is kept")
                position = head.position
        except EntryNotVisible:
            pass  # The changes read so far are right. The rest is visible in a moment.
        return Changes(changes, position), reader.cost


def _gone(what: str) -> Problem:
    return Problem(410, f"{what}. Read /items again, and follow from the X-Position of the answer.")
