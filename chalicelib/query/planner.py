"""Conditions + schema -> `Plan`: which Query, or a Scan, and why. Pure.

The promise: whatever the plan, the items are exactly those that the conditions hold for, in the order asked for. So an
index has to be right before it may be fast: it loses nothing, it covers what is asked, it sorts as asked. Among those
that are right the better one is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from chalicelib.dynamodb.schema import Index, TableSchema
from chalicelib.problems import Problem, bad_request
from chalicelib.query.conditions import OPERATORS, Condition, Path, Placeholders, fold
from chalicelib.query.controls import Parameters, Sort
from chalicelib.query.values import Value
from chalicelib.settings import Settings

# DynamoDB's quotas for an expression.
EXPRESSION_BYTES = 4096
EXPRESSION_OPERATORS = 300
_OPERATOR = re.compile(r"\b(?:AND|OR|NOT|IN|BETWEEN|begins_with|contains|attribute_exists)\b|[<>=]+")

_BETTER_FIRST = ("table", "local", "global")

# What makes a read the same read, so that a cursor can be told to be of it: not its fields, nor its consistency.
_IDENTITY = (
    "TableName",
    "IndexName",
    "KeyConditionExpression",
    "FilterExpression",
    "ScanIndexForward",
    "ExpressionAttributeValues",
)


@dataclass(frozen=True)
class Plan:
    """One way to answer: an operation of DynamoDB's, what our own code does to its pages, and the reasons.

    `request`: the operation's parameters, but for Limit and ExclusiveStartKey. `leftovers`: conditions to apply to each
    page, since DynamoDB takes them neither as a key condition nor as a filter here. `start_keys`: the attributes of a
    start key. `strip`: attributes that are read for the plan's own sake and do not go out. `narrow`: those read whole
     for its sake, and the paths in them that go out.
    """

    operation: str
    index: Index
    request: Mapping[str, Any]
    reasons: tuple[str, ...]
    leftovers: tuple[Condition, ...] = ()
    start_keys: tuple[str, ...] = ()
    strip: frozenset[str] = frozenset()
    narrow: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    @property
    def filtered(self) -> bool:
        """Whether a page can hold fewer items than it read."""
        return bool(self.leftovers) or "FilterExpression" in self.request

    @property
    def consistent(self) -> bool:
        """Whether it reads all that was written before."""
        return bool(self.request.get("ConsistentRead"))

    @property
    def identity(self) -> str:
        names = self.request.get("ExpressionAttributeNames", {})
        same = [self.request.get(name) for name in _IDENTITY]
        expressions = [re.sub(r"#n\d+", lambda name: names[name[0]], text) for text in same if isinstance(text, str)]
        leftovers = [(c.path, c.operator.key, c.alternatives, c.negated) for c in self.leftovers]
        return orjson.dumps([self.operation, same[-2:], expressions, leftovers]).decode()

    def __str__(self) -> str:
        return f"{self.operation} index={self.index.name}" if self.index.name else self.operation

    def explain(self) -> dict[str, Any]:
        """The plan for people: the JSON body of `_explain=true`."""
        return {
            "plan": str(self),
            "reasons": self.reasons,
            "request": self.request,
            "in_code": list(map(str, self.leftovers)),
        }


@dataclass(frozen=True)
class Question:
    """What is asked, of which table, and what its owner allows."""

    schema: TableSchema
    parameters: Parameters
    settings: Settings

    @property
    def consistent(self) -> bool:
        asked = self.parameters.consistent
        return self.settings.consistent_reads if asked is None else asked

    @property
    def fields(self) -> tuple[Path, ...] | None:
        """The paths to answer with, None for all."""
        published = self.settings.attributes
        if self.parameters.fields is not None or published is None:
            return self.parameters.fields
        return tuple((name,) for name in sorted(published.union(self.schema.table.keys)))

    @property
    def filtered_by(self) -> set[str]:
        return {condition.attribute for condition in self.parameters.conditions}


@dataclass(frozen=True)
class _Candidate:
    """An index whose partition the request fixes. `sort`: what is pushed into its key condition beside `partition`.
    `absorbed`: the conditions that this key condition says in full."""

    index: Index
    partition: Condition
    sort: Condition | None
    absorbed: tuple[Condition, ...]

    @property
    def rank(self) -> tuple[bool, int]:
        return self.sort is None, _BETTER_FIRST.index(self.index.kind)

    def explain(self, question: Question) -> str:
        parts = [f"{self.partition} fixes its partition"]
        if self.sort:
            parts.append(f"{self.sort} narrows its sort key")
        if question.parameters.sort:
            parts.append(f"it sorts by {question.parameters.sort.attribute}")
        if question.parameters.index:
            parts.append("_index asks for it")
        return f"{self.index}: used: {'; '.join(parts)}"


def plan_items(question: Question) -> Plan:
    """The plan for a list of items. Problem: `_sort`, `_index` or SCAN=deny leave none."""
    schema, parameters = question.schema, question.parameters
    forced = next((index for index in schema.indexes if index.name == parameters.index), None)
    if forced:
        _check_forced(forced, question)
    candidates: list[_Candidate] = []
    refused: dict[Index, str] = {}
    for index in (forced,) if forced else schema.queryable:
        candidate = _candidate(index, parameters.conditions)
        refusals = [] if forced and candidate else _refusals(index, candidate, question)
        if parameters.sort and index.sort != parameters.sort.attribute:
            refusals.append(f"it does not sort by {parameters.sort.attribute}")
        if candidate and not refusals:
            candidates.append(candidate)
        else:
            refused[index] = f"{index}: not used: {'; '.join(refusals)}"
    best = min(candidates, key=lambda candidate: candidate.rank, default=None)
    if best:
        others = [f"{c.index}: not used: {best.index} is at least as good" for c in candidates if c is not best]
        return _query(best, question, (best.explain(question), *others, *refused.values()))
    if parameters.sort:
        raise _no_such_sort(parameters.sort.attribute, question)
    if not question.settings.scan and not parameters.explain:
        raise _no_scan(question)
    why = "no key or index can answer this: all is read" if question.settings.scan else "SCAN=deny: this is refused"
    return _scan(forced or schema.table, question, (why, *refused.values()))


def plan_item(key: Mapping[str, Value], question: Question) -> Plan:
    """The plan for the one item that has `key`: the values of the table's key attributes."""
    request: dict[str, Any] = {
        "TableName": question.schema.name,
        "Key": {name: dict([value]) for name, value in key.items()},
        "ConsistentRead": question.consistent,
    }
    if question.fields is not None:
        placeholders = Placeholders()
        request["ProjectionExpression"] = _projection(question.fields, placeholders)
        request["ExpressionAttributeNames"] = placeholders.names
    return Plan("GetItem", question.schema.table, request, ("the path is the whole key of one item",))


