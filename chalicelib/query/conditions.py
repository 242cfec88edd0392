"""Query string -> conditions: one table of operators.

`mag__gte=5` is a condition on `mag`; its value is read by the type the table declares for the attribute, and where it
declares none, as every type it reads as. A `Condition` says the same thing twice, from the one `Operator`: as
DynamoDB's expression, and as a test of an item in our own code for what DynamoDB may not be asked. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.dynamodb.items import Attribute, TypedItem
from chalicelib.dynamodb.schema import TableSchema
from chalicelib.problems import bad_request
from chalicelib.query.values import TYPE_NAMES, Value, comparable, declared_value, readings, shortened, text_list

Path = tuple[str | int, ...]

ORDERED = frozenset({"S", "N", "B"})

# DynamoDB's own: 32 levels in a document path, 100 operands in an IN.
MAX_DEPTH = 32
MAX_IN = 100

_SEPARATOR = "__"
_NAME = re.compile(r"((?:\\.|\[(?!\d+\](?:[.\[]|\Z))|[^.\\\[])+)((?:\[\d{1,9}\])*)(?:\.(?!\Z)|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Operator:
    """One `__op`: `words` for people, `expression` for DynamoDB, `holds` for an item in hand.

    `expression` has {path} and an operand {0}, {1} for each value; `takes` is a key of `_VALUES`; `operands` are the
    types those can have, `keys` the types of key attribute it can be asked of. `on_sort_key`: DynamoDB takes it in a
    key condition.
    """

    key: str
    words: str
    takes: str
    expression: str
    holds: Callable[..., bool]
    operands: frozenset[str] = frozenset({"S", "N", "B", "BOOL", "NULL"})
    keys: frozenset[str] = frozenset({"S", "N", "B"})
    negated: bool = False
    on_sort_key: bool = False


def _values(attribute: Attribute) -> Value:
    return next(iter(attribute.items()))


def _equal(one: Value, other: Value) -> bool:
    return one[0] == other[0] and bool(comparable(one) == comparable(other))


def _compares(holds: Callable[..., bool]) -> Callable[..., bool]:
    def compares(value: Value, *operands: Value) -> bool:
        same_type = all(value[0] == operand[0] for operand in operands)
        return same_type and holds(*map(comparable, (value, *operands)))

    return compares


def _contains(value: Value, operand: Value) -> bool:
    kind, content = value
    if kind == "L":
        return any(_equal(_values(element), operand) for element in content)
    if kind in {"SS", "NS"}:
        return any(_equal((kind[0], element), operand) for element in content)
    return kind == operand[0] == "S" and operand[1] in content


OPERATORS = {
    operator.key: operator
    for operator in (
        Operator("eq", "is", "value", "{path} = {0}", _equal, on_sort_key=True),
        Operator("not", "is not", "value", "{path} = {0}", _equal, negated=True),
        Operator("gt", "is above", "value", "{path} > {0}", _compares(lambda a, b: a > b), ORDERED, on_sort_key=True),
        Operator(
            "gte", "is at least", "value", "{path} >= {0}", _compares(lambda a, b: a >= b), ORDERED, on_sort_key=True
        ),
        Operator("lt", "is below", "value", "{path} < {0}", _compares(lambda a, b: a < b), ORDERED, on_sort_key=True),
        Operator(
            "lte", "is at most", "value", "{path} <= {0}", _compares(lambda a, b: a <= b), ORDERED, on_sort_key=True
        ),
        Operator(
            "between",
            "is between, ends included,",
            "range",
            "{path} BETWEEN {0} AND {1}",
            _compares(lambda a, low, high: low <= a <= high),
            ORDERED,
            on_sort_key=True,
        ),
        Operator(
            "startswith",
            "starts with",
            "value",
            "begins_with({path}, {0})",
            _compares(lambda a, b: a[: len(b)] == b),
            operands=frozenset({"S", "B"}),
            keys=frozenset({"S", "B"}),
            on_sort_key=True,
        ),
        Operator(
            "contains",
            "contains",
            "value",
            "contains({path}, {0})",
            _contains,
            operands=frozenset({"S", "N", "BOOL", "NULL"}),
            keys=frozenset({"S"}),
        ),
        Operator("in", "is one of", "list", "{path} = {0}", _equal),
        Operator("exists", "exists", "flag", "attribute_exists({path})", lambda _: True),
    )
}


@dataclass(frozen=True)
class Condition:
    """A path for which one of `alternatives` (values of one type each, as many as the operator takes) has to hold,
    or none of them where it is `negated`. `text` is the condition as the request had it."""

    path: Path
    operator: Operator
    alternatives: tuple[tuple[Value, ...], ...]
    negated: bool
    text: str = field(compare=False)

    @property
    def attribute(self) -> str:
        return str(self.path[0])

    def matches(self, item: TypedItem) -> bool:
        found = reach(item, self.path)
        value = found and _values(found)
        holds = value is not None and any(self.operator.holds(value, *values) for values in self.alternatives)
        return holds is not self.negated

    def __str__(self) -> str:
        return self.text


class Placeholders:
    """Names and values of an expression, as DynamoDB wants them: never in it, always beside it."""

    def __init__(self) -> None:
        self.values: dict[str, Attribute] = {}
        self._name_of: dict[str, str] = {}

    @property
    def names(self) -> dict[str, str]:
        return {name: attribute for attribute, name in self._name_of.items()}

    def path(self, path: Path) -> str:
        text = ""
        for step in path:
            if isinstance(step, int):
                text += f"[{step}]"
                continue
            name = self._name_of.setdefault(step, f"#n{len(self._name_of)}")
            text += f".{name}" if text else name
        return text

    def value(self, value: Value) -> str:
        name = f":v{len(self.values)}"
        self.values[name] = dict([value])
        return name

    def condition(self, condition: Condition) -> str:
        """`condition` as a part of an expression that stands between ANDs."""
        path = self.path(condition.path)
        operands = [[self.value(value) for value in values] for values in condition.alternatives]
        if condition.operator.holds is _equal and len(operands) > 1:
            # One IN counts as one of the 300 operators that an expression may have.
            texts = [operand for (operand,) in operands]
            parts = [f"{path} IN ({','.join(texts[i : i + MAX_IN])})" for i in range(0, len(texts), MAX_IN)]
        else:
            parts = [condition.operator.expression.format(*values, path=path) for values in operands]
        text = " OR ".join(parts)
        if condition.negated:
            # NOT of what a missing attribute fails, and never <>: a missing attribute is not anything.
            return f"NOT ({text})"
        return f"({text})" if len(parts) > 1 else text


def reach(item: TypedItem, path: Path) -> Attribute | None:
    """The attribute at `path` of `item` in DynamoDB's JSON, None where there is none."""
    here: Any = {"M": item}
    for step in path:
        held = here.get("M" if isinstance(step, str) else "L")
        if held is None or (step not in held if isinstance(step, str) else step >= len(held)):
            return None
        here = held[step]
    attribute: Attribute = here
    return attribute


