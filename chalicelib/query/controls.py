"""Query string -> `Parameters`: the `_controls`, one table of them, and the conditions. Pure.

Control parameters start with `_`, so that every other name is free to be an attribute (Datasette's convention).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.dynamodb.schema import TableSchema
from chalicelib.problems import bad_request
from chalicelib.query import values
from chalicelib.query.conditions import Condition, Path, published_path, split_name
from chalicelib.query.conditions import parse as parse_condition
from chalicelib.settings import Settings

DEFAULT_LIMIT = 100
LATEST_POSITION = 10**15

Query = Mapping[str, Sequence[str]]  # API Gateway's multiValueQueryStringParameters: name -> values, decoded


@dataclass(frozen=True)
class Sort:
    attribute: str
    descending: bool


@dataclass(frozen=True)
class Parameters:
    """What one request asks. `consistent`: None where it leaves that to the settings. `fields`: None for all."""

    conditions: tuple[Condition, ...]
    limit: int
    numbers: str
    cursor: str | None = None
    sort: Sort | None = None
    fields: tuple[Path, ...] | None = None
    index: str | None = None
    consistent: bool | None = None
    typed: bool = False
    explain: bool = False

    @property
    def form(self) -> str:
        """The key of `wire.READERS` that gives items as they are asked for."""
        return "typed" if self.typed else self.numbers


def _whole_number(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise bad_request(f"{name} is {text[:80]!r}: it takes a whole number from {least} to {most}.")
    return int(text)


def _limit(text: str, schema: TableSchema, settings: Settings) -> int:
    return _whole_number("_limit", text, 1, settings.max_limit)


def _sort(text: str, schema: TableSchema, settings: Settings) -> Sort:
    return Sort(text.removeprefix("-"), text.startswith("-"))


def _fields(text: str, schema: TableSchema, settings: Settings) -> tuple[Path, ...]:
    quoted = [(name, values.unquoted(name)) for name in values.text_list(text)]
    names = [name if string is None else string for name, string in quoted]
    if not all(names) or not names:
        raise bad_request("_fields names no attribute: give a comma list of at least one, as _fields=a,b.")
    paths = tuple(dict.fromkeys(published_path(name, schema, settings.attributes) for name in names))
    kinds: dict[Path, set[type]] = {}
    for path in paths:
        for depth in range(1, len(path)):
            kinds.setdefault(path[:depth], set()).add(type(path[depth]))
    if both := [path for path, steps in kinds.items() if len(steps) > 1]:
        raise bad_request(f"_fields takes {both[0][-1]!r} for a map and for a list: it is one or the other.")
    return paths


def _index(text: str, schema: TableSchema, settings: Settings) -> str:
    names = [str(index.name) for index in schema.indexes]
    if text not in names:
        has = f"it has {', '.join(names)}" if names else "it has none"
        raise bad_request(f"_index is {text[:80]!r}, which is no index of this table: {has}.")
    return text


def _word(name: str, text: str, words: Mapping[str, Any]) -> Any:
    if text not in words:
        raise bad_request(f"{name} is {text[:80]!r}: it takes {' or '.join(words)}.")
    return words[text]


FLAG = {"true": True, "false": False}
NUMBERS = {"string": "string", "number": "number"}


def _one_of(name: str, words: Mapping[str, Any]) -> Callable[[str, TableSchema, Settings], Any]:
    return lambda text, schema, settings: _word(name, text, words)


@dataclass(frozen=True)
class Control:
    """One `_control`: `words` for people; `read` makes of its text the field of `Parameters` that has its name."""

    words: str
    read: Callable[[str, TableSchema, Settings], Any]
    of_item: bool = False


# `of_item`: a request for a single item takes it too.
CONTROLS = {
    "_limit": Control("the most items in one answer", _limit),
    "_cursor": Control("where to go on: from the `next` of an answer", lambda text, schema, settings: text),
    "_sort": Control("the attribute to sort by, with - before it for the last first", _sort),
    "_fields": Control("the attributes to answer with, a comma list", _fields, of_item=True),
    "_index": Control("the index to read; what it does not hold is left out", _index),
    "_consistent": Control("whether to read what was written last", _one_of("_consistent", FLAG), of_item=True),
    "_numbers": Control("numbers as string or number", _one_of("_numbers", NUMBERS), of_item=True),
    "_typed": Control("true: each value with its type, as DynamoDB writes it", _one_of("_typed", FLAG), of_item=True),
    "_explain": Control("true: the plan and its reasons, nothing read", _one_of("_explain", FLAG), of_item=True),
}


def parse(
    query: Query, schema: TableSchema, settings: Settings, fixed: Sequence[Condition] = (), of_item: bool = False
) -> Parameters:
    """The parameters that `query` holds, with the conditions that the path has `fixed` before its own.

    `of_item`: of a request for a single item, which takes no conditions. Problem: one that cannot be answered.
    """
    given: dict[str, Any] = {"limit": default_limit(settings), "numbers": settings.numbers}
    conditions = list(fixed)
    for name, texts in query.items():
        control = CONTROLS.get(name)
        if control and (control.of_item or not of_item):
            given[name.removeprefix("_")] = control.read(_once(name, texts), schema, settings)
        elif of_item or (name.startswith("_") and split_name(name)[0] == name):
            known = [name for name, control in CONTROLS.items() if control.of_item or not of_item]
            hint = "" if of_item else f" (an attribute of that name is asked for as {name[:80]}__eq)"
            raise bad_request(f"{name[:80]!r} is no parameter here{hint}: there are {', '.join(known)}.")
        else:
            conditions += [parse_condition(name, text, schema, settings.attributes) for text in texts]
    return Parameters(conditions=tuple(conditions), **given)


@dataclass(frozen=True)
class ChangesParameters:
    """What a request for changes asks. `since`: None where it asks for the position of now."""

    since: int | None
    limit: int
    typed: bool


# parameter of /changes -> words for people, and what reads its text
CHANGES_CONTROLS: dict[str, tuple[str, Callable[[str, Settings], Any]]] = {
    "since": (
        "the position whose later changes to tell; 0 for all that are kept. Left out: none, and the position of now",
        lambda text, settings: _whole_number("since", text, 0, LATEST_POSITION),
    ),
    "limit": (
        "the most changes in one answer",
        lambda text, settings: _whole_number("limit", text, 1, settings.max_limit),
    ),
    "typed": (
        "true: each value with its type, as DynamoDB writes it",
        lambda text, settings: _word("typed", text, FLAG),
    ),
}


def parse_changes(query: Query, settings: Settings) -> ChangesParameters:
    """Problem: one that cannot be answered."""
    given: dict[str, Any] = {"since": None, "limit": default_limit(settings), "typed": False}
    for name, texts in query.items():
        if name not in CHANGES_CONTROLS:
            known = ", ".join(CHANGES_CONTROLS)
            raise bad_request(f"{name[:80]!r} is no parameter of /changes: there are {known}.")
        _, read = CHANGES_CONTROLS[name]
        given[name] = read(_once(name, texts), settings)
    return ChangesParameters(**given)


def _once(name: str, texts: Sequence[str]) -> str:
    if len(texts) > 1:
        raise bad_request(f"{name} is given {len(texts)} times: give it once.")
    return texts[0]


def default_limit(settings: Settings) -> int:
    return min(DEFAULT_LIMIT, settings.max_limit)
