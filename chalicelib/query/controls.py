"""Query string -> `Parameters`: conditions, and one table of the `_controls`. Pure.

Controls start with `_`, so that every other name is free to be an attribute (Datasette's convention).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.dynamodb.items import Path
from chalicelib.dynamodb.schema import TableSchema
from chalicelib.problems import bad_request
from chalicelib.query.access import access_of
from chalicelib.query.conditions import Condition, readable_path, split_name
from chalicelib.query.conditions import parse as parse_condition
from chalicelib.query.values import shortened, text_list, unquoted
from chalicelib.settings import Settings, one_of, whole_number

DEFAULT_LIMIT = 100
MAX_POSITION = 10**15  # Every client reads a number up to here exactly.

Query = Mapping[str, Sequence[str]]  # API Gateway's multiValueQueryStringParameters: name -> values, decoded
Json = dict[str, Any]


class Sort(NamedTuple):
    attribute: str
    descending: bool


class Parameters(NamedTuple):
    """What one request asks. `consistent`: None where the settings decide. `fields`: None for all."""

    conditions: tuple[Condition, ...]
    limit: int
    numbers: str
    cursor: str | None = None
    sort: Sort | None = None
    fields: tuple[Path, ...] | None = None
    index_name: str | None = None
    consistent: bool | None = None
    typed: bool = False
    explain: bool = False

    @property
    def item_format(self) -> str:
        return item_format(self.typed, self.numbers)


class ChangesParameters(NamedTuple):
    """What one request for changes asks. `since`: None for the position of now."""

    since: int | None
    limit: int
    numbers: str
    typed: bool = False

    @property
    def item_format(self) -> str:
        return item_format(self.typed, self.numbers)


class Control(NamedTuple):
    """One `_control`. `field`: of Parameters or ChangesParameters. `routes`: of LIST, ITEM and CHANGES, those that
    take it.

    `parse(text, settings, schema)` returns the field's value. It raises Problem(400), or a ValueError that says what
    the control takes. `json_schema(settings, schema)`: of its text, for OpenAPI. CHANGES passes no schema.
    """

    field: str
    description: str
    routes: tuple[str, ...]
    parse: Callable[..., Any]
    json_schema: Callable[..., Json]


def item_format(typed: bool, numbers: str) -> str:
    """Return the key of `ITEM_FORMATS` that items are asked for in."""
    return "typed" if typed else numbers


def default_limit(settings: Settings) -> int:
    return min(DEFAULT_LIMIT, settings.max_limit)


def _limit_schema(settings: Settings, schema: TableSchema) -> Json:
    return {"type": "integer", "minimum": 1, "maximum": settings.max_limit, "default": default_limit(settings)}


def _sort(text: str, settings: Settings, schema: TableSchema) -> Sort:
    return Sort(text.removeprefix("-"), text.startswith("-"))


def _sort_schema(settings: Settings, schema: TableSchema) -> Json:
    names = dict.fromkeys(index.sort for index in schema.queryable if index.sort)
    return {"type": "string", "enum": [sign + name for name in names for sign in ("", "-")]}


def _fields(text: str, settings: Settings, schema: TableSchema) -> tuple[Path, ...]:
    quoted = [(name, unquoted(name)) for name in text_list(text)]
    names = [name if string is None else string for name, string in quoted]
    if not all(names) or not names:
        raise bad_request("_fields names no attribute. Give at least one: _fields=a,b.")
    access = access_of(settings, schema.table.keys)
    paths = tuple(dict.fromkeys(readable_path(name, schema, access) for name in names))
    kinds: dict[Path, set[type]] = {}
    for path in paths:
        for depth in range(1, len(path)):
            kinds.setdefault(path[:depth], set()).add(type(path[depth]))
    if both := [path for path, steps in kinds.items() if len(steps) > 1]:
        raise bad_request(f"_fields uses {both[0][-1]!r} as a map and as a list. Use one of them.")
    return paths


def _index(text: str, settings: Settings, schema: TableSchema) -> str:
    names = [str(index.name) for index in schema.indexes]
    if text not in names:
        instead = f"Use {', '.join(names)}." if names else "This table has no index: remove _index."
        raise bad_request(f"There is no index {shortened(text)!r}. {instead}")
    return text


def _index_schema(settings: Settings, schema: TableSchema) -> Json:
    return {"type": "string", "enum": [str(index) for index in schema.indexes]}


LIST, ITEM, CHANGES = "list", "item", "changes"

_FLAG = one_of({"true": True, "false": False})
_NUMBERS = one_of({"string": "string", "number": "number"})

CONTROLS = {
    "_since": Control(
        "since",
        "return the changes after this position; 0 for all that are kept. Without it: no changes, the current position",
        (CHANGES,),
        lambda text, *_: whole_number(0, MAX_POSITION)(text),
        lambda *_: {"type": "integer", "minimum": 0, "maximum": MAX_POSITION, "examples": [0]},
    ),
    "_limit": Control(
        "limit",
        "the most items, or changes, in one answer",
        (LIST, CHANGES),
        lambda text, settings, *_: whole_number(1, settings.max_limit)(text),
        _limit_schema,
    ),
    "_cursor": Control(
        "cursor",
        "where to continue: from the `next` of an answer",
        (LIST,),
        lambda text, *_: text,
        lambda *_: {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    ),
    "_sort": Control("sort", "the attribute to sort by, with - before it for descending", (LIST,), _sort, _sort_schema),
    # The pattern of its text is long, and openapi/parameters.py has it.
    "_fields": Control(
        "fields", "the attributes to return, a comma list", (LIST, ITEM), _fields, lambda *_: {"type": "string"}
    ),
    "_index": Control("index_name", "the index to read; what it lacks is left out", (LIST,), _index, _index_schema),
    "_consistent": Control(
        "consistent",
        "true: read the latest writes",
        (LIST, ITEM),
        lambda text, *_: _FLAG(text),
        # No default: CONSISTENT_READS decides, where a read can be consistent.
        lambda *_: {"type": "boolean"},
    ),
    "_numbers": Control(
        "numbers",
        "numbers as string or number",
        (LIST, ITEM, CHANGES),
        lambda text, *_: _NUMBERS(text),
        lambda settings, *_: {"type": "string", "enum": ["string", "number"], "default": settings.numbers},
    ),
    "_typed": Control(
        "typed",
        "true: each value with its type, as DynamoDB writes it",
        (LIST, ITEM, CHANGES),
        lambda text, *_: _FLAG(text),
        lambda *_: {"type": "boolean", "default": False},
    ),
    "_explain": Control(
        "explain",
        "true: the plan and its reasons; nothing is read",
        (LIST, ITEM),
        lambda text, *_: _FLAG(text),
        lambda *_: {"type": "boolean", "default": False},
    ),
}


def controls_of(route: str) -> dict[str, Control]:
    return {name: control for name, control in CONTROLS.items() if route in control.routes}


def parse(query: Query, schema: TableSchema, settings: Settings, fixed: Sequence[Condition] = ()) -> Parameters:
    """Return what a request for a list asks, with the conditions `fixed` by its path before those of `query`.

    Raise Problem(400) for a parameter that this table cannot answer.
    """
    access = access_of(settings, schema.table.keys)
    given: dict[str, Any] = {"limit": default_limit(settings), "numbers": settings.numbers, "fields": access.paths()}
    conditions = list(fixed)
    for name, texts in query.items():
        if name.startswith("_") and split_name(name)[0] == name:
            given |= _parsed(name, texts, LIST, settings, schema)
        else:
            conditions += [parse_condition(name, text, schema, access) for text in texts]
    return Parameters(conditions=tuple(conditions), **given)


def parse_item(query: Query, schema: TableSchema, settings: Settings) -> Parameters:
    """Return what a request for one item asks: no conditions. Raise Problem(400) for any other parameter."""
    fields = access_of(settings, schema.table.keys).paths()
    given: dict[str, Any] = {"limit": 1, "numbers": settings.numbers, "fields": fields}
    for name, texts in query.items():
        given |= _parsed(name, texts, ITEM, settings, schema)
    return Parameters(conditions=(), **given)


def parse_changes(query: Query, settings: Settings) -> ChangesParameters:
    """Return what a request for changes asks. Raise Problem(400) for any other parameter."""
    given: dict[str, Any] = {"since": None, "limit": default_limit(settings), "numbers": settings.numbers}
    for name, texts in query.items():
        given |= _parsed(name, texts, CHANGES, settings)
    return ChangesParameters(**given)


def _parsed(name: str, texts: Sequence[str], route: str, *scope: Any) -> dict[str, Any]:
    """Return the field of the control `name`, and its value."""
    control = CONTROLS.get(name)
    if control is None or route not in control.routes:
        hint = f" For an attribute of that name write {shortened(name)}__eq." if route == LIST else ""
        raise bad_request(f"Unknown parameter {shortened(name)!r}. Use {', '.join(controls_of(route))}.{hint}")
    if len(texts) > 1:
        raise bad_request(f"{name} is given {len(texts)} times. Give it once.")
    try:
        return {control.field: control.parse(texts[0], *scope)}
    except ValueError as takes:
        raise bad_request(f"{name} is {shortened(texts[0])!r}. Use {takes}.") from None
