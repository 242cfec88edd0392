"""Runs a plan: pages, leftover conditions, limits, budgets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.dynamodb import schema
from chalicelib.dynamodb.client import Cost, DynamoDB
from chalicelib.dynamodb.items import TypedItem
from chalicelib.dynamodb.transport import CALL_SECONDS
from chalicelib.query.planner import Plan
from chalicelib.settings import Settings

log = logging.getLogger("tablecast")

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


@dataclass(frozen=True)
class Page:
    """`items` in DynamoDB's JSON, and the start key of what follows, None at the end.

    `pages`: DynamoDB's, that it took.
    """

    items: list[TypedItem]
    following: TypedItem | None
    cost: Cost
    pages: int


class Table:
    """The published table, and its schema, kept for SCHEMA_SECONDS."""

    def __init__(self, settings: Settings, dynamodb: DynamoDB, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._clock = clock
        self._schema: schema.TableSchema | None = None
        self._schema_until = 0.0

    def schema(self) -> schema.TableSchema:
        """What of the table's schema is published."""
        if self._schema is None or self._clock() >= self._schema_until:
            answer, _ = self._dynamodb.call("DescribeTable", TableName=self._settings.table_name)
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
        answer, cost = self._dynamodb.call(plan.operation, **plan.request)
        items = [answer["Item"]] if answer.get("Item") else []
        return Page(items, None, cost, 1)

    def items(self, plan: Plan, start: TypedItem | None, limit: int, seconds_left: float) -> Page:
        """Up to `limit` items that match, from behind `start`, filled across DynamoDB's pages within the budget."""
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
            found = answer["Items"]
            if plan.leftovers:
                found = [item for item in found if all(condition.matches(item) for condition in plan.leftovers)]
            room = limit - len(items)
            items += found[:room]
            if len(found) > room:
                # One more than asked for was read, so that `next` is there only where something follows.
                return Page(items, start_key(items[-1], plan), cost, pages)
            start = answer.get("LastEvaluatedKey")
            if not start or len(items) == limit:
                return Page(items, start, cost, pages)
            if pages == BUDGET_PAGES or size >= BUDGET_BYTES or self._clock() >= until:
                return Page(items, start, cost, pages)
            page_limit = min(page_limit * PAGE_GROWTH, MOST_OF_A_PAGE) if plan.filtered else limit - len(items) + 1


def start_key(item: TypedItem, plan: Plan) -> TypedItem:
    """The ExclusiveStartKey that goes on behind `item`: any item's keys are a valid one."""
    return {name: item[name] for name in plan.start_keys}
