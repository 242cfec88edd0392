"""A read's request of DynamoDB: key condition, filter, projection. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from chalicelib.dynamodb.items import Path
from chalicelib.dynamodb.schema import Index, TableSchema
from chalicelib.query.conditions import Condition
from chalicelib.query.controls import Parameters
from chalicelib.query.expressions import Placeholders
from chalicelib.query.values import Value
from chalicelib.settings import Settings

# Reads that are equal in all of these can use each other's cursors.
_IDENTITY = (
    "TableName",
    "IndexName",
    "KeyConditionExpression",
    "FilterExpression",
    "ScanIndexForward",
    "ExpressionAttributeValues",
)


class ReadRequest(NamedTuple):
    """What is asked, of which table, and what its owner allows."""

    schema: TableSchema
    parameters: Parameters
    settings: Settings

    @property
    def consistent(self) -> bool:
        asked = self.parameters.consistent
        return self.settings.consistent_reads if asked is None else asked

    @property
    def filtered_attributes(self) -> set[str]:
        return {condition.attribute for condition in self.parameters.conditions}


class Plan(NamedTuple):
    """One way to answer: an operation of DynamoDB's, and what our own code does to its pages.

    `source`: the table or index it reads. `request`: the operation's parameters without Limit and ExclusiveStartKey.
    `residual_conditions`: tested on each page, since DynamoDB takes them neither as a key condition nor as a filter
    here. `start_keys`: the attributes of a start key. `internal_attributes`: read for the plan alone and not
    returned. `returned_paths`: attribute -> the paths within it to return, where all of it is read for the plan.
    """

    operation: str
    source: Index
    request: Mapping[str, Any]
    residual_conditions: tuple[Condition, ...] = ()
    start_keys: tuple[str, ...] = ()
    internal_attributes: frozenset[str] = frozenset()
    returned_paths: Mapping[str, tuple[Path, ...]] = {}

    @property
    def filtered(self) -> bool:
        """Whether a page can have fewer items than it read."""
        return bool(self.residual_conditions) or "FilterExpression" in self.request

    @property
    def consistent(self) -> bool:
        """Whether the read sees all earlier writes."""
        return bool(self.request.get("ConsistentRead"))

    @property
    def identity(self) -> str:
        """A text that is the same for reads that can continue at each other's cursors."""
        names = self.request.get("ExpressionAttributeNames", {})
        same = [self.request.get(name) for name in _IDENTITY]
        expressions = [re.sub(r"#n\d+", lambda name: names[name[0]], text) for text in same if isinstance(text, str)]
        residual = [(c.path, c.operator.key, c.alternatives, c.negated) for c in self.residual_conditions]
        return orjson.dumps([self.operation, same[-2:], expressions, residual]).decode()

    def __str__(self) -> str:
        return f"{self.operation} index={self.source.name}" if self.source.name else self.operation


class KeyCondition(NamedTuple):
    """What narrows a Query: an equality on the partition key, and at most one condition on the sort key.

    `covered_conditions`: conditions of the request that follow from it in full.
    """

    partition: Condition
    sort: Condition | None
    covered_conditions: tuple[Condition, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (self.partition, self.sort) if self.sort else (self.partition,)


def get_item(key: Mapping[str, Value], read: ReadRequest) -> Plan:
    """Return the GetItem of the item with `key`: the values of the table's key attributes."""
    request: dict[str, Any] = {
        "TableName": read.schema.name,
        "Key": {name: dict([value]) for name, value in key.items()},
        "ConsistentRead": read.consistent,
    }
    if read.parameters.fields is not None:
        placeholders = Placeholders()
        request["ProjectionExpression"] = placeholders.projection(read.parameters.fields)
        request["ExpressionAttributeNames"] = placeholders.names
    return Plan("GetItem", read.schema.table, request)


def query(index: Index, key: KeyCondition, read: ReadRequest) -> Plan:
    """Return the Query of the partition, or the part of it, that `key` selects."""
    covered = [condition.meaning for condition in key.covered_conditions]
    rest = [condition for condition in read.parameters.conditions if condition.meaning not in covered]
    # DynamoDB refuses the keys of what is queried in a filter. Its documentation does not say whether a filter on a
    # local index sees what DynamoDB fetches from the table: conditions on attributes outside the index stay here.
    unfilterable = {*index.keys, *index.missing(read.filtered_attributes)}
    if index.kind == "local":
        unfilterable.update(read.schema.table.keys)
    sort, placeholders = read.parameters.sort, Placeholders()
    request = {
        "KeyConditionExpression": placeholders.conjunction(key.conditions),
        "ScanIndexForward": not (sort and sort.descending),
    }
    filters = [condition for condition in rest if condition.attribute not in unfilterable]
    residual = tuple(condition for condition in rest if condition.attribute in unfilterable)
    return _plan(Plan("Query", index, request, residual), filters, placeholders, read)


def scan(index: Index, read: ReadRequest) -> Plan:
    """Return the Scan of the table, or of all of `index`."""
    return _plan(Plan("Scan", index, {}), read.parameters.conditions, Placeholders(), read)


def top_attributes(paths: Iterable[Path] | None) -> set[str]:
    return {str(path[0]) for path in paths or ()}


def _plan(plan: Plan, filters: Sequence[Condition], placeholders: Placeholders, read: ReadRequest) -> Plan:
    """Return `plan` with what Query and Scan share: table, filter, projection, consistency."""
    index, fields = plan.source, _fields(plan.source, read)
    request = {**plan.request, "TableName": read.schema.name}
    if index.name:
        request["IndexName"] = index.name
    if filters:
        request["FilterExpression"] = placeholders.conjunction(filters)
    plan = plan._replace(start_keys=tuple(dict.fromkeys((*read.schema.table.keys, *index.keys))))
    if fields is not None:
        needed = {*plan.start_keys, *(condition.attribute for condition in plan.residual_conditions)}
        plan = _projected(plan, fields, needed)
        request["ProjectionExpression"] = placeholders.projection((*fields, *((name,) for name in sorted(needed))))
    elif index.projected_attributes is not None:
        request["Select"] = "ALL_ATTRIBUTES"  # A local index fetches the attributes that it does not project.
    if placeholders.names:
        request["ExpressionAttributeNames"] = placeholders.names
    if placeholders.values:
        request["ExpressionAttributeValues"] = placeholders.values
    if index.kind != "global":
        request["ConsistentRead"] = read.consistent
    return plan._replace(request=request)


def _fields(index: Index, read: ReadRequest) -> tuple[Path, ...] | None:
    """Return the paths to return, None for all. An index that `_index` forces returns only what it projects."""
    fields, projected = read.parameters.fields, index.projected_attributes
    if read.parameters.index_name and projected is not None:
        asked = fields or [(name,) for name in sorted(projected)]
        return tuple(path for path in asked if path[0] in projected)
    return fields


def _projected(plan: Plan, fields: Sequence[Path], needed: set[str]) -> Plan:
    """Return `plan`, which needs the attributes `needed`, with those to remove from each item, and with those of which
    `fields` name only parts."""
    internal = frozenset(needed - top_attributes(fields))
    partly = needed - internal - {path[0] for path in fields if len(path) == 1}
    returned = {name: tuple(path[1:] for path in fields if path[0] == name) for name in partly}
    return plan._replace(internal_attributes=internal, returned_paths=returned)
