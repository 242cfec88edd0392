"""One request -> one response: parameters, plan, table, wire. What fails on the way ends as a problem."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

import orjson
from chalice import CORSConfig, Response
from chalice.app import Request

from chalicelib.changes import records
from chalicelib.changes.writer import Feed
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.errors import OUTDATED_SCHEMA, DynamoDBError, failure_of, index_is_gone
from chalicelib.dynamodb.items import READERS, PlainItem, TypedItem, iso_time, picked
from chalicelib.dynamodb.transport import CALL_SECONDS
from chalicelib.problems import MEDIA_TYPE, Headers, Problem, bad_request
from chalicelib.query import controls, cursors
from chalicelib.query.conditions import OPERATORS, Condition, key_value
from chalicelib.query.controls import Query
from chalicelib.query.planner import Plan, Question, plan_item, plan_items
from chalicelib.settings import Settings
from chalicelib.table import Page, Table
from chalicelib.web.caching import Freshness, Version, answer, is_of, same_body, tags

log = logging.getLogger("tablecast")

EXPOSED_HEADERS = ["ETag", "Link", "Retry-After", "Server-Timing", "X-Consumed-Capacity", "X-Plan", "X-Position"]
PREFLIGHT_SECONDS = 7200

NO_FEED = (
    "This API keeps no change feed. Its owner turns it on with FEED_TABLE, and with STREAM_ARN for the handler that "
    "fills the feed (docs/feed.md)."
)
# Only the owner can correct that, so clients wait longer.
OWNER_SECONDS = 60

# API Gateway takes 10,240 bytes of headers, and keys of the longest make a cursor of nearly as many.
MAX_LINK_BYTES = 6_000

# Lambda hands the body on as a string in JSON, where a character of ours can take three times its bytes. So much stays
# within Lambda's 6 MB, and one item, of at most 400 KB, always does.
MAX_BODY_BYTES = 2_000_000

Body = tuple[bytes, str | None, Cost]  # an answer's, the `next` that is in it, and what it took to read


def cors(settings: Settings) -> CORSConfig:
    return CORSConfig(
        allow_origin=settings.allow_origin,
        allow_headers=["Cache-Control", "If-None-Match"],
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )


def _answers(view: Callable[..., Response]) -> Callable[..., Response]:
    """`view`, answering with a problem where it raises."""

    @functools.wraps(view)
    def answer(api: Api, request: Request, *segments: str) -> Response:
        try:
            response = view(api, request, *segments)
        except Exception as error:
            request_id = _context(request).aws_request_id
            problem = problem_of(error, request_id)
            if problem is not error:
                log.error("%s: %s", request_id, problem.detail, exc_info=error)
            if isinstance(error, DynamoDBError) and error.code in OUTDATED_SCHEMA:
                api.table.forget_schema()
            response = Response(problem.body, problem.headers, problem.status)
        # Lets pages of that origin read Server-Timing, and whether an answer came whole or as a 304 (Resource Timing).
        response.headers["Timing-Allow-Origin"] = api.settings.allow_origin
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return answer


class Api:
    """The GET routes over one table."""

    def __init__(self, settings: Settings, dynamodb: DynamoDB) -> None:
        self.settings = settings
        self.table = Table(settings, dynamodb)
        self.feed = Feed(settings, dynamodb) if settings.feed_table else None
        self.freshness = Freshness(settings, self.feed)

    @_answers
    def root(self, request: Request) -> Response:
        """The explorer for a browser; else what there is to ask, as JSON."""
        # Imported here: a function that starts for an item has no use for it.
        from chalicelib.openapi import document
        from chalicelib.web.explorer import page

        if page.is_asked_for(request.headers.get("Accept", "")):
            return page.page(request.headers.get("If-None-Match", ""))
        return _json(document.description(self.table.schema(), self.settings), {"Vary": "Accept"})

    @_answers
    def openapi(self, request: Request) -> Response:
        """The OpenAPI document of all this."""
        from chalicelib.openapi import document

        schema = self.table.schema()
        everything = controls.parse({"_explain": ["true"]}, schema, self.settings)
        plan = plan_items(Question(schema, everything, self.settings)).explain()
        return _json(document.document(schema, self.settings, plan), {})

    @_answers
    def items(self, request: Request) -> Response:
        """The items that the query's conditions hold for."""
        return self._list(request, ())

    @_answers
    def partition(self, request: Request, partition: str) -> Response:
        """The item whose key is `partition`, or the list of its items where the table has a sort key."""
        schema = self.table.schema()
        if schema.table.sort is None:
            return self._item(request, partition)
        name, text = schema.table.partition, _decoded(partition)
        value = key_value(name, text, schema)
        return self._list(request, (Condition((name,), OPERATORS["eq"], ((value,),), False, f"{name}={text}"),))

    @_answers
    def item(self, request: Request, partition: str, sort: str) -> Response:
        """The one item whose keys are `partition` and `sort`."""
        table = self.table.schema().table
        if table.sort is None:
            raise Problem(404, f"An item of this table is at /items/{{{table.partition}}}: the table has no sort key.")
        return self._item(request, partition, sort)

    @_answers
    def changes(self, request: Request) -> Response:
        """The changes after a position, and the position to go on from."""
        asked = controls.parse_changes(_query(request), self.settings)
        since, form = asked.since, "typed" if asked.typed else self.settings.numbers
        if self.feed is None:
            raise Problem(503, NO_FEED, OWNER_SECONDS)
        head, cost = self.freshness.head(anew=since is None, reached=since or 0)
        read, spent = self.feed.read(head.position if since is None else since, asked.limit, head)
        texts: list[orjson.Fragment] = []
        size, following = 0, read.following
        for change in read.changes:
            text = orjson.dumps(self._change(change, form))
            size += len(text)
            if texts and size > MAX_BODY_BYTES:
                following = change["position"] - 1
                break
            texts.append(orjson.Fragment(text))
        return _json({"changes": texts, "next": following, "more": following < head.position}, _cost(cost + spent))

    def _change(self, change: dict[str, Any], form: str) -> dict[str, Any]:
        """A change of the feed in a `form` of `READERS`. What ATTRIBUTES keeps in since it was filed stays in."""
        plain = {name: change[name] for name in ("id", "position")}
        plain |= {"at": iso_time(change["created"]), "op": change["op"]}
        for name in ("key", "new", "old"):
            if name in change:
                image = records.published(change[name], change["key"], self.settings.attributes)
                plain[name] = READERS[form](image)
        return plain

    def _list(self, request: Request, fixed: tuple[Condition, ...]) -> Response:
        schema, query = self.table.schema(), _query(request)
        asked = controls.parse(query, schema, self.settings, fixed)
        plan = plan_items(Question(schema, asked, self.settings))
        start = None
        if asked.cursor is not None:
            start = cursors.decode(asked.cursor, plan.start_keys, schema.types, plan.identity)
        if asked.explain:
            return _json(plan.explain(), {"X-Plan": str(plan)})

        def read() -> Body:
            limit, cost = asked.limit, Cost()
            while True:
                page = self._page(plan, start, limit, _seconds_left(request))
                cost += page.cost
                following = cursors.encode(page.following, plan.start_keys, plan.identity) if page.following else None
                next_page = _next(query, following) if following else None
                items = [_shown(item, asked.form, plan) for item in page.items]
                body = orjson.dumps({"items": items, "count": len(items), "next": next_page})
                if len(body) <= MAX_BODY_BYTES or len(items) == 1:
                    return body, next_page, cost
                limit = len(items) // 2

        return self._fresh(request, query, plan, read)

    def _fresh(self, request: Request, query: Query, plan: Plan, read: Callable[[], Body]) -> Response:
        """304 where the client has what `read` would answer, what is stored of it, or that."""
        anew = "no-cache" in request.headers.get("Cache-Control", "")
        form = [request.path, request.uri_params, sorted(query.items())]
        # The head is left out where there is no time for it and for a page, both at their worst.
        version, cost = None, Cost()
        if _seconds_left(request) > 2 * CALL_SECONDS:
            version, cost = self.freshness.version(form, plan.consistent, anew)
        if_none_match = request.headers.get("If-None-Match", "")
        had = tags(if_none_match)
        found = None
        if version and not anew:
            if current := next((tag for tag in had if is_of(tag, version)), None):
                return Response("", _headers(plan, cost, version, current), 304)
            found = self.freshness.stored(version)
        if found is None:
            body, following, spent = read()
            cost += spent
            found = answer(version, body, following)
            if version:
                self.freshness.store(version, found)
        headers = _headers(plan, cost, version, found.tag, found.following)
        if if_none_match.strip() == "*" or any(same_body(tag, found.tag) for tag in had):
            return Response("", headers, 304)
        return Response(found.body, headers)

    def _page(self, plan: Plan, start: TypedItem | None, limit: int, seconds_left: float) -> Page:
        try:
            return self.table.items(plan, start, limit, seconds_left)
        except DynamoDBError as error:
            # The page before came from the same plan, so that what is wrong now is where to go on.
            if start and error.code == "ValidationException" and not index_is_gone(error):
                raise cursors.not_a_cursor() from error
            raise

    def _item(self, request: Request, *segments: str) -> Response:
        schema, query = self.table.schema(), _query(request)
        asked = controls.parse(query, schema, self.settings, of_item=True)
        texts = map(_decoded, segments)
        key = {name: key_value(name, text, schema) for name, text in zip(schema.table.keys, texts, strict=True)}
        plan = plan_item(key, Question(schema, asked, self.settings))
        if asked.explain:
            return _json(plan.explain(), {"X-Plan": str(plan)})

        def read() -> Body:
            page = self.table.item(plan)
            if not page.items:
                shown = " and ".join(f"{name} {value!r}" for name, (_, value) in key.items())
                raise Problem(404, f"There is no item with {shown}.")
            return orjson.dumps(_shown(page.items[0], asked.form, plan)), None, page.cost

        return self._fresh(request, query, plan, read)


