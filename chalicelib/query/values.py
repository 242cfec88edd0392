"""The text of a parameter -> values of DynamoDB's types. Pure."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from decimal import Decimal
from typing import Any

from chalicelib.dynamodb.items import binary, number
from chalicelib.problems import bad_request

Value = tuple[str, Any]  # ("N", "5"): a type and its content in DynamoDB's JSON

JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
TYPE_NAMES = {"S": "string", "N": "number", "B": "binary"}
_LITERALS: dict[str, Value] = {"true": ("BOOL", True), "false": ("BOOL", False), "null": ("NULL", True)}


def comparable(value: Value) -> Any:
    """Return `value` as an object that Python compares as DynamoDB does: numbers by value, text and binary by bytes."""
    kind, content = value
    if kind == "N":
        return Decimal(content)
    if kind == "B":
        return base64.b64decode(content)
    return content


def text_list(text: str) -> list[str]:
    """Return the texts of a comma list or a JSON array. The strings of an array keep their quotes."""
    if text.startswith("["):
        try:
            elements = json.loads(text, parse_int=_Literal, parse_float=_Literal)
        except (ValueError, RecursionError):
            return text.split(",")
        if any(isinstance(element, (list, dict)) for element in elements):
            raise bad_request(f"{shortened(text)} contains an array or an object. Use plain values.")
        return [str(element) if isinstance(element, _Literal) else json.dumps(element) for element in elements]
    return text.split(",")


def unquoted(text: str) -> str | None:
    """Return the string in the JSON quotes of `text`, None if it has no quotes."""
    if text.startswith('"'):
        try:
            string = str(json.loads(text))
            string.encode()
        except UnicodeEncodeError:
            raise bad_request(f"{shortened(text)} is half of a surrogate pair. Use whole characters.") from None
        except ValueError:
            return None
        return string
    return None


class _Literal(str):
    """A JSON number as it was written."""


def shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def readings(text: str) -> tuple[Value, ...]:
    """Return `text` as each type that it can be, where the table declares none."""
    string = unquoted(text)
    if string is not None:
        return (("S", string),)
    values: list[Value] = [("S", text)]
    if JSON_NUMBER.fullmatch(text):
        # With more digits than DynamoDB keeps it can only be a string.
        with contextlib.suppress(ValueError):
            values.append(("N", number(text)))
    if text in _LITERALS:
        values.append(_LITERALS[text])
    return tuple(values)


def declared_value(name: str, text: str, kind: str, max_bytes: int, unquote: bool = True) -> Value:
    """Return `text` as a value of type `kind`, which the table declares for its key attribute `name`.

    Raise Problem(400) if it cannot be one.
    """
    if unquote:
        string = unquoted(text)
        text = text if string is None else string
    shown = shortened(text)
    if not text:
        raise bad_request(f"{name} is a key and cannot be empty. Give it a value, or remove {name}.")
    if kind == "N":
        try:
            return "N", number(text)
        except ValueError as error:
            raise bad_request(f"{name} is a number, but {shown!r} is {error}.") from None
    size = len(text.encode())
    if kind == "B":
        try:
            size = len(binary(text))
        except ValueError:
            raise bad_request(f"{name} is binary, but {shown!r} is not base64. Write + as %2B.") from None
    if size > max_bytes:
        raise bad_request(f"{name} is a key of at most {max_bytes} bytes. This value has {size}.")
    return kind, text
