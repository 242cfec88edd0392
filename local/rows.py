"""Read a JSON, NDJSON or CSV file into items: types inferred, invalid rows reported with their line."""

from __future__ import annotations

import csv
import io
import json
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.dynamodb.items import TypedItem, typed
from chalicelib.dynamodb.schema import PARTITION_KEY_BYTES, SORT_KEY_BYTES
from chalicelib.query.values import JSON_NUMBER
from infra.errors import UserError
from local.writes import NumberedItem

_BOOLEANS = {"true": True, "false": False}

Row = tuple[int, Any]  # the line it starts at, and its value, or a ValueError if it cannot be read


@dataclass(frozen=True)
class Rows:
    """The rows of a file. `items`: in DynamoDB's JSON, each with its line. `types`: name -> S or N of the keys, the
    partition key first. `errors`: one line for each row that cannot be loaded."""

    items: list[NumberedItem]
    types: dict[str, str]
    errors: list[str]


def read(path: pathlib.Path, partition_key: str, sort_key: str | None) -> Rows:
    """Read `path`, a .json (an array of objects), .ndjson, .jsonl (one object per line) or .csv file.

    Raise UserError if it cannot be read or no row can be loaded.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path.name} is not supported. Name it by its format: {', '.join(_READERS)}.")
    names = [partition_key, sort_key] if sort_key else [partition_key]
    types: dict[str, str] = {}
    lines: dict[tuple[str, ...], int] = {}
    items: list[NumberedItem] = []
    errors: list[str] = []
    for line, row in reader(_text(path)):
        try:
            item = _item(row)
            key = tuple(_key(name, item, types, limit) for name, limit in zip(names, _KEY_BYTES, strict=False))
            if key in lines:
                raise ValueError(f"same key as line {lines[key]}")
        except (ValueError, RecursionError) as error:
            errors.append(f"line {line}: {error}")
            continue
        types |= {name: next(iter(item[name])) for name in names}
        lines[key] = line
        items.append((line, item))
    if not items:
        raise UserError(f"{path.name} has no row that can be loaded" + (f": {errors[0]}" if errors else ""))
    return Rows(items, types, errors)


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(f"{path} is not UTF-8: byte {error.start} is {byte:#04x}. Save it as UTF-8.") from None


_KEY_BYTES = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)
_TOO_DEEP = "nested deeper than an item can be"
_TYPE_NAMES = {"S": "a string", "N": "a number"}


def _item(row: Any) -> TypedItem:
    if isinstance(row, ValueError):
        raise row
    if not isinstance(row, dict):
        raise ValueError("not an object")
    item = {}
    for name, value in row.items():
        try:
            item[name] = typed(value)
        except ValueError as error:
            raise ValueError(f"{name} is {error}") from None
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair, which is not valid text") from None
    return item


def _key(name: str, item: TypedItem, types: dict[str, str], max_bytes: int) -> str:
    if name not in item:
        raise ValueError(f"{name} is missing")
    kind, value = next(iter(item[name].items()))
    if kind not in _TYPE_NAMES:
        raise ValueError(f"{name} must be a string or a number, as a key")
    if kind != types.get(name, kind):
        raise ValueError(f"{name} is {_TYPE_NAMES[kind]}, but {_TYPE_NAMES[types[name]]} in earlier rows")
    if not value or len(value.encode()) > max_bytes:
        raise ValueError(f"{name} has {len(value.encode())} bytes; this key must have 1 to {max_bytes}")
    return str(value)


# NaN and Infinity are read as well, so that they are refused like any number that DynamoDB cannot store.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)


def _skip_separators(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n,":
        position += 1
    return position


def _json(text: str) -> Iterator[Row]:
    position = _skip_separators(text, 0)
    if text[position : position + 1] != "[":
        raise UserError("A .json file must hold an array of objects. For one object per line, name it .ndjson.")
    position, line, counted = _skip_separators(text, position + 1), 1, 0
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        try:
            row, end = _DECODER.raw_decode(text, position)
            yield line, row
            position = _skip_separators(text, end)
        except (json.JSONDecodeError, RecursionError) as error:
            position = _next_row(text, position)
            lost = "" if position else "; the rest of the file cannot be read"
            yield line, ValueError(f"{_reason(error)}{lost}")
            if not position:
                return
    if rest := text[position + 1 :].strip():
        yield line, ValueError(f"text after the end of the array: {rest[:20]!r}")


def _reason(error: json.JSONDecodeError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at line {error.lineno}: {error.msg}"
    return _TOO_DEEP


def _next_row(text: str, position: int) -> int:
    """Return where the row after the malformed one at `position` starts, or 0 if there is none.

    It is the next object that starts a line, indented no deeper than the malformed one.
    """
    before = text[text.rfind("\n", 0, position) + 1 : position]
    if before.strip():
        return 0
    match = re.compile(rf"^[ \t]{{0,{len(before)}}}\{{", re.MULTILINE).search(text, position + 1)
    return match.end() - 1 if match else 0


def _ndjson(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, _DECODER.decode(line)
            except ValueError as error:
                yield number, ValueError(f"not JSON: {error}")
            except RecursionError:
                yield number, ValueError(_TOO_DEEP)


def _csv(text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(reader, [])
    if not header or len(set(header)) < len(header) or not all(header):
        raise UserError("The first line of a .csv file must name its columns, each once.")
    lines: list[tuple[int, list[str]]] = []
    line = reader.line_num + 1
    try:
        for cells in reader:
            lines.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"Line {line} is not CSV: {error}") from None
    complete = [cells for _, cells in lines if len(cells) == len(header)]
    # One type per column: beside 00501, which is not a JSON number, 10001 stays a string.
    converters = [_converter([cells[column] for cells in complete]) for column in range(len(header))]
    for line, cells in lines:
        if len(cells) != len(header):
            if cells:
                yield line, ValueError(f"{len(cells)} cells, but the header has {len(header)}")
            continue
        yield (
            line,
            {name: converter(cell) for name, converter, cell in zip(header, converters, cells, strict=True) if cell},
        )


def _converter(cells: list[str]) -> Any:
    filled = [cell for cell in cells if cell]
    if all(map(JSON_NUMBER.fullmatch, filled)):
        return Decimal
    return _BOOLEANS.__getitem__ if all(cell in _BOOLEANS for cell in filled) else str


_READERS = {".json": _json, ".ndjson": _ndjson, ".jsonl": _ndjson, ".csv": _csv}
