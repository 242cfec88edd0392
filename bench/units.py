"""Read and write units of items, computed from their sizes (DynamoDB's developer guide, "Item sizes and formats" and
"Read and write operations"). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

READ_BYTES, WRITE_BYTES = 4096, 1024


def item_size(item: Mapping[str, Any]) -> int:
    """Return the bytes that DynamoDB counts for an `item` in its JSON."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    size: int = _SIZES[kind](value)
    return size


def _number(text: str) -> int:
    digits = text.partition("E")[0].replace(".", "").lstrip("-0").rstrip("0")
    return math.ceil(len(digits) / 2) + 1 + text.startswith("-")


def _base64(text: str) -> int:
    return len(text) * 3 // 4 - text.count("=")


_SIZES: dict[str, Any] = {
    "S": lambda text: len(text.encode()),
    "N": _number,
    "B": _base64,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda texts: sum(len(text.encode()) for text in texts),
    "NS": lambda texts: sum(map(_number, texts)),
    "BS": lambda texts: sum(map(_base64, texts)),
    "L": lambda elements: 3 + sum(1 + _size(element) for element in elements),
    "M": lambda item: 3 + len(item) + item_size(item),
}


def read_units(size: int, consistent: bool) -> float:
    """Return the units of one call that reads `size` bytes."""
    return max(1, math.ceil(size / READ_BYTES)) * (1.0 if consistent else 0.5)


def write_units(items: Sequence[Mapping[str, Any]], transaction: bool = False) -> int:
    """Return the units of writing `items`; in a transaction each costs double."""
    return sum(math.ceil(item_size(item) / WRITE_BYTES) for item in items) * (2 if transaction else 1)
