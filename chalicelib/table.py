"""Runs a plan: pages, leftover conditions, limits, budgets. The only one to call DynamoDB."""

from __future__ import annotations

import base64
import gc
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore
import botocore.session
import orjson
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from botocore.parsers import JSONParser, ResponseParserFactory

from chalicelib import schema
from chalicelib.planner import Plan
from chalicelib.settings import Settings
from chalicelib.wire import TypedItem

log = logging.getLogger("tablecast")

# Three attempts of a second to connect and two and a half to answer, and at most three seconds of waiting between them:
# DescribeTable and the first read, both at their worst, fit into a function's 29 seconds.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS, BACKOFF_SECONDS = 1, 2.5, 3, 3
CALL_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + BACKOFF_SECONDS

_METHODS = {"DescribeTable": "describe_table", "GetItem": "get_item", "Query": "query", "Scan": "scan"}
_VALUES = {"Key", "ExclusiveStartKey", "ExpressionAttributeValues"}

# A request stops reading, and answers with a `next`, once it has spent one of these.
BUDGET_SECONDS = 8.0
BUDGET_BYTES = 1_000_000
BUDGET_PAGES = 25

# A filtered read starts with few items and asks for more each time it finds too few of them to match: a common match
# costs little, a rare one takes few turns.
FIRST_PAGE = 100
PAGE_GROWTH = 4
MOST_OF_A_PAGE = 100_000

# An index that is made, or gone, is noticed within this time.
SCHEMA_SECONDS = 60.0


class _BodyParser(JSONParser):  # type: ignore[misc]
    """botocore's parser for errors; for an answer, its body as it came. Its own walk over DynamoDB's recursive shapes
    costs more than all else in a request together (boto/boto3#2928)."""

    def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        if response["status_code"] >= 300:
            parsed: dict[str, Any] = super().parse(response, shape)
            return parsed
        return {"body": response["body"], "ResponseMetadata": {"HTTPStatusCode": response["status_code"]}}


class _BodyParserFactory(ResponseParserFactory):  # type: ignore[misc]
    def create_parser(self, protocol_name: str) -> _BodyParser:
        return _BodyParser()


def connect() -> Any:
    """A DynamoDB client of botocore's whose answers are {"body": bytes}: credentials, region, endpoint and signing
    as botocore has them, and retries that end within CALL_SECONDS."""
    session = botocore.session.get_session()
    session.register_component("response_parser_factory", _BodyParserFactory())
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        parameter_validation=False,
        # botocore's own is put together anew for each request.
        user_agent=f"tablecast botocore/{botocore.__version__}",
    )
    client = session.create_client("dynamodb", config=config)
    # What is here by now stays as long as the function does: the collector need not go through it for every page.
    gc.freeze()
    return client


@dataclass(frozen=True)
class Page:
    """`items` in DynamoDB's JSON, and the start key of what follows, None at the end.

    `units`: read capacity units. `seconds`: spent waiting for DynamoDB. `pages`: DynamoDB's, that it took.
    """

    items: list[TypedItem]
    following: TypedItem | None
    units: float
    seconds: float
    pages: int


class Table:
    """The published table: its client, made when first needed, and its schema, kept for SCHEMA_SECONDS."""

    def __init__(self, settings: Settings, client: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._schema: schema.TableSchema | None = None
        self._schema_until = 0.0

    def schema(self) -> schema.TableSchema:
        """What of the table's schema is published."""
        if self._schema is None or self._clock() >= self._schema_until:
            answer, _ = self._call("DescribeTable", {"TableName": self._settings.table_name})
            described = schema.read(answer["Table"])
            strangers = self._settings.dense_indexes - {str(index) for index in described.indexes} - {"*"}
            if strangers:
                log.warning("DENSE_INDEXES names %s, which this table does not have", ", ".join(sorted(strangers)))
            self._schema = described.published(self._settings.attributes)
            self._schema_until = self._clock() + SCHEMA_SECONDS
        return self._schema

    def forget_schema(self) -> None:
        self._schema = None

    def item(self, plan: Plan) -> Page:
        """The one item that `plan`, a GetItem, is for, or none."""
        answer, seconds = self._call(plan.operation, {**plan.request, "ReturnConsumedCapacity": "TOTAL"})
        items = [answer["Item"]] if answer.get("Item") else []
        return Page(items, None, _units(answer), seconds, 1)

    def items(self, plan: Plan, start: TypedItem | None, limit: int, seconds_left: float) -> Page:
        """Up to `limit` items that match, from behind `start`, filled across DynamoDB's pages within the budget."""
        until = self._clock() + min(BUDGET_SECONDS, seconds_left - CALL_SECONDS)
        items: list[TypedItem] = []
        units = seconds = 0.0
        pages = size = 0
        page_limit = max(limit + 1, FIRST_PAGE) if plan.filtered else limit + 1
        while True:
            request = {**plan.request, "Limit": page_limit, "ReturnConsumedCapacity": "TOTAL"}
            if start:
                request["ExclusiveStartKey"] = start
            answer, spent = self._call(plan.operation, request)
            pages, units, seconds = pages + 1, units + _units(answer), seconds + spent
            size += answer["bytes"]
            found = answer["Items"]
            if plan.leftovers:
                found = [item for item in found if all(condition.matches(item) for condition in plan.leftovers)]
            room = limit - len(items)
            items += found[:room]
            if len(found) > room:
                # One more than asked for was read, so that `next` is there only where something follows.
                return Page(items, start_key(items[-1], plan), units, seconds, pages)
            start = answer.get("LastEvaluatedKey")
            if not start or len(items) == limit:
                return Page(items, start, units, seconds, pages)
            if pages == BUDGET_PAGES or size >= BUDGET_BYTES or self._clock() >= until:
                return Page(items, start, units, seconds, pages)
            page_limit = min(page_limit * PAGE_GROWTH, MOST_OF_A_PAGE) if plan.filtered else limit - len(items) + 1

    def _call(self, operation: str, request: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """DynamoDB's answer, with the bytes it came in, and the seconds it took."""
        if self._client is None:
            self._client = connect()
        call = getattr(self._client, _METHODS[operation])
        sent = {name: _with_bytes(value) if name in _VALUES else value for name, value in request.items()}
        began = self._clock()
        body = call(**sent)["body"]
        spent = self._clock() - began
        try:
            answer: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise HTTPClientError(error=f"half an answer: {error}") from error
        answer["bytes"] = len(body)
        return answer, spent


def _with_bytes(values: TypedItem) -> TypedItem:
    """`values` with binary as the bytes that botocore makes base64 of again."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in values.items()}


def start_key(item: TypedItem, plan: Plan) -> TypedItem:
    """The ExclusiveStartKey that goes on behind `item`: any item's keys are a valid one."""
    return {name: item[name] for name in plan.start_keys}


def _units(answer: dict[str, Any]) -> float:
    return float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