def parse_path(text: str) -> Path:
    r"""`a.b` reaches into a map, `a[0]` into a list, `a\.b` is a dot in a name. Problem: it is no path."""
    steps: list[str | int] = []
    position = 0
    while position < len(text) or not text:
        match = _NAME.match(text, position)
        if not match:
            raise bad_request(
                rf"{shortened(text)!r} is no path to an attribute: names are joined by dots, as in a.b or a[0].b, "
                r"and a dot that is part of a name is written \."
            )
        name, indexes = match.groups()
        steps += [re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL), *map(int, re.findall(r"\d+", indexes))]
        position = match.end()
    if len(steps) > MAX_DEPTH:
        raise bad_request(f"A path of {len(steps)} steps is too deep: DynamoDB's documents have {MAX_DEPTH} levels.")
    return tuple(steps)


def split_name(parameter: str) -> tuple[str, Operator]:
    """`mag__gte` -> the path's text and its operator. A suffix that is no operator is part of the name."""
    path, separator, suffix = parameter.rpartition(_SEPARATOR)
    if separator and path and suffix in OPERATORS:
        return path, OPERATORS[suffix]
    return parameter, OPERATORS["eq"]


def parse(parameter: str, text: str, schema: TableSchema, published: frozenset[str] | None) -> Condition:
    """The condition that `parameter=text` is. Problem: it is none that this table could answer."""
    name, operator = split_name(parameter)
    path = published_path(name, schema, published)
    declared = schema.types.get(str(path[0]))
    if declared and declared not in operator.keys:
        fit = ", ".join(key for key, other in OPERATORS.items() if declared in other.keys)
        raise bad_request(f"{name} is a {TYPE_NAMES[declared]}, which {operator.key} is not for: use one of {fit}.")

    def read(value: str) -> tuple[Value, ...]:
        if declared is None:
            return tuple(reading for reading in readings(value) if reading[0] in operator.operands)
        return (declared_value(str(path[0]), value, declared, schema.key_bytes(str(path[0]))),)

    label = f"{parameter}={shortened(text)}"
    alternatives, negated = _VALUES[operator.takes](text, read, label)
    return Condition(path, operator, alternatives, negated is not operator.negated, label)


