"""The feed's head is the table's version: ETags, 304, and the pages that a warm function keeps.

A version is a hash of the head, the request and a window of MAX_STALE_SECONDS on the clock, so that an answer outlives
neither a change nor, where the stream has stopped, its window. The head is read first and the page after it: a page is
never older than the head it is filed under.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import astuple, dataclass
from hashlib import blake2b
from typing import Any

import orjson

from chalicelib.changes.writer import Feed, Head
from chalicelib.dynamodb.client import Cost
from chalicelib.dynamodb.errors import DynamoDBError
from chalicelib.settings import Settings

log = logging.getLogger("tablecast")

# What is read eventually consistent may lack what the head has had for less than this. DynamoDB gives no bound; it is
# "a fraction of a second, under normal conditions" (developer guide, "Global secondary indexes").
SETTLE_SECONDS = 5.0

# The bodies that a warm function keeps.
CACHE_BYTES = 32_000_000

_TAG = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class Version:
    """What an answer is an answer to: `text`, a hash, and the `position` of the head in it. All changes up to there are
    in the answer; to follow from there misses none."""

    text: str
    position: int


@dataclass(frozen=True)
class Answer:
    """A body, its entity tag (RFC 9110, 8.8.3) without the quotes, "" where it has none, and the `next` it tells."""

    tag: str
    body: str
    following: str | None

    @property
    def size(self) -> int:
        """Bytes of memory, near enough."""
        return sys.getsizeof(self.body) + 1000


def answer(version: Version | None, body: bytes, following: str | None) -> Answer:
    return Answer(f"{version.text}-{_hash(body)}" if version else "", body.decode(), following)


def tags(if_none_match: str) -> list[str]:
    """The entity tags of an If-None-Match. It compares weakly (RFC 9110, 13.1.2), so that W/ is no difference."""
    return _TAG.findall(if_none_match)


def is_of(tag: str, version: Version) -> bool:
    return tag.partition("-")[0] == version.text


def same_body(tag: str, other: str) -> bool:
    return tag.partition("-")[2] == other.partition("-")[2] != ""


class Freshness:
    """`feed`: None where there is none, and nothing has a version then. `clock`: seconds since 1970, since the
    monotonic one stands still while Lambda keeps a function frozen."""

    def __init__(self, settings: Settings, feed: Feed | None, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._feed = feed
        self._clock = clock
        self._head = Head()
        self._head_until = 0.0
        self._pages: OrderedDict[Version, Answer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()  # `chalice local` answers in threads.
        # In an order: that of a set is another in each process.
        self._said = [sorted(v) if isinstance(v, frozenset) else v for v in astuple(settings)]

    def head(self, anew: bool, reached: int = 0) -> tuple[Head, Cost]:
        """The feed's head, as a warm function read it up to FRESHNESS_SECONDS ago; as it is now where `anew`, or where
        that had not `reached` the position that another function has given out."""
        assert self._feed
        trusted = 0 < self._head_until - self._clock() <= self._settings.freshness_seconds
        if trusted and not anew and reached <= self._head.position:
            return self._head, Cost()
        head, cost = self._feed.head()
        self._head, self._head_until = head, self._clock() + self._settings.freshness_seconds
        return head, cost

    def version(self, form: Any, settled: bool, anew: bool) -> tuple[Version | None, Cost]:
        """The version of what the request answers, and what it took to know; None where it has none to rely on.

        `form`: what makes it this request, as JSON. `settled`: whether what it reads is strongly consistent.
        `anew`: whether the head has to be read now.
        """
        if self._feed is None:
            return None, Cost()
        try:
            head, cost = self.head(anew)
        except DynamoDBError as error:
            # The table can be read all the same.
            log.warning("the feed cannot be read, so that this answer has no ETag: %s", error)
            return None, Cost()
        now = self._clock()
        if not settled and now - head.at < SETTLE_SECONDS:
            return None, cost
        window = int(now / self._settings.max_stale_seconds)
        versioned = [head.epoch, head.position, window, self._said, form]
        return Version(_hash(orjson.dumps(versioned)), head.position), cost

    def stored(self, version: Version) -> Answer | None:
        with self._lock:
            page = self._pages.get(version)
            if page:
                self._pages.move_to_end(version)
            return page

    def store(self, version: Version, page: Answer) -> None:
        """Keeps `page`, and lets go of those unused for longest where they are too much together."""
        with self._lock:
            self._bytes += page.size - (self._pages[version].size if version in self._pages else 0)
            self._pages[version] = page
            while self._bytes > CACHE_BYTES:
                self._bytes -= self._pages.popitem(last=False)[1].size


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=12).hexdigest()