def _candidate(index: Index, conditions: Sequence[Condition]) -> _Candidate | None:
    equal = (c for c in conditions if c.path == (index.partition,) and c.operator is OPERATORS["eq"])
    partition = next(equal, None)
    if partition is None:
        return None
    sort, absorbed = _pushed([c for c in conditions if c.path == (index.sort,) and c.operator.on_sort_key])
    return _Candidate(index, partition, sort, (partition, *absorbed))


# The most telling first.
_PUSH_ORDER = ("eq", "between", "startswith", "gte", "gt", "lte", "lt")


def _pushed(pushable: Sequence[Condition]) -> tuple[Condition | None, tuple[Condition, ...]]:
    """The one condition on the sort key to push, and those of `pushable` that it says in full."""
    by_operator = {condition.operator.key: condition for condition in reversed(pushable)}
    best = next((by_operator[key] for key in _PUSH_ORDER if key in by_operator), None)
    if best is None:
        return None, ()
    low = by_operator.get("gte") or by_operator.get("gt")
    high = by_operator.get("lte") or by_operator.get("lt")
    if low and high and best is low and (both := fold(low, high)):
        # BETWEEN holds its ends: an end that gt or lt leaves out is left to our own code.
        return both, tuple(end for end in (low, high) if end.operator.key in ("gte", "lte"))
    return best, (best,)