def problem_of(error: Exception, request_id: str) -> Problem:
    """Return the problem to answer with. An error that nobody expects is a 500 that names `request_id`: the cause goes
    to the log, never to the body."""
    if isinstance(error, Problem):
        return error
    failure = failure_of(error) if isinstance(error, DynamoDBError) else None
    if failure:
        return Problem(503, failure.detail, failure.retry_after)
    return Problem(500, f"Internal error. The log entry of this request is {request_id}.")


def chalice_error(response: Response, settings: Settings) -> Response:
    """An error that Chalice answered by itself (a method that no route has) as a problem that a browser can read."""
    if response.status_code < 400 or response.headers.get("Content-Type") == MEDIA_TYPE:
        return response
    problem = Problem(response.status_code, f"{response.body['Message']}.")
    headers = {**response.headers, **problem.headers, **cors(settings).get_access_control_headers()}
    return Response(problem.body, headers, problem.status)


_READ_HEADERS: Headers = {"Content-Type": "application/json", "Cache-Control": "no-cache"}


def _json(body: Mapping[str, Any], headers: Headers) -> Response:
    return Response(orjson.dumps(body).decode(), {**_READ_HEADERS, **headers})


def _headers(plan: Plan, cost: Cost, version: Version | None, tag: str, following: str | None = None) -> Headers:
    headers: Headers = {"X-Plan": str(plan), **_READ_HEADERS, **_cost(cost)}
    if version:
        headers |= {"ETag": f'"{tag}"', "X-Position": str(version.position)}
    if following and len(following) <= MAX_LINK_BYTES:
        headers["Link"] = f'<{following}>; rel="next"'
    return headers


