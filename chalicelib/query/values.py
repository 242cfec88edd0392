"""The text of a parameter -> values of DynamoDB's types. Pure.

A value has the type that the table declares for a key attribute. Elsewhere it is every type that its text reads as.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from decimal import Decimal
from typing import Any

from chalicelib.dynamodb.items import number
from chalicelib.problems import bad_request

Value = tuple[str, Any]  # ("N", "5"): a type, and what stands behind it in DynamoDB's JSON

JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
TYPE_NAMES = {"S": "string", "N": "number", "B": "binary"}
_LITERALS: dict[str, Value] = {"true": ("BOOL", True), "false": ("BOOL", False), "null": ("NULL", True)}


def comparable(value: Value) -> Any:
    """`value` as what Python orders and compares the way DynamoDB does: numbers by value, text and binary by bytes."""
    kind, content = value
    if kind == "N":
        return Decimal(content)
    if kind == "B":
        return base64.b64decode(content)
    return content


def text_list(text: str) -> list[str]:
    """A comma list, or a JSON array where values hold commas: an array's strings come back in their quotes."""
    if text.startswith("["):
        try:
            elements = json.loads(text, parse_int=_Literal, parse_float=_Literal)
        except (ValueError, RecursionError):
            return text.split(",")
        if any(isinstance(element, (list, dict)) for element in elements):
            raise bad_request(f"{shortened(text)} holds an array or an object: it takes plain values.")
        return [str(element) if isinstance(element, _Literal) else json.dumps(element) for element in elements]
    return text.split(",")


def unquoted(text: str) -> str | None:
    """The string that `text` is in JSON quotes, None where it is not quoted."""
    if text.startswith('"'):
        try:
            string = str(json.loads(text))
            string.encode()
        except UnicodeEncodeError:
            raise bad_request(f"{shortened(text)} is half of a surrogate pair: it takes whole characters.") from None
        except ValueError:
            return None
        return string
    return None


class _Literal(str):
    """A JSON number as it was written."""


def shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def readings(text: str) -> tuple[Value, ...]:
    """Every type that `text` reads as, where the table declares none."""
    string = unquoted(text)
    if string is not None:
        return (("S", string),)
    values: list[Value] = [("S", text)]
    if JSON_NUMBER.fullmatch(text):
        # More digits than DynamoDB keeps: no number there can be meant.
        with contextlib.suppress(ValueError):
            values.append(("N", number(text)))
    if text in _LITERALS:
        values.append(_LITERALS[text])
    return tuple(values)


def declared_value(name: str, text: str, kind: str, most_bytes: int, unquote: bool = True) -> Value:
    """`text` as the type that the table declares for its key attribute `name`."""
    if unquote:
        string = unquoted(text)
        text = text if string is None else string
    shown = shortened(text)
    if not text:
        raise bad_request(f"{name} is a key, and a key is never empty: give it a value, or leave {name} out.")
    if kind == "N":
        try:
            return "N", number(text)
        except ValueError as error:
            raise bad_request(f"{name} is a number, and {shown!r} is {error}.") from None
    size = len(text.encode())
    if kind == "B":
        try:
            size = len(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise bad_request(f"{name} is binary, and {shown!r} is not base64 (a + is written %2B).") from None
    if size > most_bytes:
        raise bad_request(f"{name} is a key of at most {most_bytes} bytes: this value has {size}.")
    return kind, text
