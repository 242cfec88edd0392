"""`mag__gte=5` -> `Condition`. Pure.

A value has the type that the table declares for the attribute. Where it declares none, the value matches as every type
that its text can be.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from chalicelib.dynamodb.items import Attribute, Path, TypedItem
from chalicelib.dynamodb.schema import TableSchema
from chalicelib.problems import bad_request
from chalicelib.query.access import Access
from chalicelib.query.operators import FLAG, OPERATORS, Operands, Operator, typed_value
from chalicelib.query.values import TYPE_NAMES, Value, comparable, declared_value, readings, shortened

MAX_DEPTH = 32  # levels of a DynamoDB document path

_SEPARATOR = "__"
_NAME = re.compile(r"((?:\\.|\[(?!\d+\](?:[.\[]|\Z))|[^.\\\[])+)((?:\[\d{1,9}\])*)(?:\.(?!\Z)|\Z)", re.DOTALL)


class Condition(NamedTuple):
    """A path for which one of `alternatives` has to hold, or none of them if `negated`. `text`: the condition as the
    request has it."""

    path: Path
    operator: Operator
    alternatives: Operands
    negated: bool
    text: str

    @property
    def attribute(self) -> str:
        return str(self.path[0])

    @property
    def meaning(self) -> tuple[Any, ...]:
        """Everything but the text: conditions of one meaning are the same condition."""
        return self[:-1]

    def matches(self, item: TypedItem) -> bool:
        found = reach(item, self.path)
        value = found and typed_value(found)
        matches = value is not None and any(self.operator.matches(value, *values) for values in self.alternatives)
        return matches is not self.negated

    def __str__(self) -> str:
        return self.text


def reach(item: TypedItem, path: Path) -> Attribute | None:
    """Return the attribute at `path` of `item`, both in DynamoDB's JSON; None if there is none."""
    here: Any = {"M": item}
    for step in path:
        content = here.get("M" if isinstance(step, str) else "L")
        if content is None or (step not in content if isinstance(step, str) else step >= len(content)):
            return None
        here = content[step]
    attribute: Attribute = here
    return attribute


def parse_path(text: str) -> Path:
    r"""Return the path that `text` names: `a.b` reaches into a map, `a[0]` into a list, `a\.b` is a dot in a name.

    Raise Problem(400) if it is not a path.
    """
    steps: list[str | int] = []
    position = 0
    while position < len(text) or not text:
        match = _NAME.match(text, position)
        if not match:
            raise bad_request(
                rf"{shortened(text)!r} is not a path to an attribute. Join names by dots, as in a.b or a[0].b; write a "
                r"dot that is part of a name as \."
            )
        name, indexes = match.groups()
        steps += [re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL), *map(int, re.findall(r"\d+", indexes))]
        position = match.end()
    if len(steps) > MAX_DEPTH:
        raise bad_request(f"A path of {len(steps)} steps is too deep. DynamoDB's documents have {MAX_DEPTH} levels.")
    return tuple(steps)


def split_name(parameter: str) -> tuple[str, Operator]:
    """Return the path's text and the operator of `mag__gte`. A suffix that is not an operator is part of the name."""
    path, separator, suffix = parameter.rpartition(_SEPARATOR)
    if separator and path and suffix in OPERATORS:
        return path, OPERATORS[suffix]
    return parameter, OPERATORS["eq"]


def parse(parameter: str, text: str, schema: TableSchema, access: Access) -> Condition:
    """Return the condition `parameter=text`. Raise Problem(400) if this table cannot answer it."""
    name, operator = split_name(parameter)
    path = readable_path(name, schema, access)
    declared = schema.types.get(str(path[0]))
    if declared and declared not in operator.key_types:
        fit = ", ".join(key for key, other in OPERATORS.items() if declared in other.key_types)
        raise bad_request(f"{operator.key} does not work on {name}, a {TYPE_NAMES[declared]} key. Use {fit}.")

    def parse_value(value: str) -> tuple[Value, ...]:
        if declared is None:
            return tuple(reading for reading in readings(value) if reading[0] in operator.operand_types)
        return (declared_value(str(path[0]), value, declared, schema.key_bytes(str(path[0]))),)

    label = f"{parameter}={shortened(text)}"
    alternatives = operator.operand_syntax.parse(text, parse_value, label)
    negated = operator.negated != (operator.operand_syntax is FLAG and text == "false")
    return Condition(path, operator, alternatives, negated, label)


def key_value(name: str, text: str, schema: TableSchema) -> Value:
    """Return `text`, a path segment, as a value of the key attribute `name`. Quotes are part of the key."""
    return declared_value(name, text, schema.types[name], schema.key_bytes(name), unquote=False)


def readable_path(text: str, schema: TableSchema, access: Access) -> Path:
    """Return the path that `text` names. Raise Problem(400) if it is not a path, reaches into a key, or is hidden."""
    path = parse_path(text)
    attribute = str(path[0])
    if not access.allows(attribute):
        names = ", ".join(access.names() or ())
        raise bad_request(f"{attribute!r} is not published. Use {names}.")
    if len(path) > 1 and attribute in schema.types:
        kind = TYPE_NAMES[schema.types[attribute]]
        raise bad_request(f"{text!r} reaches into a {kind} key, which has no parts. Use {attribute}.")
    return path


def merge_range(low: Condition, high: Condition) -> Condition | None:
    """Return the BETWEEN of two range ends of one sort key; None if no value is between them."""
    ends = (low.alternatives[0][0], high.alternatives[0][0])
    if comparable(ends[0]) > comparable(ends[1]):
        return None
    return Condition(low.path, OPERATORS["between"], (ends,), False, f"{low.text} and {high.text}")
