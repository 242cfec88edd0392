"""Texts of `_explain`, and of requests that no plan can answer. Imported only when one is needed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.dynamodb.schema import Index
from chalicelib.problems import Problem, bad_request
from chalicelib.query import planner
from chalicelib.query.controls import Sort
from chalicelib.query.planner import Candidate, Refusal
from chalicelib.query.plans import Plan, ReadRequest
from chalicelib.query.values import shortened

# why -> its text, of an index, a refusal and the attribute of `_sort`
_TEXTS: Mapping[int, Callable[[Index, Refusal, str], str]] = {
    planner.NO_EQUALITY: lambda index, refusal, sort: f"no equality fixes {index.partition}",
    planner.NOT_CONSISTENT: lambda index, refusal, sort: "a global index cannot read with _consistent=true",
    planner.NEEDS_FIELDS: lambda index, refusal, sort: (
        f"it projects only {', '.join(refusal.attributes)}: name the _fields to use it"
    ),
    planner.NOT_PROJECTED: lambda index, refusal, sort: f"it does not project {', '.join(refusal.attributes)}",
    planner.SPARSE: lambda index, refusal, sort: (
        f"it lacks items without {index.sort}, which may match (if every item has it, set DENSE_INDEXES={index})"
    ),
    planner.OTHER_ORDER: lambda index, refusal, sort: f"it does not sort by {sort}",
}


def explain(plan: Plan, read: ReadRequest) -> dict[str, Any]:
    """Return the JSON body of `_explain=true`."""
    return {
        "plan": str(plan),
        "reasons": reasons(plan, read),
        "request": plan.request,
        "residual": list(map(str, plan.residual_conditions)),
    }


def reasons(plan: Plan, read: ReadRequest) -> list[str]:
    """Return why `plan` was chosen, and why each other index was not."""
    if plan.operation == "GetItem":
        return ["the path is the whole key of one item"]
    possible = planner.sources(read)
    candidates = planner.usable_candidates(possible, read)
    usable = [candidate.source for candidate in candidates]
    refused = [f"{_label(index)}: not used: {_refused(index, read)}" for index in possible if index not in usable]
    if not candidates:
        why = "no key or index fits: all items are read" if read.settings.scan else "SCAN=deny refuses this request"
        if read.parameters.index_name:
            return [why, f"{plan.source}: scanned: _index names it, and no equality fixes {plan.source.partition}"]
        return [why, *refused]
    best, *others = candidates
    not_better = [f"{_label(other.source)}: not used: {_label(best.source)} is at least as good" for other in others]
    return [_used(best, read), *not_better, *refused]


def _used(best: Candidate, read: ReadRequest) -> str:
    parts = [f"{best.key.partition} fixes its partition"]
    if best.key.sort:
        parts.append(f"{best.key.sort} narrows its sort key")
    if read.parameters.sort:
        parts.append(f"it sorts by {read.parameters.sort.attribute}")
    if read.parameters.index_name:
        parts.append("_index names it")
    return f"{_label(best.source)}: used: {'; '.join(parts)}"


def _label(index: Index) -> str:
    return str(index.name or "the table's key")


def _refused(index: Index, read: ReadRequest) -> str:
    key = planner.key_condition(index, read.parameters.conditions)
    found = planner.refusals(index, key, read)
    sort = read.parameters.sort.attribute if read.parameters.sort else ""
    texts = [_TEXTS[refusal.why](index, refusal, sort) for refusal in found]
    only = ["nothing else prevents its use"] if [refusal.why for refusal in found] == [planner.SPARSE] else []
    return "; ".join((*texts, *only))


def cannot_force(index: Index, not_filterable: list[str], no_fields: bool) -> Problem:
    """Return why `_index` cannot name `index` in this request."""
    projected = _listed(index.projected_attributes or ())
    if not_filterable:
        return bad_request(f"{index} cannot filter by {_listed(not_filterable)}. It projects {projected}.")
    if no_fields:
        return bad_request(f"{index} projects none of the _fields. It projects {projected}.")
    return bad_request(f"{index} is a global index and cannot read consistently. Remove _consistent or _index.")


def no_such_sort(attribute: str, read: ReadRequest) -> Problem:
    """Return which `_sort` the request could have instead, and what an index that sorts so would need."""
    possible: list[str] = []
    needs: dict[Index, str] = {}
    for index in (index for index in read.schema.queryable if index.sort):
        sorted_so = read._replace(parameters=read.parameters._replace(sort=Sort(str(index.sort), False)))
        key = planner.key_condition(index, read.parameters.conditions)
        name = index.name or "The table"
        other_forced = read.parameters.index_name not in (None, index.name)
        if key is None:
            needs[index] = f"{name} sorts by {index.sort} if an equality fixes {index.partition}"
        elif other_forced:
            needs[index] = f"{name} sorts by {index.sort}, but _index names another"
        elif planner.refusals(index, key, sorted_so):
            needs[index] = f"{name} sorts by {index.sort}, but {_refused(index, sorted_so)}"
        else:
            possible.append(str(index.sort))
    can = f"Sortable here: {_listed(possible)}" if possible else "This request cannot be sorted"
    ways = [text for index, text in needs.items() if index.sort == attribute] or needs.values()
    return bad_request(f"Cannot sort by {shortened(attribute)!r}. {'. '.join((can, *ways))}.")


def no_scan(read: ReadRequest) -> Problem:
    """Return which requests SCAN=deny leaves possible."""
    ways: list[str] = []
    refused: list[str] = []
    for index in read.schema.queryable:
        if planner.key_condition(index, read.parameters.conditions):
            refused.append(f" {index} is not used: {_refused(index, read)}.")
        else:
            sparse = planner.is_sparse(index, read)
            ways.append(f"{index.partition} with a condition on {index.sort}" if sparse else index.partition)
    return bad_request(
        "No key or index can answer this, and this API does not scan (SCAN=deny)."
        + "".join(refused)
        + (f" Add an equality on {', or on '.join(dict.fromkeys(ways))}." if ways else "")
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