def _refusals(index: Index, candidate: _Candidate | None, question: Question) -> list[str]:
    """Why `index` may not answer; empty where it may."""
    refusals = []
    if candidate is None:
        refusals.append(f"{index.partition} is not fixed by an equality")
    if index.kind == "global":
        if question.parameters.consistent:
            refusals.append("a global index has no consistent reads, which _consistent=true asks for")
        if index.holds is not None and question.fields is None:
            refusals.append(f"it holds only {_listed(index.holds)}: name the _fields to use it")
        elif lacking := index.lacks(question.filtered_by.union(_tops(question.fields))):
            refusals.append(f"it does not hold {_listed(lacking)}")
    if _sparse(index, question):
        alone = "" if refusals else "; nothing else stands in its way"
        refusals.append(
            f"it holds only items that have {index.sort}, and this request is for others too"
            f" (DENSE_INDEXES={index} would say that there are none){alone}"
        )
    return refusals


def _sparse(index: Index, question: Question) -> bool:
    """Whether items that can be in the answer may be missing from `index`, for want of its sort key."""
    parameters = question.parameters
    return (
        index.sort is not None
        and index.sort not in question.schema.table.keys
        and not question.settings.dense_indexes & {str(index), "*"}
        and not (parameters.sort and parameters.sort.attribute == index.sort)
        and all(c.negated for c in parameters.conditions if c.attribute == index.sort)
    )


def _check_forced(index: Index, question: Question) -> None:
    held = _listed(index.holds or ())
    if lacking := index.lacks(question.filtered_by):
        raise bad_request(f"{index} does not hold {_listed(lacking)}, so it cannot filter by it: it holds {held}.")
    fields = _tops(question.fields)
    if fields and fields == set(index.lacks(fields)):
        raise bad_request(f"{index} holds none of the fields asked for: it holds {held}.")
    if index.kind == "global" and question.parameters.consistent:
        raise bad_request(f"{index} is a global index, which has no consistent reads: leave out _consistent or _index.")


def _no_such_sort(attribute: str, question: Question) -> Problem:
    parameters, schema = question.parameters, question.schema
    possible, ways = [], {}
    for index in (index for index in schema.queryable if index.sort):
        so_sorted = replace(question, parameters=replace(parameters, sort=Sort(str(index.sort), False)))
        candidate = _candidate(index, parameters.conditions)
        refusals = [] if index.name == parameters.index else _refusals(index, candidate, so_sorted)
        if candidate is None:
            ways[index] = f"{index} sorts by {index.sort} where {index.partition} is fixed by an equality"
        elif parameters.index not in (None, index.name) or refusals:
            ways[index] = f"{index} sorts by {index.sort}, but {'; '.join(refusals) or '_index asks for another'}"
        else:
            possible.append(index.sort)
    can = f"it could have _sort={_listed(possible)}" if possible else "it cannot be sorted"
    told = [way for index, way in ways.items() if index.sort == attribute] or ways.values()
    return bad_request(
        f"_sort is {attribute[:80]!r}, which is no order this request could have: {'. '.join((can, *told))}."
    )


def _no_scan(question: Question) -> Problem:
    ways, whys = [], []
    for index in question.schema.queryable:
        candidate = _candidate(index, question.parameters.conditions)
        if candidate:
            whys.append(f" {index} is not used: {'; '.join(_refusals(index, candidate, question))}.")
        else:
            ways.append(f"{index.partition}, with {index.sort}" if _sparse(index, question) else index.partition)
    return bad_request(
        "No key or index can answer this, and this API does not scan (SCAN=deny)."
        + "".join(whys)
        + (f" What can be queried is one value of {' or of '.join(dict.fromkeys(ways))}." if ways else "")
    )


