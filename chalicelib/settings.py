"""Environment variables -> `Settings`. The only reader of os.environ."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
ORIGIN = re.compile(r"\*|https?://[^\s,/]+")


@dataclass(frozen=True)
class Settings:
    """What the owner of the table has decided. Each field is the variable of its name in capitals."""

    table_name: str
    allow_origin: str
    attributes: frozenset[str] | None
    numbers: str
    max_limit: int
    scan: bool
    consistent_reads: bool
    dense_indexes: frozenset[str]


class SettingError(ValueError):
    """One line that names the setting, its value and what it takes."""


def _origin(value: str) -> str:
    if not ORIGIN.fullmatch(value):
        raise ValueError("* or one origin, such as https://example.org")
    return value


def _table_name(value: str) -> str:
    if not TABLE_NAME.fullmatch(value):
        raise ValueError("a table's name: 3 to 255 letters, digits, _, - and .")
    return value


def _whole_number(value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise ValueError("a whole number of at least 1")
    return int(value)


def _names(value: str) -> frozenset[str]:
    names = frozenset(name for part in value.split(",") if (name := part.strip()))
    if not names:
        raise ValueError("a comma list of names, or is left out")
    return names


def _one_of(words: Mapping[str, Any]) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        if value not in words:
            raise ValueError(" or ".join(words))
        return words[value]

    return read


_REQUIRED = object()

# setting -> (what reads its text, the value where it is not set)
SETTINGS: dict[str, tuple[Callable[[str], Any], Any]] = {
    "TABLE_NAME": (_table_name, _REQUIRED),
    "ALLOW_ORIGIN": (_origin, "*"),
    "ATTRIBUTES": (_names, None),
    "NUMBERS": (_one_of({"string": "string", "number": "number"}), "string"),
    "MAX_LIMIT": (_whole_number, 1000),
    "SCAN": (_one_of({"allow": True, "deny": False}), True),
    "CONSISTENT_READS": (_one_of({"true": True, "false": False}), True),
    "DENSE_INDEXES": (_names, frozenset()),
}


def read(environ: Mapping[str, str]) -> Settings:
    """The settings that `environ` holds. SettingError: one is missing, or is not what it takes."""
    values = {}
    for name, (parse, default) in SETTINGS.items():
        text = environ.get(name)
        if text is None and default is _REQUIRED:
            raise SettingError(f"{name} is not set: set it for this stage in .chalice/config.json")
        try:
            values[name.lower()] = default if text is None else parse(text.strip())
        except ValueError as takes:
            raise SettingError(f"{name} is {text!r}: it takes {takes}") from None
    return Settings(**values)


def load() -> Settings:
    """This process's settings; ends it with one line on stderr where they are wrong."""
    try:
        return read(os.environ)
    except SettingError as error:
        # Printed here: `chalice local` imports the app in a thread, where SystemExit's own words are lost.
        print(f"tablecast: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
