"""ETags, 304, and the answers that a warm function keeps: all follow the feed's head.

A cache key is a hash of the head, the request, the settings and a window of MAX_STALE_SECONDS on the clock. So an
answer outlives neither a change nor, where the stream has stopped, its window. The head is read before the page, so
that a page is never older than its key.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from chalicelib.changes.entries import Head
from chalicelib.changes.reader import FeedReader
from chalicelib.dynamodb.client import Cost
from chalicelib.dynamodb.errors import DynamoDBError
from chalicelib.settings import Settings

log = logging.getLogger("tablecast")

# For this long after a change, an eventually consistent read may lack it. DynamoDB gives no bound; it is "a fraction of
# a second, under normal conditions" (developer guide, "Global secondary indexes").
SETTLE_SECONDS = 5.0

# The size of the bodies that a warm function keeps.
CACHE_BYTES = 32_000_000


class CacheKey(NamedTuple):
    """What an answer depends on. `digest`: a hash. `position`: of the head in it. The answer has all changes up to
    there, so that a client that follows from there misses none."""

    digest: str
    position: int


class Answer(NamedTuple):
    """`etag`: the entity tag (RFC 9110, 8.8.3) without quotes, "" for none. `next_page`: the `next` in the body."""

    etag: str
    body: str
    next_page: str | None

    @property
    def size(self) -> int:
        """The bytes of memory it takes, approximately."""
        return sys.getsizeof(self.body) + 1000


def new_answer(key: CacheKey | None, body: bytes, next_page: str | None) -> Answer:
    return Answer(f"{key.digest}-{_hash(body)}" if key else "", body.decode(), next_page)


def etag_matches(etag: str, key: CacheKey) -> bool:
    return etag.partition("-")[0] == key.digest


def same_body(etag: str, other: str) -> bool:
    body = etag.partition("-")[2]
    return body != "" and body == other.partition("-")[2]


class ResponseCache:
    """`feed`: None without a change feed; then no method may be called. `clock`: seconds since 1970, since the
    monotonic clock stands still while Lambda keeps a function frozen."""

    def __init__(self, settings: Settings, feed: FeedReader | None, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._feed = feed
        self._clock = clock
        self._head = Head()
        self._head_until = 0.0
        self._answers: OrderedDict[CacheKey, Answer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()  # `chalice local` answers in threads.
        # Sorted: the order of a set differs between processes.
        self._settings_json = [sorted(v) if isinstance(v, frozenset) else v for v in settings]

    def head(self, bypass_cache: bool, reached: int = 0) -> tuple[Head, Cost]:
        """Return the feed's head, up to FRESHNESS_SECONDS old, and the cost of reading it.

        It is read now if `bypass_cache`, or if the known one is before the position `reached`, which another function
        has given out.
        """
        assert self._feed
        trusted = 0 < self._head_until - self._clock() <= self._settings.freshness_seconds
        if trusted and not bypass_cache and reached <= self._head.position:
            return self._head, Cost()
        head, cost = self._feed.head()
        self._head, self._head_until = head, self._clock() + self._settings.freshness_seconds
        return head, cost

    def key(self, request: Any, consistent: bool, bypass_cache: bool) -> tuple[CacheKey | None, Cost]:
        """Return the cache key of a request, and the cost of knowing it; None if no key can be relied on.

        `request`: JSON that identifies it. `consistent`: whether its read is strongly consistent.
        """
        try:
            head, cost = self.head(bypass_cache)
        except DynamoDBError as error:
            # The table can be read all the same.
            log.warning("The feed cannot be read, so this answer has no ETag: %s", error)
            return None, Cost()
        now = self._clock()
        if not consistent and now - head.at < SETTLE_SECONDS:
            return None, cost
        window = int(now / self._settings.max_stale_seconds)
        parts = [head.epoch, head.position, window, self._settings_json, request]
        return CacheKey(_hash(orjson.dumps(parts)), head.position), cost

    def get(self, key: CacheKey) -> Answer | None:
        with self._lock:
            found = self._answers.get(key)
            if found:
                self._answers.move_to_end(key)
            return found

    def put(self, key: CacheKey, kept: Answer) -> None:
        """Keep an answer. Drop the least recently used ones if all together are too large."""
        with self._lock:
            self._bytes += kept.size - (self._answers[key].size if key in self._answers else 0)
            self._answers[key] = kept
            while self._bytes > CACHE_BYTES:
                self._bytes -= self._answers.popitem(last=False)[1].size


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=12).hexdigest()
