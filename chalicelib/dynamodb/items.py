"""DynamoDB's JSON <-> plain JSON.

DynamoDB writes each value as an object of one entry, its type and what it is: `{"N": "5"}`. On the way out that
wrapping goes: S and B as the text they are, N as text or as a JSON number of the same digits, BOOL, NULL null,
SS, NS, BS arrays in the order they came, L array, M object. Item types are followed, never guessed: a map may well
have an attribute that is called "S".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

Attribute = dict[str, Any]
TypedItem = dict[str, Attribute]
PlainItem = dict[str, Any]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)

MAX_DIGITS, MIN_EXPONENT, MAX_EXPONENT = 38, -130, 125


def reader(numbers: str) -> Callable[[TypedItem], PlainItem]:
    """A function that makes DynamoDB's item the plain one, `numbers` as "string" or "number".

    This is the hot path: it works in place, which takes half the time that building new items does.
    """
    changes: dict[str, Callable[[Any], Any]] = {}

    def item(attributes: TypedItem) -> PlainItem:
        for name, attribute in attributes.items():
            kind, value = attribute.popitem()
            attributes[name] = changes[kind](value) if kind in changes else value
        return attributes

    def array(attributes: list[Attribute]) -> list[Any]:
        for place, attribute in enumerate(attributes):
            kind, value = attribute.popitem()
            attributes[place] = changes[kind](value) if kind in changes else value
        return attributes

    changes |= {"M": item, "L": array, "NULL": lambda _: None}
    if numbers == "number":
        # A Fragment goes out as it is, so a number keeps every digit, which a float would not.
        changes |= {"N": orjson.Fragment, "NS": lambda texts: [orjson.Fragment(text) for text in texts]}
    return item


READERS: dict[str, Callable[[TypedItem], PlainItem]] = {
    "string": reader("string"),
    "number": reader("number"),
    "typed": lambda item: item,
}


def picked(attribute: Attribute, paths: Sequence[tuple[str | int, ...]]) -> Attribute | None:
    """What a ProjectionExpression of `paths` leaves of `attribute`, None where it leaves none of it.

    A list keeps the elements asked for, in their order.
    """
    if () in paths:
        return attribute
    within: dict[str | int, list[tuple[str | int, ...]]] = {}
    for step, *rest in paths:
        within.setdefault(step, []).append(tuple(rest))
    ((kind, value),) = attribute.items()
    kept: Any = None
    if kind == "M":
        parts = {name: picked(value[name], within[name]) for name in value if name in within}
        kept = {name: part for name, part in parts.items() if part}
    elif kind == "L":
        places = [picked(one, within[place]) for place, one in enumerate(value) if place in within]
        kept = [place for place in places if place]
    return {kind: kept} if kept else None


def iso_time(seconds: float) -> str:
    """`seconds` since 1970 in UTC, as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(text: str) -> str:
    """`text` as DynamoDB keeps it: no exponent, no zeros around it.

    ValueError says which of DynamoDB's rules it breaks: 38 digits, 1E-130 to 9.99E+125
    (developer guide, "Supported data types: Number").
    """
    if not NUMBER.fullmatch(text):
        raise ValueError("not a number")
    value = Decimal(text)
    if not value:
        return "0"
    significant = "".join(map(str, value.as_tuple().digits)).strip("0")
    if len(significant) > MAX_DIGITS:
        raise ValueError(f"a number of {len(significant)} digits; DynamoDB keeps {MAX_DIGITS}")
    if not MIN_EXPONENT <= value.adjusted() <= MAX_EXPONENT:
        raise ValueError("a number outside 1E-130 to 9.99E+125")
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def typed(value: Any) -> Attribute:
    """A plain value, as `json` reads one with parse_float=Decimal, in DynamoDB's JSON. A set becomes SS or NS.

    ValueError: a number that DynamoDB cannot keep. TypeError: a value of no type it has.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | Decimal():
            return {"N": number(str(value))}
        case list():
            return {"L": [typed(element) for element in value]}
        case set() | frozenset():
            kind = "SS" if all(isinstance(element, str) for element in value) else "NS"
            return {kind: sorted(value) if kind == "SS" else [number(str(element)) for element in sorted(value)]}
        case Mapping():
            return {"M": {str(name): typed(element) for name, element in value.items()}}
    raise TypeError(f"{type(value).__name__} is no type of DynamoDB's")
