"""DynamoDB's JSON <-> plain JSON.

DynamoDB writes each value as an object of one entry, its type and its content: `{"N": "5"}`. Plain JSON has the
content alone: S and B are strings, N is a string or a JSON number of the same digits, BOOL is a boolean, NULL is
null, SS, NS, BS and L are arrays, M is an object. The conversion follows the types and never guesses: a map can have
an attribute called "S".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

Attribute = dict[str, Any]
Path = tuple[str | int, ...]  # names of attributes, and indexes of list elements
TypedItem = dict[str, Attribute]
PlainItem = dict[str, Any]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)

MAX_DIGITS, MIN_EXPONENT, MAX_EXPONENT = 38, -130, 125


def reader(numbers: str) -> Callable[[TypedItem], PlainItem]:
    """Return a function that makes an item plain. `numbers`: "string" or "number".

    This is the hot path: it changes the item in place, which takes half the time of building a new one.
    """
    converters: dict[str, Callable[[Any], Any]] = {}

    def item(attributes: TypedItem) -> PlainItem:
        for name, attribute in attributes.items():
            kind, value = attribute.popitem()
            attributes[name] = converters[kind](value) if kind in converters else value
        return attributes

    def array(attributes: list[Attribute]) -> list[Any]:
        for place, attribute in enumerate(attributes):
            kind, value = attribute.popitem()
            attributes[place] = converters[kind](value) if kind in converters else value
        return attributes

    converters |= {"M": item, "L": array, "NULL": lambda _: None}
    if numbers == "number":
        # orjson writes a Fragment as it is, so that a number keeps every digit.
        converters |= {"N": orjson.Fragment, "NS": lambda texts: [orjson.Fragment(text) for text in texts]}
    return item


ITEM_FORMATS: dict[str, Callable[[TypedItem], PlainItem]] = {
    "string": reader("string"),
    "number": reader("number"),
    "typed": lambda item: item,
}


def picked(attribute: Attribute, paths: Sequence[Path]) -> Attribute | None:
    """Return the part of `attribute` that a ProjectionExpression of `paths` selects; None if it selects nothing.

    A list keeps the selected elements in their order.
    """
    if () in paths:
        return attribute
    within: dict[str | int, list[Path]] = {}
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
    """Return `seconds` since 1970 as ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(text: str) -> str:
    """Return `text` as DynamoDB stores it: without an exponent, and without zeros around it.

    Raise ValueError if it breaks a rule of DynamoDB: 38 digits, 1E-130 to 9.99E+125 (developer guide, "Supported data
    types: Number").
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


def binary(text: str) -> bytes:
    """Return the bytes of `text`, base64.

    Raise ValueError if DynamoDB refuses it: bits beyond the last byte have to be 0, so that each value has one text.
    """
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not base64")
    return data


def typed(value: Any) -> Attribute:
    """Return a plain value, as `json` reads one with parse_float=Decimal, in DynamoDB's JSON. A set becomes SS or NS.

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
    raise TypeError(f"DynamoDB has no type for {type(value).__name__}")
