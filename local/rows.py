"""A JSON, NDJSON or CSV file -> items to load: types inferred, bad rows told by their line, the rest kept."""

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

_BOOLEANS = {"true": True, "false": False}

Row = tuple[int, Any]  # the line it starts at, and what is there: a dict, or a ValueError


class FileError(Exception):
    """One line that says why the file cannot be read at all."""


@dataclass(frozen=True)
class Rows:
    """`items` in DynamoDB's JSON, each with its line, the `types` of their keys, and a text about each bad row."""

    items: list[tuple[int, TypedItem]]
    types: dict[str, str]
    bad: list[str]


def read(path: pathlib.Path, partition_key: str, sort_key: str | None) -> Rows:
    """The rows of `path`, a .json (an array of objects), .ndjson, .jsonl or .csv file. FileError: it is none."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise FileError(f"{path.name} is no {', '.join(_READERS)} file: name it by what it holds")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}") from None
    names = [partition_key, sort_key] if sort_key else [partition_key]
    types: dict[str, str] = {}
    seen: dict[tuple[str, ...], int] = {}
    items: list[tuple[int, TypedItem]] = []
    bad: list[str] = []
    for line, row in reader(text):
        try:
            item = _item(row)
            key = tuple(_key(name, item, types, limit) for name, limit in zip(names, _KEY_BYTES, strict=False))
            if key in seen:
                raise ValueError(f"has the key of line {seen[key]}")
        except (ValueError, RecursionError) as error:
            bad.append(f"line {line}: {error}")
            continue
        types |= {name: next(iter(item[name])) for name in names}
        seen[key] = line
        items.append((line, item))
    if not items:
        raise FileError(f"{path.name} has no row to load" + (f": {bad[0]}" if bad else ""))
    return Rows(items, types, bad)


_KEY_BYTES = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)
_TYPE_NAMES = {"S": "a string", "N": "a number"}


def _item(row: Any) -> TypedItem:
    if isinstance(row, ValueError):
        raise row
    if not isinstance(row, dict):
        raise ValueError("is no object")
    item = {}
    for name, value in row.items():
        try:
            item[name] = typed(value)
        except ValueError as error:
            raise ValueError(f"{name} is {error}") from None
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no text") from None
    return item


def _key(name: str, item: TypedItem, types: dict[str, str], most_bytes: int) -> str:
    if name not in item:
        raise ValueError(f"has no {name}")
    kind, value = next(iter(item[name].items()))
    if kind not in _TYPE_NAMES:
        raise ValueError(f"{name} is neither a string nor a number, as a key has to be")
    if kind != types.get(name, kind):
        raise ValueError(f"{name} is {_TYPE_NAMES[kind]}, and in the rows before it is {_TYPE_NAMES[types[name]]}")
    if not value or len(value.encode()) > most_bytes:
        raise ValueError(f"{name} has {len(value.encode())} bytes, and this key has 1 to {most_bytes}")
    return str(value)


# NaN and Infinity are read, to be refused as a number like any other that DynamoDB cannot keep.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)


def _past_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n,":
        position += 1
    return position


def _json(text: str) -> Iterator[Row]:
    position = _past_space(text, 0)
    if text[position : position + 1] != "[":
        raise FileError("a .json file holds an array of objects; for one object a line, name it .ndjson")
    position, line, counted = _past_space(text, position + 1), 1, 0
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        try:
            row, end = _DECODER.raw_decode(text, position)
            yield line, row
            position = _past_space(text, end)
        except (json.JSONDecodeError, RecursionError) as error:
            why = (
                f"at line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
            )
            position = _next_row(text, position)
            lost = "" if position else "; nothing behind it could be read"
            yield line, ValueError(f"is no JSON, {why}{lost}")
            if not position:
                return
    if rest := text[position + 1 :].strip():
        yield line, ValueError(f"is followed by {rest[:20]!r}, behind the end of the array")


def _next_row(text: str, position: int) -> int:
    """Where the row behind the broken one at `position` starts: at an object that starts a line, no deeper in than the
    broken one does. 0 where there is none."""
    before = text[text.rfind("\n", 0, position) + 1 : position]
    if before.strip():
        return 0
    found = re.compile(rf"^[ \t]{{0,{len(before)}}}\{{", re.MULTILINE).search(text, position + 1)
    return found.end() - 1 if found else 0


def _ndjson(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, _DECODER.decode(line)
            except ValueError as error:
                yield number, ValueError(f"is no JSON: {error}")
            except RecursionError:
                yield number, ValueError("is nested deeper than an item can be")


def _csv(text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(reader, [])
    if not header or len(set(header)) < len(header) or not all(header):
        raise FileError("the first line of a .csv file names its columns, each once")
    lines: list[tuple[int, list[str]]] = []
    line = reader.line_num + 1
    try:
        for cells in reader:
            lines.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"line {line} is no CSV: {error}") from None
    whole = [cells for _, cells in lines if len(cells) == len(header)]
    # A column has one type, so that 007 among numbers, or 5 among words, stays the text it is.
    convert = [_column([cells[column] for cells in whole]) for column in range(len(header))]
    for line, cells in lines:
        if len(cells) != len(header):
            if cells:
                yield line, ValueError(f"has {len(cells)} cells, and the header has {len(header)}")
            continue
        yield line, {name: convert[i](cell) for i, (name, cell) in enumerate(zip(header, cells, strict=True)) if cell}


def _column(cells: list[str]) -> Any:
    filled = [cell for cell in cells if cell]
    if all(map(JSON_NUMBER.fullmatch, filled)):
        return Decimal
    return _BOOLEANS.__getitem__ if all(cell in _BOOLEANS for cell in filled) else str


_READERS = {".json": _json, ".ndjson": _ndjson, ".jsonl": _ndjson, ".csv": _csv}