def _query(best: _Candidate, question: Question, reasons: tuple[str, ...]) -> Plan:
    index, sort = best.index, question.parameters.sort
    rest = [condition for condition in question.parameters.conditions if condition not in best.absorbed]
    # DynamoDB refuses the keys of what is queried in a filter. Nor does it say whether a filter on a local index sees
    # what it fetches from the table: what such an index does not hold is tested here.
    in_code = {*index.keys, *index.lacks(question.filtered_by)}
    if index.kind == "local":
        in_code.update(question.schema.table.keys)
    placeholders = Placeholders()
    keys = [condition for condition in (best.partition, best.sort) if condition]
    request = {
        "KeyConditionExpression": " AND ".join(map(placeholders.condition, keys)),
        "ScanIndexForward": not (sort and sort.descending),
    }
    filters = [condition for condition in rest if condition.attribute not in in_code]
    leftovers = tuple(condition for condition in rest if condition.attribute in in_code)
    return _plan("Query", index, request, placeholders, filters, leftovers, question, reasons)


def _scan(index: Index, question: Question, reasons: tuple[str, ...]) -> Plan:
    return _plan("Scan", index, {}, Placeholders(), question.parameters.conditions, (), question, reasons)


def _plan(
    operation: str,
    index: Index,
    request: dict[str, Any],
    placeholders: Placeholders,
    filters: Sequence[Condition],
    leftovers: tuple[Condition, ...],
    question: Question,
    reasons: tuple[str, ...],
) -> Plan:
    """`request` with what Query and Scan have in common: the table, the filter, the projection, consistency."""
    request["TableName"] = question.schema.name
    if index.name:
        request["IndexName"] = index.name
    if filters:
        request["FilterExpression"] = _sized(" AND ".join(map(placeholders.condition, filters)))
    start_keys = tuple(dict.fromkeys((*question.schema.table.keys, *index.keys)))
    fields, strip = question.fields, frozenset[str]()
    narrow: dict[str, tuple[Path, ...]] = {}
    if question.parameters.index and index.holds is not None:
        asked = fields or [(name,) for name in sorted(index.holds)]
        fields = tuple(path for path in asked if path[0] in index.holds)
    if fields is not None:
        needed = {*start_keys, *(condition.attribute for condition in leftovers)}
        strip = frozenset(needed - _tops(fields))
        for name in needed - strip - {path[0] for path in fields if len(path) == 1}:
            narrow[name] = tuple(path[1:] for path in fields if path[0] == name)
        request["ProjectionExpression"] = _projection((*fields, *((name,) for name in sorted(needed))), placeholders)
    elif index.holds is not None:
        request["Select"] = "ALL_ATTRIBUTES"  # A local index fetches from the table what it does not hold.
    if placeholders.names:
        request["ExpressionAttributeNames"] = placeholders.names
    if placeholders.values:
        request["ExpressionAttributeValues"] = placeholders.values
    if index.kind != "global":
        request["ConsistentRead"] = question.consistent
    return Plan(operation, index, request, reasons, leftovers, start_keys, strip, narrow)


def _projection(paths: Sequence[Path], placeholders: Placeholders) -> str:
    """A ProjectionExpression of `paths`, without those inside another: DynamoDB refuses paths that overlap."""
    asked = dict.fromkeys(paths)
    outermost = [path for path in asked if not any(path[:depth] in asked for depth in range(1, len(path)))]
    return _sized(", ".join(map(placeholders.path, outermost)))


def _sized(expression: str) -> str:
    """`expression`, where it is within DynamoDB's quotas. Names and values are placeholders, so words are operators."""
    operators = len(_OPERATOR.findall(expression))
    if len(expression) > EXPRESSION_BYTES or operators > EXPRESSION_OPERATORS:
        raise bad_request(
            f"This asks too much at once: as an expression it has {len(expression)} bytes and {operators} operators, "
            f"of which DynamoDB takes {EXPRESSION_BYTES} and {EXPRESSION_OPERATORS}. "
            "Ask with fewer conditions, values or fields."
        )
    return expression


def _tops(paths: Iterable[Path] | None) -> set[str]:
    return {str(path[0]) for path in paths or ()}


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, names)))
