"""One table of operators, and how their operands are written. Pure.

An operator says the same thing twice: as DynamoDB's expression, and as a test of an item in our own code, for what
DynamoDB may not be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chalicelib.dynamodb.items import Attribute
from chalicelib.problems import bad_request
from chalicelib.query.values import Value, comparable, text_list

Operands = tuple[tuple[Value, ...], ...]  # the alternatives; each has as many values as the operator takes
ParseValue = Callable[[str], tuple[Value, ...]]  # a text -> its value as each type that it can be


class OperandSyntax(NamedTuple):
    """How operands are written. `example`: for people. `parse(text, parse_value, label)` returns the alternatives.
    `repeats`: how often one more value follows the first, as a regular expression's quantifier; None if the operand
    is no value."""

    example: str
    parse: Callable[[str, ParseValue, str], Operands]
    repeats: str | None


class Operator(NamedTuple):
    """One `__key`.

    `expression`: DynamoDB's, with {path} and {0}, {1} for the values. `matches(value, *values)`: the same in our code.
    `operand_types`: types that an operand can have. `key_types`: types of key attributes that the operator works on.
    `negated`: whether it holds where `matches` does not. `on_sort_key`: DynamoDB takes it in a key condition.
    `as_in`: DynamoDB takes several alternatives as one IN.
    """

    key: str
    description: str
    operand_syntax: OperandSyntax
    expression: str
    matches: Callable[..., bool]
    operand_types: frozenset[str] = frozenset({"S", "N", "B", "BOOL", "NULL"})
    key_types: frozenset[str] = frozenset({"S", "N", "B"})
    negated: bool = False
    on_sort_key: bool = False
    as_in: bool = False


def _one(text: str, parse_value: ParseValue, label: str) -> Operands:
    return tuple((value,) for value in parse_value(text))


def _list(text: str, parse_value: ParseValue, label: str) -> Operands:
    texts = text_list(text)
    if not texts:
        raise bad_request(f"{label} names no value. Give a comma list or a JSON array of at least one.")
    return tuple(dict.fromkeys((value,) for part in texts for value in parse_value(part)))


def _range(text: str, parse_value: ParseValue, label: str) -> Operands:
    ends = text_list(text)
    if len(ends) != 2:
        raise bad_request(f"{label} needs two values. Write low,high or a JSON array.")
    lows, highs = (dict(parse_value(end)) for end in ends)
    pairs = [((kind, lows[kind]), (kind, highs[kind])) for kind in lows if kind in highs]
    alternatives = tuple(pair for pair in pairs if comparable(pair[0]) <= comparable(pair[1]))
    if not alternatives:
        raise bad_request(f"{label} matches nothing. Put the lower end first: low,high.")
    return alternatives


def _flag(text: str, parse_value: ParseValue, label: str) -> Operands:
    if text not in ("true", "false"):
        raise bad_request(f"{label} is not valid. Use true or false.")
    return ((),)


VALUE = OperandSyntax("value", _one, "{0}")
RANGE = OperandSyntax("low,high", _range, "{1}")
LIST = OperandSyntax("a,b,c", _list, "*")
FLAG = OperandSyntax("true or false", _flag, None)


def typed_value(attribute: Attribute) -> Value:
    return next(iter(attribute.items()))


def _equal(one: Value, other: Value) -> bool:
    return one[0] == other[0] and bool(comparable(one) == comparable(other))


def _compares(compare: Callable[..., bool]) -> Callable[..., bool]:
    def matches(value: Value, *operands: Value) -> bool:
        same_type = all(value[0] == operand[0] for operand in operands)
        return same_type and compare(*map(comparable, (value, *operands)))

    return matches


def _contains(value: Value, operand: Value) -> bool:
    kind, content = value
    if kind == "L":
        return any(_equal(typed_value(element), operand) for element in content)
    if kind in {"SS", "NS"}:
        return any(_equal((kind[0], element), operand) for element in content)
    return kind == operand[0] == "S" and operand[1] in content


def _ordered(key: str, description: str, symbol: str, compare: Callable[..., bool]) -> Operator:
    expression = f"{{path}} {symbol} {{0}}"
    return Operator(key, description, VALUE, expression, _compares(compare), _ORDERED, on_sort_key=True)


_ORDERED = frozenset({"S", "N", "B"})

OPERATORS = {
    operator.key: operator
    for operator in (
        Operator("eq", "is", VALUE, "{path} = {0}", _equal, on_sort_key=True, as_in=True),
        Operator("not", "is not", VALUE, "{path} = {0}", _equal, negated=True, as_in=True),
        _ordered("gt", "is above", ">", lambda value, operand: value > operand),
        _ordered("gte", "is at least", ">=", lambda value, operand: value >= operand),
        _ordered("lt", "is below", "<", lambda value, operand: value < operand),
        _ordered("lte", "is at most", "<=", lambda value, operand: value <= operand),
        Operator(
            key="between",
            description="is between (both included)",
            operand_syntax=RANGE,
            expression="{path} BETWEEN {0} AND {1}",
            matches=_compares(lambda value, low, high: low <= value <= high),
            operand_types=_ORDERED,
            on_sort_key=True,
        ),
        Operator(
            key="startswith",
            description="starts with",
            operand_syntax=VALUE,
            expression="begins_with({path}, {0})",
            matches=_compares(lambda value, start: value[: len(start)] == start),
            operand_types=frozenset({"S", "B"}),
            key_types=frozenset({"S", "B"}),
            on_sort_key=True,
        ),
        Operator(
            key="contains",
            description="contains",
            operand_syntax=VALUE,
            expression="contains({path}, {0})",
            matches=_contains,
            operand_types=frozenset({"S", "N", "BOOL", "NULL"}),
            key_types=frozenset({"S"}),
        ),
        Operator("in", "is one of", LIST, "{path} = {0}", _equal, as_in=True),
        Operator("exists", "exists", FLAG, "attribute_exists({path})", lambda _: True),
    )
}
