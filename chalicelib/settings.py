"""Environment variables -> `Settings`. The only reader of os.environ."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
STREAM_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]+/stream/[^\s/]+")
ORIGIN = re.compile(r"\*|https?://[^\s,/]+")
MAX_NUMBER = 999_999_999


class Settings(NamedTuple):
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
    """One line: the setting, its value, and what to write instead."""


def _matching(pattern: re.Pattern[str], takes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(takes)
        return text

    return parse


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers. Its ValueError says what it takes."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(values: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return a parser of the keys of `values`. Its ValueError says what it takes."""

    def parse(text: str) -> Any:
        if text not in values:
            raise ValueError(" or ".join(values))
        return values[text]

    return parse


def _names(text: str) -> frozenset[str]:
    names = frozenset(name for part in text.split(",") if (name := part.strip()))
    if not names:
        raise ValueError("a comma list of names, or remove it")
    return names


class Setting(NamedTuple):
    """One variable. `parse` raises a ValueError that says what it takes. `default`: REQUIRED if there is none."""

    parse: Callable[[str], Any]
    default: Any
    description: str


REQUIRED = object()

_TABLE = _matching(TABLE_NAME, "a table's name, 3 to 255 of A-Z a-z 0-9 . _ -")

SETTINGS = {
    "TABLE_NAME": Setting(
        _TABLE,
        REQUIRED,
        "The table to publish.",
    ),
    "FEED_TABLE": Setting(
        _TABLE,
        None,
        "The table of the change feed (docs/feed.md). It turns on ETags and /changes.",
    ),
    "STREAM_ARN": Setting(
        _matching(STREAM_ARN, "the ARN of the table's stream: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL"),
        None,
        "The stream of the published table, for the handler that fills the feed.",
    ),
    "ALLOW_ORIGIN": Setting(
        _matching(ORIGIN, "* or one origin, such as https://example.org"),
        "*",
        "The origin whose pages may read the API.",
    ),
    "ATTRIBUTES": Setting(
        _names,
        None,
        "Attributes to publish, comma-separated. Keys of the table are always published. All others are "
        "hidden everywhere: not returned, not in changes, not usable in conditions, and an index keyed by one "
        "is not used.",
    ),
    "NUMBERS": Setting(
        one_of({"string": "string", "number": "number"}),
        "string",
        "string, exact in every client, or number, a JSON number with the same digits.",
    ),
    "MAX_LIMIT": Setting(
        whole_number(1, MAX_NUMBER),
        1000,
        "Maximum number of items in one answer.",
    ),
    "SCAN": Setting(
        one_of({"allow": True, "deny": False}),
        True,
        "allow or deny. With deny, a request that no key or index can answer is a 400 that names the "
        "attributes to query by.",
    ),
    "CONSISTENT_READS": Setting(
        one_of({"true": True, "false": False}),
        True,
        "Whether reads of the table and its local indexes are strongly consistent: true or false.",
    ),
    "DENSE_INDEXES": Setting(
        _names,
        frozenset(),
        "Indexes you declare complete: every item has their sort key. Comma-separated, or * for all. Such an "
        "index can answer an equality on its partition key alone.",
    ),
    "FRESHNESS_SECONDS": Setting(
        whole_number(0, MAX_NUMBER),
        1,
        "How long a warm function reuses the feed's head that it read. 0 reads it for each request.",
    ),
    "MAX_STALE_SECONDS": Setting(
        whole_number(1, MAX_NUMBER),
        60,
        "Maximum age of an answer, even if the stream has stopped.",
    ),
}


def read(environ: Mapping[str, str]) -> Settings:
    """Return the settings in `environ`. Raise SettingError if one is missing or wrong, or if two contradict."""
    values = {}
    for name, setting in SETTINGS.items():
        text = environ.get(name)
        if text is None and setting.default is REQUIRED:
            raise SettingError(f"{name} is not set. Set it for this stage in .chalice/config.json.")
        try:
            values[name.lower()] = setting.default if text is None else setting.parse(text.strip())
        except ValueError as takes:
            raise SettingError(f"{name} is {text!r}. Use {takes}.") from None
    settings = Settings(**values)
    if problem := _contradiction(settings):
        raise SettingError(problem)
    return settings


def _contradiction(settings: Settings) -> str | None:
    if settings.feed_table == settings.table_name:
        return f"FEED_TABLE is {settings.feed_table!r}, the published table. Use another table for the feed."
    if settings.stream_arn and not settings.feed_table:
        return "STREAM_ARN is set and FEED_TABLE is not. Set FEED_TABLE to the table that keeps the changes."
    if settings.stream_arn and f":table/{settings.table_name}/" not in settings.stream_arn:
        return f"STREAM_ARN is {settings.stream_arn!r}. Use the stream of TABLE_NAME, {settings.table_name!r}."
    return None


def environment() -> Mapping[str, str]:
    """Return all variables of this process, for AWS's own settings."""
    return os.environ


def load() -> Settings:
    """Return the settings of this process, or end it with one line on stderr if they are wrong."""
    try:
        return read(os.environ)
    except SettingError as error:
        # Printed here: `chalice local` imports the app in a thread, where the text of SystemExit is lost.
        print(f"tablecast: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
