"""Environment variables -> `Settings`. The only reader of os.environ."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
STREAM_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]+/stream/[^\s/]+")
ORIGIN = re.compile(r"\*|https?://[^\s,/]+")


@dataclass(frozen=True)
class Settings:
    """What the owner of the table has decided. Each field is the variable of its name in capitals."""

    table_name: str
    feed_table: str | None
    stream_arn: str | None
    allow_origin: str
    attributes: frozenset[str] | None
    numbers: str
    max_limit: int
    scan: bool
    consistent_reads: bool
    dense_indexes: frozenset[str]
    freshness_seconds: int
    max_stale_seconds: int


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


def _stream_arn(value: str) -> str:
    if not STREAM_ARN.fullmatch(value):
        raise ValueError("the ARN of the table's stream: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL")
    return value


def _whole_number(least: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdecimal() and len(value) < 10 and int(value) >= least):
            raise ValueError(f"a whole number of at least {least}")
        return int(value)

    return read


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
    "FEED_TABLE": (_table_name, None),
    "STREAM_ARN": (_stream_arn, None),
    "ALLOW_ORIGIN": (_origin, "*"),
    "ATTRIBUTES": (_names, None),
    "NUMBERS": (_one_of({"string": "string", "number": "number"}), "string"),
    "MAX_LIMIT": (_whole_number(1), 1000),
    "SCAN": (_one_of({"allow": True, "deny": False}), True),
    "CONSISTENT_READS": (_one_of({"true": True, "false": False}), True),
    "DENSE_INDEXES": (_names, frozenset()),
    "FRESHNESS_SECONDS": (_whole_number(0), 1),
    "MAX_STALE_SECONDS": (_whole_number(1), 60),
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
    settings = Settings(**values)
    if problem := _contradiction(settings):
        raise SettingError(problem)
    return settings


def _contradiction(settings: Settings) -> str | None:
    """What two settings cannot both say."""
    if settings.feed_table == settings.table_name:
        return f"FEED_TABLE is {settings.feed_table!r}, the table to publish: the feed takes a table of its own"
    if settings.stream_arn and not settings.feed_table:
        return "STREAM_ARN is set and FEED_TABLE is not: set the table that the stream's changes are to be kept in"
    if settings.stream_arn and f":table/{settings.table_name}/" not in settings.stream_arn:
        return f"STREAM_ARN is {settings.stream_arn!r}: it takes the stream of TABLE_NAME, {settings.table_name!r}"
    return None


def environment() -> Mapping[str, str]:
    """All of this process's variables, for what is no setting of ours: AWS's own."""
    return os.environ


def load() -> Settings:
    """This process's settings; ends it with one line on stderr where they are wrong."""
    try:
        return read(os.environ)
    except SettingError as error:
        # Printed here: `chalice local` imports the app in a thread, where SystemExit's own words are lost.
        print(f"tablecast: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
