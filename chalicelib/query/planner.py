"""Conditions and schema -> `Plan`: the choice of a Query, or a Scan. Pure.

The promise: for every plan the items are exactly those that match the conditions, in the order asked for. So an index
has to be correct before it may be fast: it lacks no item, it projects what is asked, it sorts as asked. Of the correct
indexes the best is used. The texts of a choice, and of its refusals, are in `reasons`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chalicelib.dynamodb.schema import Index
from chalicelib.query import plans
from chalicelib.query.conditions import Condition, merge_range
from chalicelib.query.operators import OPERATORS
from chalicelib.query.plans import KeyCondition, Plan, ReadRequest, top_attributes

_BEST_FIRST = ("table", "local", "global")

# Of the conditions on a sort key, the most selective first.
_PUSH_ORDER = ("eq", "between", "startswith", "gte", "gt", "lte", "lt")

# Why an index may not answer; `reasons` has the texts.
NO_EQUALITY, NOT_CONSISTENT, NEEDS_FIELDS, NOT_PROJECTED, SPARSE, OTHER_ORDER = range(6)


class Refusal(NamedTuple):
    """`why`: one of the constants above. `attributes`: those that an index projects, or lacks."""

    why: int
    attributes: tuple[str, ...] = ()


class Candidate(NamedTuple):
    """An index that can answer with a Query by `key`."""

    source: Index
    key: KeyCondition


def plan_items(read: ReadRequest) -> Plan:
    """Return the plan for a list of items. Raise Problem(400) if `_sort`, `_index` or SCAN=deny allow none."""
    parameters, possible = read.parameters, sources(read)
    candidates = usable_candidates(possible, read)
    if candidates:
        return plans.query(*candidates[0], read)
    if parameters.sort or not (read.settings.scan or parameters.explain):
        from chalicelib.query import reasons  # A request that has a plan never needs the texts.

        raise reasons.no_such_sort(parameters.sort.attribute, read) if parameters.sort else reasons.no_scan(read)
    return plans.scan(possible[0], read)


def sources(read: ReadRequest) -> tuple[Index, ...]:
    """Return the table and its indexes, the table first; or only the index that `_index` names.

    Raise Problem(400) if that index cannot answer the request.
    """
    index = next((index for index in read.schema.indexes if index.name == read.parameters.index_name), None)
    if index is None:
        return read.schema.queryable
    fields = top_attributes(read.parameters.fields)
    not_filterable = index.missing(read.filtered_attributes)
    no_fields = bool(fields) and fields == set(index.missing(fields))
    not_consistent = index.kind == "global" and bool(read.parameters.consistent)
    if not_filterable or no_fields or not_consistent:
        from chalicelib.query import reasons

        raise reasons.cannot_force(index, not_filterable, no_fields)
    return (index,)


def usable_candidates(possible: Iterable[Index], read: ReadRequest) -> list[Candidate]:
    """Return the candidates of the `possible` sources that may answer, the best first."""
    candidates = []
    for index in possible:
        key = key_condition(index, read.parameters.conditions)
        if key and not refusals(index, key, read):
            candidates.append(Candidate(index, key))
    return sorted(candidates, key=lambda each: (each.key.sort is None, _BEST_FIRST.index(each.source.kind)))


def key_condition(index: Index, conditions: Sequence[Condition]) -> KeyCondition | None:
    """Return what of `conditions` a Query of `index` can use as its key condition, None if no equality fixes its
    partition key."""
    equal = (c for c in conditions if c.path == (index.partition,) and c.operator is OPERATORS["eq"])
    partition = next(equal, None)
    if partition is None:
        return None
    sort, covered = _pushed([c for c in conditions if c.path == (index.sort,) and c.operator.on_sort_key])
    return KeyCondition(partition, sort, (partition, *covered))


def _pushed(pushable: Sequence[Condition]) -> tuple[Condition | None, tuple[Condition, ...]]:
    """Return the one sort key condition to use, and those of `pushable` that follow from it in full."""
    by_operator = {condition.operator.key: condition for condition in reversed(pushable)}
    best = next((by_operator[key] for key in _PUSH_ORDER if key in by_operator), None)
    if best is None:
        return None, ()
    low = by_operator.get("gte") or by_operator.get("gt")
    high = by_operator.get("lte") or by_operator.get("lt")
    if low and high and best is low and (both := merge_range(low, high)):
        # BETWEEN includes its ends: our own code tests an end that gt or lt excludes.
        return both, tuple(end for end in (low, high) if end.operator.key in ("gte", "lte"))
    return best, (best,)


def refusals(index: Index, key: KeyCondition | None, read: ReadRequest) -> list[Refusal]:
    """Return why `index` may not answer; empty if it may."""
    sort = read.parameters.sort
    forced = key is not None and index.name is not None and index.name == read.parameters.index_name
    found = [] if forced else list(_obstacles(index, key, read))
    if sort and index.sort != sort.attribute:
        found.append(Refusal(OTHER_ORDER))
    return found


def _obstacles(index: Index, key: KeyCondition | None, read: ReadRequest) -> Iterable[Refusal]:
    fields, projected = read.parameters.fields, index.projected_attributes
    if key is None:
        yield Refusal(NO_EQUALITY)
    if index.kind == "global":
        if read.parameters.consistent:
            yield Refusal(NOT_CONSISTENT)
        if projected is not None and fields is None:
            yield Refusal(NEEDS_FIELDS, tuple(sorted(projected)))
        elif missing := index.missing(read.filtered_attributes | top_attributes(fields)):
            yield Refusal(NOT_PROJECTED, tuple(missing))
    if is_sparse(index, read):
        yield Refusal(SPARSE)


def is_sparse(index: Index, read: ReadRequest) -> bool:
    """Return whether items of the answer may be missing from `index` because they lack its sort key."""
    parameters = read.parameters
    return (
        index.sort is not None
        and index.sort not in read.schema.table.keys
        and not read.settings.dense_indexes & {str(index), "*"}
        and not (parameters.sort and parameters.sort.attribute == index.sort)
        and all(c.negated for c in parameters.conditions if c.attribute == index.sort)
    )
