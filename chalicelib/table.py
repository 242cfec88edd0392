"""Runs a plan: pages, residual conditions, limits, budgets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from chalicelib.dynamodb import schema
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.items import TypedItem
from chalicelib.dynamodb.transport import CALL_SECONDS
from chalicelib.query.access import access_of
from chalicelib.query.plans import Plan
from chalicelib.settings import Settings

log = logging.getLogger("tablecast")

# A request stops reading, and answers with a `next`, once it has spent one of these.
BUDGET_SECONDS = 8.0
BUDGET_BYTES = 1_000_000
BUDGET_PAGES = 25

# A filtered read starts with few items, and reads more each time too few of them match: a common match costs little, a
# rare one takes few round trips.
FIRST_PAGE = 100
PAGE_GROWTH = 4
MAX_PAGE = 100_000

# The time within which a new or deleted index is noticed.
SCHEMA_SECONDS = 60.0


class Page(NamedTuple):
    """`items`: in DynamoDB's JSON. `next_key`: the start key of the rest, None at the end. `pages`: of DynamoDB."""

    items: list[TypedItem]
    next_key: TypedItem | None
    cost: Cost
    pages: int


class Table:
    """The published table, and its schema, which is kept for SCHEMA_SECONDS."""

    def __init__(self, settings: Settings, dynamodb: DynamoDB, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._clock = clock
        self._schema: schema.TableSchema | None = None
        self._schema_until = 0.0

    def schema(self) -> schema.TableSchema:
        """Return the published part of the table's schema."""
        if self._schema is None or self._clock() >= self._schema_until:
            answer, _ = self._dynamodb.call("DescribeTable", TableName=self._settings.table_name)
            described = schema.read(answer["Table"])
            unknown_indexes = self._settings.dense_indexes - {str(index) for index in described.indexes} - {"*"}
            if unknown_indexes:
                log.warning("DENSE_INDEXES names unknown indexes: %s", ", ".join(sorted(unknown_indexes)))
            self._schema = access_of(self._settings, described.table.keys).schema(described)
            self._schema_until = self._clock() + SCHEMA_SECONDS
        return self._schema

    def forget_schema(self) -> None:
        self._schema = None

    def item(self, plan: Plan) -> Page:
        """Return the item that `plan`, a GetItem, reads, or none."""
        answer, cost = self._dynamodb.call(plan.operation, **plan.request)
        # An item without any of the projected attributes is {}: only a missing "Item" is a missing item.
        items = [answer["Item"]] if "Item" in answer else []
        return Page(items, None, cost, 1)

    def items(self, plan: Plan, start: TypedItem | None, limit: int, seconds_left: float) -> Page:
        """Return up to `limit` matching items after `start`, from as many of DynamoDB's pages as the budget allows."""
        until = self._clock() + min(BUDGET_SECONDS, seconds_left - CALL_SECONDS)
        items: list[TypedItem] = []
        cost = Cost()
        pages = size = 0
        page_limit = max(limit + 1, FIRST_PAGE) if plan.filtered else limit + 1
        while True:
            request = {**plan.request, "Limit": page_limit}
            if start:
                request["ExclusiveStartKey"] = start
            answer, spent = self._dynamodb.call(plan.operation, **request)
            pages, cost = pages + 1, cost + spent
            size += answer["bytes"]
            found = _matching(answer["Items"], plan)
            room = limit - len(items)
            items += found[:room]
            if len(found) > room:
                # One item more than asked for was read, so that `next` is set only if something follows.
                return Page(items, start_key(items[-1], plan), cost, pages)
            start = answer.get("LastEvaluatedKey")
            spent_all = pages == BUDGET_PAGES or size >= BUDGET_BYTES or self._clock() >= until
            if not start or len(items) == limit or spent_all:
                return Page(items, start, cost, pages)
            page_limit = min(page_limit * PAGE_GROWTH, MAX_PAGE) if plan.filtered else limit - len(items) + 1


def _matching(items: list[TypedItem], plan: Plan) -> list[TypedItem]:
    if not plan.residual_conditions:
        return items
    return [item for item in items if all(condition.matches(item) for condition in plan.residual_conditions)]


def start_key(item: TypedItem, plan: Plan) -> TypedItem:
    """Return the ExclusiveStartKey that continues after `item`: the keys of any item are a valid one."""
    return {name: item[name] for name in plan.start_keys}