def _cost(cost: Cost) -> Headers:
    return {"Server-Timing": f"dynamodb;dur={cost.seconds * 1000:.1f}", "X-Consumed-Capacity": f"{cost.units:g}"}


def _seconds_left(request: Request) -> float:
    left: float = _context(request).get_remaining_time_in_millis() / 1000
    return left


def _context(request: Request) -> Any:
    return request.lambda_context


def _query(request: Request) -> Query:
    given = request.query_params
    return {} if given is None else {name: given.getlist(name) for name in given}


def _shown(item: TypedItem, form: str, plan: Plan) -> PlainItem:
    for name in plan.strip:
        item.pop(name, None)
    for name, paths in plan.narrow.items():
        if name in item and (kept := picked(item.pop(name), paths)):
            item[name] = kept
    return READERS[form](item)


def _decoded(segment: str) -> str:
    """A path segment as API Gateway hands it on, still percent-encoded (aws/chalice#511), decoded exactly once."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise bad_request(f"{segment[:80]!r} is not percent-encoded UTF-8.") from None


def _next(query: Query, position: str) -> str:
    """The request for the page behind this one, as a reference that resolves against the request's own URL."""
    return "?" + urlencode({**query, "_cursor": [position]}, doseq=True, quote_via=quote, safe=",")
