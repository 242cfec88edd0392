"""The sequence of a request: parse, plan, read, format."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import NamedTuple

import orjson
from chalice import Response
from chalice.app import Request

from chalicelib.changes.reader import FeedReader
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.errors import OUTDATED_SCHEMA, DynamoDBError, index_is_gone
from chalicelib.dynamodb.items import TypedItem
from chalicelib.dynamodb.transport import CALL_SECONDS
from chalicelib.problems import Headers, Problem
from chalicelib.query import controls, cursors, plans
from chalicelib.query.conditions import Condition, key_value
from chalicelib.query.operators import OPERATORS
from chalicelib.query.planner import plan_items
from chalicelib.query.plans import Plan, ReadRequest
from chalicelib.settings import Settings
from chalicelib.table import Page, Table
from chalicelib.web import formats
from chalicelib.web.caching import CacheKey, ResponseCache, etag_matches, new_answer, same_body
from chalicelib.web.requests import client_etags, decoded, query_of, request_id, seconds_left
from chalicelib.web.responses import (
    READ_HEADERS,
    add_origin_headers,
    cost_headers,
    json_response,
    problem_of,
    problem_response,
)

log = logging.getLogger("tablecast")

# API Gateway takes 10,240 bytes of headers. A cursor with the longest keys is nearly as long.
MAX_LINK_BYTES = 6_000

NO_FEED = (
    "This API keeps no change feed. Its owner turns it on with FEED_TABLE, and with STREAM_ARN for the handler that "
    "fills the feed (docs/feed.md)."
)
# Only the owner can correct that, so clients wait longer.
OWNER_SECONDS = 60


class Body(NamedTuple):
    """The body of an answer, the `next` in it, and the cost of reading it."""

    content: bytes
    next_page: str | None
    cost: Cost


def _with_problem_responses(view: Callable[..., Response]) -> Callable[..., Response]:
    """Make `view` answer with a problem where it raises."""

    @functools.wraps(view)
    def answered(api: Api, request: Request, *segments: str) -> Response:
        try:
            response = view(api, request, *segments)
        except Exception as error:
            problem = problem_of(error, request_id(request))
            if problem is not error:
                log.error("%s: %s", request_id(request), problem.detail, exc_info=error)
            if isinstance(error, DynamoDBError) and error.code in OUTDATED_SCHEMA:
                api.table.forget_schema()
            response = problem_response(problem)
        add_origin_headers(response, api.settings)
        return response

    return answered


class Api:
    """The GET routes over one table."""

    def __init__(self, settings: Settings, dynamodb: DynamoDB) -> None:
        self.settings = settings
        self.table = Table(settings, dynamodb)
        self.feed = FeedReader(settings, dynamodb) if settings.feed_table else None
        self.cache = ResponseCache(settings, self.feed)

    @_with_problem_responses
    def root(self, request: Request) -> Response:
        """Answer with the explorer for a browser, and with the description of the API as JSON for others."""
        # Imported here: a function that starts for an item has no use for them.
        from chalicelib.openapi import document
        from chalicelib.web.explorer import page

        if page.is_asked_for(request.headers.get("Accept", "")):
            return page.page(request.headers.get("If-None-Match", ""))
        return json_response(document.description(self.table.schema(), self.settings), {"Vary": "Accept"})

    @_with_problem_responses
    def openapi(self, request: Request) -> Response:
        """Answer with the OpenAPI document of this API."""
        from chalicelib.openapi import document
        from chalicelib.query.reasons import explain

        schema = self.table.schema()
        read = ReadRequest(schema, controls.parse({"_explain": ["true"]}, schema, self.settings), self.settings)
        return json_response(document.document(schema, self.settings, explain(plan_items(read), read)))

    @_with_problem_responses
    def items(self, request: Request) -> Response:
        """Answer with the items that match the query's conditions."""
        return self._list(request, ())

    @_with_problem_responses
    def partition(self, request: Request, partition: str) -> Response:
        """Answer with the item whose key is `partition`; if the table has a sort key, with that partition as a list."""
        schema = self.table.schema()
        if schema.table.sort is None:
            return self._item(request, partition)
        name, text = schema.table.partition, decoded(partition)
        value = key_value(name, text, schema)
        return self._list(request, (Condition((name,), OPERATORS["eq"], ((value,),), False, f"{name}={text}"),))

    @_with_problem_responses
    def item(self, request: Request, partition: str, sort: str) -> Response:
        """Answer with the item whose keys are `partition` and `sort`."""
        table = self.table.schema().table
        if table.sort is None:
            raise Problem(404, f"The table has no sort key. Its items are at /items/{{{table.partition}}}.")
        return self._item(request, partition, sort)

    @_with_problem_responses
    def changes(self, request: Request) -> Response:
        """Answer with the changes after a position, and the position to continue from."""
        asked = controls.parse_changes(query_of(request), self.settings)
        if self.feed is None:
            raise Problem(503, NO_FEED, OWNER_SECONDS)
        head, cost = self.cache.head(bypass_cache=asked.since is None, reached=asked.since or 0)
        since = head.position if asked.since is None else asked.since
        read, spent = self.feed.read(since, asked.limit, head)
        bodies = [formats.change_body(change, asked.item_format, self.settings) for change in read.changes]
        number, next_position = formats.fitting(bodies), read.next_position
        if number < len(bodies):
            next_position = read.changes[number]["position"] - 1
        changes = [orjson.Fragment(body) for body in bodies[:number]]
        body = {"changes": changes, "next": next_position, "more": next_position < head.position}
        return json_response(body, cost_headers(cost + spent))

    def _list(self, request: Request, fixed: tuple[Condition, ...]) -> Response:
        schema, query = self.table.schema(), query_of(request)
        asked = controls.parse(query, schema, self.settings, fixed)
        read = ReadRequest(schema, asked, self.settings)
        plan = plan_items(read)
        start = None
        if asked.cursor is not None:
            start = cursors.decode(asked.cursor, plan.start_keys, schema.types, plan.identity)
        if asked.explain:
            return _explained(plan, read)

        def read_body() -> Body:
            limit, cost = asked.limit, Cost()
            while True:
                page = self._page(plan, start, limit, seconds_left(request))
                cost += page.cost
                cursor = cursors.encode(page.next_key, plan.start_keys, plan.identity) if page.next_key else None
                next_page = formats.next_reference(query, cursor) if cursor else None
                body = formats.page_body(page.items, next_page, asked.item_format, plan)
                if len(body) <= formats.MAX_BODY_BYTES or len(page.items) == 1:
                    return Body(body, next_page, cost)
                limit = len(page.items) // 2

        return self._answer(request, plan, read_body)

    def _item(self, request: Request, *segments: str) -> Response:
        schema, texts = self.table.schema(), map(decoded, segments)
        asked = controls.parse_item(query_of(request), schema, self.settings)
        read = ReadRequest(schema, asked, self.settings)
        key = {name: key_value(name, text, schema) for name, text in zip(schema.table.keys, texts, strict=True)}
        plan = plans.get_item(key, read)
        if asked.explain:
            return _explained(plan, read)

        def read_body() -> Body:
            page = self.table.item(plan)
            if not page.items:
                shown = " and ".join(f"{name} {value!r}" for name, (_, value) in key.items())
                raise Problem(404, f"There is no item with {shown}.")
            return Body(formats.item_body(page.items[0], asked.item_format, plan), None, page.cost)

        return self._answer(request, plan, read_body)

    def _answer(self, request: Request, plan: Plan, read_body: Callable[[], Body]) -> Response:
        """Answer with a 304 if the client has the current answer, else with a kept one, else with a new read."""
        bypass_cache = "no-cache" in request.headers.get("Cache-Control", "")
        key, cost = self._cache_key(request, plan, bypass_cache)
        if_none_match = request.headers.get("If-None-Match", "")
        etags = client_etags(if_none_match)
        found = None
        if key and not bypass_cache:
            if current := next((etag for etag in etags if etag_matches(etag, key)), None):
                return Response("", _headers(plan, cost, key, current), 304)
            found = self.cache.get(key)
        if found is None:
            body = read_body()
            cost += body.cost
            found = new_answer(key, body.content, body.next_page)
            if key:
                self.cache.put(key, found)
        headers = _headers(plan, cost, key, found.etag, found.next_page)
        if if_none_match.strip() == "*" or any(same_body(etag, found.etag) for etag in etags):
            return Response("", headers, 304)
        return Response(found.body, headers)

    def _cache_key(self, request: Request, plan: Plan, bypass_cache: bool) -> tuple[CacheKey | None, Cost]:
        # Without time for the head and a page, both at their slowest, the head is left out.
        if self.feed is None or seconds_left(request) <= 2 * CALL_SECONDS:
            return None, Cost()
        identity = [request.path, request.uri_params, sorted(query_of(request).items())]
        return self.cache.key(identity, plan.consistent, bypass_cache)

    def _page(self, plan: Plan, start: TypedItem | None, limit: int, seconds: float) -> Page:
        try:
            return self.table.items(plan, start, limit, seconds)
        except DynamoDBError as error:
            # The page before had the same plan, so the start key is at fault.
            if start and error.code == "ValidationException" and not index_is_gone(error):
                raise cursors.not_a_cursor() from error
            raise


def _explained(plan: Plan, read: ReadRequest) -> Response:
    from chalicelib.query.reasons import explain

    return json_response(explain(plan, read), {"X-Plan": str(plan)})


def _headers(plan: Plan, cost: Cost, key: CacheKey | None, etag: str, next_page: str | None = None) -> Headers:
    headers: Headers = {"X-Plan": str(plan), **READ_HEADERS, **cost_headers(cost)}
    if key:
        headers |= {"ETag": f'"{etag}"', "X-Position": str(key.position)}
    if next_page and len(next_page) <= MAX_LINK_BYTES:
        headers["Link"] = f'<{next_page}>; rel="next"'
    return headers