def key_value(name: str, text: str, schema: TableSchema) -> Value:
    """`text`, a path segment, as the value of the key attribute `name`: the key itself, so quotes are part of it."""
    return declared_value(name, text, schema.types[name], schema.key_bytes(name), unquote=False)


def published_path(text: str, schema: TableSchema, published: frozenset[str] | None) -> Path:
    """The path that `text` is. Problem: it is none, reaches into a key, or the ATTRIBUTES setting keeps it in."""
    path = parse_path(text)
    attribute = str(path[0])
    if published is not None and attribute not in published and attribute not in schema.table.keys:
        names = ", ".join(sorted(published | set(schema.table.keys)))
        raise bad_request(f"{attribute!r} is not an attribute that this API publishes: it has {names}.")
    if len(path) > 1 and attribute in schema.types:
        kind = TYPE_NAMES[schema.types[attribute]]
        raise bad_request(f"{text!r} reaches into {attribute}, which is a key and so a {kind}: there is nothing in it.")
    return path


_Read = Callable[[str], tuple[Value, ...]]
_Values = tuple[tuple[tuple[Value, ...], ...], bool]


def _one(text: str, read: _Read, label: str) -> _Values:
    return tuple((value,) for value in read(text)), False


def _many(text: str, read: _Read, label: str) -> _Values:
    texts = text_list(text)
    if not texts:
        raise bad_request(f"{label} names no value: give a comma list or a JSON array of at least one.")
    return tuple(dict.fromkeys((value,) for part in texts for value in read(part))), False


def _range(text: str, read: _Read, label: str) -> _Values:
    ends = text_list(text)
    if len(ends) != 2:
        raise bad_request(f"{label} has {len(ends)} values: between takes two, as low,high or a JSON array.")
    lows, highs = (dict(read(end)) for end in ends)
    pairs = [((kind, lows[kind]), (kind, highs[kind])) for kind in lows if kind in highs]
    alternatives = tuple(pair for pair in pairs if comparable(pair[0]) <= comparable(pair[1]))
    if not alternatives:
        raise bad_request(f"{label} holds nothing: the lower end comes first, as low,high.")
    return alternatives, False


def _flag(text: str, read: _Read, label: str) -> _Values:
    if text not in ("true", "false"):
        raise bad_request(f"{label} takes true or false.")
    return ((),), text == "false"


# what an operator takes -> what reads it: the alternatives, and whether they are negated
_VALUES: Mapping[str, Callable[[str, _Read, str], _Values]] = {
    "value": _one,
    "list": _many,
    "range": _range,
    "flag": _flag,
}


def fold(low: Condition, high: Condition) -> Condition | None:
    """Two range ends of one sort key as the one BETWEEN that holds them both, None where they exclude each other."""
    ends = (low.alternatives[0][0], high.alternatives[0][0])
    if comparable(ends[0]) > comparable(ends[1]):
        return None
    return Condition(low.path, OPERATORS["between"], (ends,), False, f"{low.text} and {high.text}")
